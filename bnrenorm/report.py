"""What a finished comparison leaves behind: the files of its run folder."""

import json
from pathlib import Path
from typing import Any

import yaml

from bnrenorm import atomic, environment, figures, tables
from bnrenorm.config import Experiment
from bnrenorm.config.identity import Identity
from bnrenorm.data.dataset import Dataset


def write(
    folder: Path, experiment: Experiment, data: Dataset, results: tables.Results, identical: list[Identity], on: str
) -> list[dict[str, Any]]:
    """Write experiment.yaml, environment.json, curves.csv, summary.csv, verdict.json, loss.png and accuracy.png.

    Returns the verdicts.
    """
    verdicts = tables.verdicts(results, identical)
    curves = tables.curves(results)
    ran_on = {**environment.describe(on), "data": {"source": data.source, "checksum": data.checksum}}
    contents = {
        "experiment.yaml": yaml.safe_dump(experiment.resolved(), sort_keys=False),
        "environment.json": json.dumps(ran_on, indent=2),
        "curves.csv": curves.to_csv(index=False),
        "summary.csv": tables.summary(results).to_csv(index=False),
        "verdict.json": json.dumps(verdicts, indent=2, allow_nan=False),
        "loss.png": figures.training_and_test(curves, "loss", _title(experiment, "Loss"), (0, 4)),
        "accuracy.png": figures.training_and_test(curves, "accuracy", _title(experiment, "Accuracy"), (0, 1)),
    }
    for name, content in contents.items():
        atomic.write(folder / name, content)
    return verdicts


def _title(experiment: Experiment, what: str) -> str:
    seeds = len(experiment.seeds)
    spread = f"mean of {seeds} seeds, band from least to greatest" if seeds > 1 else f"seed {experiment.seeds[0]}"
    return f"{what}: {experiment.name} ({spread})"
