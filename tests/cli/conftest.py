import sys

import pytest

from bnrenorm.cli import commands


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
