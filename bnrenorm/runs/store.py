"""Results on disk: one file per finished trial, shared by all experiments, and checkpoints of those in training.

A trial's file is addressed by everything that decides its numbers, so that a command given again, with more seeds or
one more variant, trains only what is missing. Every file is written whole or not at all.
"""

import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from bnrenorm import atomic
from bnrenorm.config import Trial
from bnrenorm.errors import InputError
from bnrenorm.training.records import TrialResults


class Store:
    """The folder of all results: `trials/`, `checkpoints/`, and one folder per experiment (`run_folder`)."""

    def __init__(self, root: Path):
        self.root = root
        self.trials = root / "trials"
        self.checkpoints = root / "checkpoints"

    def prepare(self) -> None:
        """Create the folders. Raises InputError if nothing can be written there."""
        try:
            for folder in (self.trials, self.checkpoints):
                folder.mkdir(parents=True, exist_ok=True)
            probe = self.trials / ".writable"
            atomic.write(probe, "")
            probe.unlink()
        except OSError as error:
            raise InputError(f"--out {self.root}: cannot be written: {error.strerror}") from error

    def has(self, key: str) -> bool:
        """Tell whether a trial is finished, without reading its file, which may be corrupt: see `read`."""
        return self._results(key).is_file()

    def read(self, key: str) -> TrialResults | None:
        """Return a finished trial; None if there is none, or if its files are corrupt."""
        try:
            content = json.loads(self._results(key).read_text(encoding="utf-8"))
            records = {name: [float(value) for value in values] for name, values in content["records"].items()}
            parameters = self._read_parameters(key, content)
            return TrialResults(content["outcome"], content["seconds"], records, content["provenance"], parameters)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
            return None

    def _read_parameters(self, key: str, content: dict[str, Any]) -> dict[str, Any]:
        if not content["settings"]["evaluation"].get("parameters"):
            return {}
        with self._parameters(key).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)

    def write(self, key: str, trial: Trial, checksum: str, result: TrialResults) -> None:
        """Store a finished trial with its settings. Its .json file is written last: see `has`."""
        if result.parameters:
            buffer = io.BytesIO()
            np.savez_compressed(buffer, **result.parameters)
            atomic.write(self._parameters(key), buffer.getvalue())
        content = {
            "seed": trial.seed,
            "data": checksum,
            "settings": trial.resolved(),
            **{name: getattr(result, name) for name in ("outcome", "seconds", "provenance")},
            "records": {name: [_plain(value) for value in values] for name, values in result.records.items()},
        }
        atomic.write(self._results(key), json.dumps(content, allow_nan=False))

    def forget(self, key: str) -> None:
        """Delete a trial's files."""
        for path in (self._results(key), self._parameters(key)):
            path.unlink(missing_ok=True)

    def _results(self, key: str) -> Path:
        return self.trials / f"{key}.json"

    def _parameters(self, key: str) -> Path:
        return self.trials / f"{key}.npz"


def _plain(value: float) -> float | str:
    """Write NaN and infinity, which JSON lacks, as text that float() can read."""
    return value if math.isfinite(value) else str(value)
