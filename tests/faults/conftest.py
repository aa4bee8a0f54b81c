import sys

import numpy as np
import pytest

from bnrenorm.cli import commands
from bnrenorm.runs import group as groups
from bnrenorm.training import loop
from tests.helpers import stored_numbers

CONFIG = """
name: faults
model: {hidden: [3]}
variants: {BN: {norm: {kind: batch}}, BRN: {norm: {kind: renorm, r_max: 3, d_max: 5}}}
training: {steps: 3, batch: 10}
evaluation: {parameters: true}
seeds: 2
"""


@pytest.fixture
def config(tmp_path):
    """The config of four small trials on noise."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (40, 4, 4), dtype=np.uint8), np.arange(40) % 10
    np.savez(tmp_path / "noise.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    path = tmp_path / "faults.yaml"
    path.write_text(f"{CONFIG}data: {{path: {tmp_path / 'noise.npz'}}}\n")
    return path


@pytest.fixture
def command(config, tmp_path, monkeypatch, capsys, no_pictures):
    """A function that runs the command into a folder, with a checkpoint after each step; returns (exit code, errors)."""
    monkeypatch.setattr(groups, "SAVE_EVERY", 0)
    monkeypatch.setattr(loop, "CALL_SECONDS", 0)

    def command(out, *options):
        arguments = ["bnrenorm", "compare", config, "--out", tmp_path / out, "--engine", "chainer", "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", [str(argument) for argument in (*arguments, *options)])
        with pytest.raises(SystemExit) as exit_:
            commands.main()
        return exit_.value.code or 0, capsys.readouterr().err

    return command


@pytest.fixture
def left(tmp_path):
    """A function that returns what a run has left in a folder: all numbers, without times and provenance."""

    def left(out):
        (folder,) = (tmp_path / out).glob("faults-*")
        return stored_numbers(tmp_path / out), [
            (folder / name).read_text() for name in ("curves.csv", "diagnostics.csv", "verdict.json")
        ]

    return left
