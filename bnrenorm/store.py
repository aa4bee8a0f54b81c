"""What stays on disk: one file per finished trial, shared by all experiments, and checkpoints of those in training.

A trial's file is addressed by all that decides its numbers, so that a command given again, with more seeds or one more
variant, finds what it need not train. Every file is written whole or not at all.
"""

import io
import json
import math
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bnrenorm import atomic
from bnrenorm.config import Trial
from bnrenorm.errors import InputError

CURVES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "validation_loss", "validation_accuracy")
"""The columns of a curve beside step and epoch; the last two where there is a validation split."""

Columns = dict[str, list[float]]


@dataclass(frozen=True)
class Result:
    """A trained trial: its records as columns of equal length, and how it ended.

    `outcome` is "finished", or "diverged" when the training loss was not finite at the last record. `seconds` is the
    trial's share of its group's wall time. `records` has step, epoch, `CURVES`, and the diagnosis of the normalisation.
    `parameters` has the final weights, biases, gamma and beta by name, where `evaluation.parameters` asks for them.
    """

    outcome: str
    seconds: float
    device: str
    records: Columns
    parameters: dict[str, Any] = field(default_factory=dict)


class Store:
    """The folder of all results: `trials/`, `checkpoints/`, and one folder per experiment (`folder.RunFolder`)."""

    def __init__(self, root: Path):
        self.root = root
        self.trials = root / "trials"
        self.checkpoints = root / "checkpoints"

    def prepare(self) -> None:
        """Make the folders. Raises InputError if nothing can be written there."""
        try:
            for folder in (self.trials, self.checkpoints):
                folder.mkdir(parents=True, exist_ok=True)
            probe = self.trials / ".writable"
            atomic.write(probe, "")
            probe.unlink()
        except OSError as error:
            raise InputError(f"--out {self.root}: cannot be written: {error.strerror}") from error

    def has(self, key: str) -> bool:
        """Tell whether a trial is finished."""
        return self.read(key) is not None

    def read(self, key: str) -> Result | None:
        """Return a finished trial; None if there is none, or its file is not whole."""
        try:
            content = json.loads((self.trials / f"{key}.json").read_text(encoding="utf-8"))
            records = {name: [float(value) for value in values] for name, values in content["records"].items()}
            return Result(
                content["outcome"], content["seconds"], content["device"], records, self._arrays(key, content)
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile):
            return None

    def _arrays(self, key: str, content: dict[str, Any]) -> dict[str, Any]:
        if not content["settings"]["evaluation"].get("parameters"):
            return {}
        with np.load(self.trials / f"{key}.npz", allow_pickle=False) as arrays:
            return dict(arrays)

    def write(self, key: str, trial: Trial, checksum: str, result: Result) -> None:
        """Keep a finished trial, with the settings it was trained with."""
        if result.parameters:
            buffer = io.BytesIO()
            np.savez_compressed(buffer, **result.parameters)
            atomic.write(self.trials / f"{key}.npz", buffer.getvalue())
        content = {
            "seed": trial.seed,
            "data": checksum,
            "settings": trial.resolved(),
            **{name: getattr(result, name) for name in ("outcome", "seconds", "device")},
            "records": {name: [_plain(value) for value in values] for name, values in result.records.items()},
        }
        atomic.write(self.trials / f"{key}.json", json.dumps(content, allow_nan=False))


def _plain(value: float) -> float | str:
    """JSON has no NaN and no infinity; text it has, and float() reads it."""
    return value if math.isfinite(value) else str(value)
