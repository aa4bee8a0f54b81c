"""What stays on disk: one file per finished trial, shared by all experiments, and one folder per experiment.

A trial's file is addressed by all that decides its numbers, so that a command given again, with more seeds or one more
variant, finds what it need not train. Every file is written whole or not at all.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bnrenorm import atomic
from bnrenorm.config import Experiment, Trial
from bnrenorm.config.experiment import digest
from bnrenorm.errors import InputError

COLUMNS = ("step", "epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy")


@dataclass(frozen=True)
class Result:
    """A trained trial: its records as columns of equal length, and how it ended.

    `outcome` is "finished", or "diverged" when the training loss was not finite at the last record. `seconds` is the
    trial's share of its group's wall time.
    """

    outcome: str
    seconds: float
    device: str
    records: dict[str, list[float]]


class Store:
    """The folder of all results: `trials/` and one folder per experiment."""

    def __init__(self, root: Path):
        self.root = root
        self.trials = root / "trials"

    def prepare(self) -> None:
        """Make the folder. Raises InputError if nothing can be written there."""
        try:
            self.trials.mkdir(parents=True, exist_ok=True)
            probe = self.trials / ".writable"
            atomic.write(probe, "")
            probe.unlink()
        except OSError as error:
            raise InputError(f"--out {self.root}: cannot be written: {error.strerror}") from error

    def read(self, key: str) -> Result | None:
        """Return a finished trial; None if there is none, or its file is not whole."""
        try:
            content = json.loads((self.trials / f"{key}.json").read_text(encoding="utf-8"))
            records = {name: [_number(value) for value in content["records"][name]] for name in COLUMNS}
            return Result(content["outcome"], content["seconds"], content["device"], records)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def write(self, key: str, trial: Trial, checksum: str, result: Result) -> None:
        """Keep a finished trial, with the settings it was trained with."""
        content = {
            "seed": trial.seed,
            "data": checksum,
            "settings": trial.settings.model_dump(mode="json", exclude={"data"}),
            **asdict(result),
            "records": {name: [_plain(value) for value in values] for name, values in result.records.items()},
        }
        atomic.write(self.trials / f"{key}.json", json.dumps(content, allow_nan=False))

    def folder(self, experiment: Experiment) -> Path:
        """Return the experiment's own folder, named by its name and the hash of its settings."""
        path = self.root / f"{experiment.name}-{digest(experiment.resolved())[:8]}"
        path.mkdir(exist_ok=True)
        return path


def _plain(value: float) -> float | str:
    """JSON has no NaN and no infinity; text it has."""
    return value if math.isfinite(value) else str(value)


def _number(value: Any) -> float:
    return float(value)
