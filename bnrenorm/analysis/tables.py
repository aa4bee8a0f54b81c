"""Stored results as tables (pandas): curves, diagnostics, a summary row per trial.

The names of columns are a contract.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from bnrenorm.config import Trial
from bnrenorm.training.records import CURVES, TrialResults, final_record

TrainedTrials = list[tuple[Trial, TrialResults]]
"""Trials with their results, in the experiment's order."""

MILESTONES = (0.95, 0.97, 0.98)
"""Test accuracies whose first epoch `summary` reports."""

_TIME = ("step", "epoch")


def curves(trials: TrainedTrials) -> pd.DataFrame:
    """Return one row per record: variant, the grid's columns, seed, step, epoch, then the columns in `CURVES`.

    Losses are in nats, accuracies in 0..1, NaN where the loss is not finite; the two validation columns exist where
    there is a validation split.
    """
    return _one_row_per_record(trials, lambda name: name in (*_TIME, *CURVES))


def diagnostics(trials: TrainedTrials) -> pd.DataFrame:
    """Return one row per record: what the normalisation did, by layer (`norm.diagnosis`), and both modes' accuracy.

    NaN where the training loss is not finite.
    """
    return _one_row_per_record(trials, lambda name: name not in CURVES)


def _one_row_per_record(trials: TrainedTrials, is_wanted: Callable[[str], bool]) -> pd.DataFrame:
    lengths = [len(result.records["step"]) for _, result in trials]

    def repeated(values: Iterable[Any]) -> list[Any]:
        return [value for value, length in zip(values, lengths, strict=True) for _ in range(length)]

    def joined(name: str) -> np.ndarray:
        columns = (result.records.get(name) for _, result in trials)
        missing = (np.full(length, np.nan) for length in lengths)
        return np.concatenate([nan if own is None else own for own, nan in zip(columns, missing, strict=True)])

    points = [dict(trial.point) for trial, _ in trials]
    names = dict.fromkeys(name for _, result in trials for name in result.records if is_wanted(name))
    table: dict[str, Any] = {"variant": repeated(trial.variant for trial, _ in trials)}
    for key in points[0]:
        table[key] = _axis(repeated(point[key] for point in points))
    table["seed"] = repeated(trial.seed for trial, _ in trials)
    return pd.DataFrame({**table, **{name: joined(name) for name in names}}).astype({"step": int})


def summary(trials: TrainedTrials) -> pd.DataFrame:
    """Return one row per trial: outcome, final and best values, epochs, seconds, and the engine that trained it.

    `epochs_to_95` is the first recorded epoch whose test accuracy reached 95 %, NaN if none did; `best_epoch` is the
    one with the best test accuracy. With early stopping the final values are those of the weights that were restored,
    from `final_epoch`. `engine` and `device` come from the result's provenance.
    """
    table = pd.DataFrame([_summarise(trial, result) for trial, result in trials])
    points = [dict(trial.point) for trial, _ in trials]
    return table.assign(**{key: _axis([point[key] for point in points]) for key in points[0]})


def _axis(values: list[Any]) -> pd.Series:
    """Return a column of values of a grid's axis: null is None, not NaN, which would make floats of whole numbers."""
    return pd.Series(values, dtype=object if None in values else None)


def _summarise(trial: Trial, result: TrialResults) -> dict[str, Any]:
    records = {name: np.asarray(result.records[name]) for name in (*_TIME, *CURVES) if name in result.records}
    last = final_record(result.records, trial.watched)
    row: dict[str, Any] = {"variant": trial.variant, **dict(trial.point), "seed": trial.seed, "outcome": result.outcome}
    trained = records["step"] > 0  # without the record before the first step, where there is one
    for name in (name for name in CURVES if name in records):
        best = np.fmin.reduce if name.endswith("loss") else np.fmax.reduce  # ignore the NaN that ends a diverged trial
        row[f"final_{name}"] = records[name][last]
        row[f"best_{name}"] = best(records[name][trained])
    epochs, accuracy = records["epoch"][trained], records["test_accuracy"][trained]
    row["final_epoch"] = records["epoch"][last]
    row["best_epoch"] = epochs[np.nanargmax(accuracy)] if np.isfinite(accuracy).any() else np.nan
    for milestone in MILESTONES:
        reached = np.flatnonzero(accuracy >= milestone)
        row[f"epochs_to_{100 * milestone:.0f}"] = epochs[reached[0]] if len(reached) else np.nan
    row["seconds"] = result.seconds
    row |= {name: result.provenance[name] for name in ("engine", "device")}
    return row
