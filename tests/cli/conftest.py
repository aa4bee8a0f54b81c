import sys

import pytest

from bnrenorm.cli import commands
from tests.helpers import COMPARED


@pytest.fixture
def call(monkeypatch, capsys):
    """Call the command in this process; returns (exit code, standard output, standard error)."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["bnrenorm", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            commands.main()
        printed = capsys.readouterr()
        return exit_.value.code or 0, printed.out, printed.err

    return call


@pytest.fixture
def compare(call, config_file, few_digits_file, tmp_path):
    """Compare the variants of a text on few digits, by the Chainer engine on the CPU, with results in `tmp_path / out`."""

    def compare(*options, text=COMPARED, out="out"):
        data, engine = f"data.path={few_digits_file}", ("--engine", "chainer", "--device", "cpu")
        return call("compare", config_file(text), "--set", data, *engine, "--out", tmp_path / out, *options)

    return compare
