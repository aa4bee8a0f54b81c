"""Stored results as tables (pandas): curves, diagnostics, a summary row per trial, verdicts.

The names of columns and keys are a contract.
"""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from bnrenorm.analysis import stats
from bnrenorm.config import Trial
from bnrenorm.config.identity import Identity
from bnrenorm.config.trial import Point
from bnrenorm.training.records import CURVES, TrialResults

TrainedTrials = list[tuple[Trial, TrialResults]]
"""Trials with their results, in the experiment's order."""

MILESTONES = (0.95, 0.97, 0.98)
"""Test accuracies whose first epoch `summary` reports."""

IDENTICAL = "identical by construction"
"""The verdict on two variants that are the same computation."""

_TIME = ("step", "epoch")


def curves(trials: TrainedTrials) -> pd.DataFrame:
    """Return one row per record: variant, the grid's columns, seed, step, epoch, then the columns in `CURVES`.

    Losses are in nats, accuracies in 0..1; the two validation columns exist where there is a validation split.
    """
    return _one_row_per_record(trials, lambda name: name in (*_TIME, *CURVES))


def diagnostics(trials: TrainedTrials) -> pd.DataFrame:
    """Return one row per record: what the normalisation did, by layer (`norm.diagnosis`), and both modes' accuracy."""
    return _one_row_per_record(trials, lambda name: name not in CURVES)


def _one_row_per_record(trials: TrainedTrials, is_wanted: Callable[[str], bool]) -> pd.DataFrame:
    frames = [
        pd.DataFrame(
            {
                "variant": trial.variant,
                **{key: [value] * len(result.records["step"]) for key, value in trial.point},
                "seed": trial.seed,
                **{name: values for name, values in result.records.items() if is_wanted(name)},
            }
        )
        for trial, result in trials
    ]
    return pd.concat(frames, ignore_index=True).astype({"step": int})


def summary(trials: TrainedTrials) -> pd.DataFrame:
    """Return one row per trial: outcome, final and best values, epochs, seconds, and the engine that trained it.

    `epochs_to_95` is the first recorded epoch whose test accuracy reached 95 %, NaN if none did; `best_epoch` is the
    one with the best test accuracy. With early stopping the final values are those of the weights that were restored,
    from `final_epoch`. `engine` and `device` come from the result's provenance.
    """
    return pd.DataFrame([_summarise(trial, result) for trial, result in trials])


def _summarise(trial: Trial, result: TrialResults) -> dict[str, Any]:
    records = {name: np.asarray(values) for name, values in result.records.items()}
    last = final_record(trial, result)
    row: dict[str, Any] = {"variant": trial.variant, **dict(trial.point), "seed": trial.seed, "outcome": result.outcome}
    trained = records["step"] > 0  # without the record before the first step, where there is one
    for name in (name for name in CURVES if name in records):
        best = np.fmin.reduce if name.endswith("loss") else np.fmax.reduce  # ignore the NaN that ends a diverged trial
        row[f"final_{name}"] = records[name][last]
        row[f"best_{name}"] = best(records[name][trained])
    epochs, accuracy = records["epoch"][trained], records["test_accuracy"][trained]
    row["final_epoch"] = records["epoch"][last]
    row["best_epoch"] = epochs[np.argmax(accuracy)]
    for milestone in MILESTONES:
        reached = np.flatnonzero(accuracy >= milestone)
        row[f"epochs_to_{100 * milestone:.0f}"] = epochs[reached[0]] if len(reached) else np.nan
    row["seconds"] = result.seconds
    row |= {name: result.provenance[name] for name in ("engine", "device")}
    return row


def final_record(trial: Trial, result: TrialResults) -> int:
    """Return the index of the record of the final weights: the last, or with early stopping the best on validation."""
    rule = trial.settings.training.early_stopping
    if rule is None:
        return len(result.records["step"]) - 1
    watched = np.asarray(result.records[f"validation_{rule.watch}"])
    if np.isnan(watched).all():
        return len(watched) - 1
    return int(np.nanargmin(watched) if rule.watch == "loss" else np.nanargmax(watched))


def verdicts(
    trials: TrainedTrials, identical: list[Identity], metric: str = "final_test_accuracy"
) -> list[dict[str, Any]]:
    """Compare every pair of variants at every grid point by a column of `summary`; return plain data for verdict.json.

    Differences are b - a, as fractions (0.01 is one percentage point). The grid points of one pair of variants are one
    family for Holm's correction. `identical` lists the pairs that are the same computation (`config.identity`).
    """
    table = summary(trials)
    cells: dict[Point, dict[str, list[Any]]] = {}
    for (trial, _), (_, row) in zip(trials, table.iterrows(), strict=True):
        cells.setdefault(trial.point, {}).setdefault(trial.variant, []).append(row)
    names = list(dict.fromkeys(trial.variant for trial, _ in trials))
    reasons = {(identity.a, identity.b, identity.point): identity.reason for identity in identical}
    entries = []
    for a, b in itertools.combinations(names, 2):
        points = [point for point, cell in cells.items() if a in cell and b in cell]
        values = [_paired_values(cells[point][a], cells[point][b], metric) for point in points]
        for point, difference in zip(points, stats.compare(values), strict=True):
            diverged = {n: sum(row["outcome"] == "diverged" for row in cells[point][n]) for n in (a, b)}
            entries.append(_verdict(a, b, point, metric, difference, reasons.get((a, b, point)), diverged))
    return sorted(entries, key=lambda entry: list(cells).index(tuple(entry["point"].items())))


def _paired_values(a: list[Any], b: list[Any], metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return both variants' values, seed by seed, for the seeds that both have."""
    a_by_seed, b_by_seed = ({row["seed"]: row[metric] for row in rows} for rows in (a, b))
    seeds = [seed for seed in a_by_seed if seed in b_by_seed]
    return np.array([a_by_seed[seed] for seed in seeds]), np.array([b_by_seed[seed] for seed in seeds])


def _verdict(
    a: str,
    b: str,
    point: Point,
    metric: str,
    difference: stats.PairedDifference,
    identical_because: str | None,
    diverged: dict[str, int],
) -> dict[str, Any]:
    names = {"a better": f"{a} better", "b better": f"{b} better"}
    if identical_because is not None:
        verdict, sentence = IDENTICAL, f"{a} and {b} are {IDENTICAL}: {identical_because}."
    else:
        verdict, sentence = names.get(difference.verdict, difference.verdict), _sentence(a, b, difference, metric)
        sentence += "".join(f" {count} {name} trial(s) diverged." for name, count in diverged.items() if count)
    return {
        "a": a,
        "b": b,
        "point": dict(point),
        "metric": metric,
        "verdict": verdict,
        "sentence": sentence,
        "pairs": len(difference.differences),
        "differences": [float(value) for value in difference.differences],
        "mean": _or_none(difference.mean),
        "low": _or_none(difference.low),
        "high": _or_none(difference.high),
        "p": _or_none(difference.p),
        "p_holm": _or_none(difference.p_holm),
        "margin": stats.MARGIN,
        "more_seeds": 0 if identical_because is not None else difference.more_pairs,
        "diverged": diverged,
    }


def _sentence(a: str, b: str, difference: stats.PairedDifference, metric: str) -> str:
    pairs, more = len(difference.differences), difference.more_pairs
    if not pairs:
        return f"{a} and {b} have no seed in common: inconclusive: {more} paired seeds needed."
    label = metric.removeprefix("final_").replace("_", " ")
    mean = f"{b} - {a} = {100 * difference.mean:+.2f} points of {label}"
    if pairs < stats.MIN_PAIRS:
        by_seed = ", ".join(f"{100 * value:+.2f}" for value in difference.differences)
        return (
            f"{mean} (by seed: {by_seed}): inconclusive: {pairs} paired seed{'s' * (pairs != 1)} can never reach "
            f"p < .05; {more} more needed (--seeds {stats.MIN_PAIRS})."
        )
    if not difference.differences.any():
        return f"{b} - {a} = 0 in every one of {pairs} paired seeds: equivalent within {100 * stats.MARGIN:g} points."
    p, p_holm = difference.p, difference.p_holm
    corrected = "" if p_holm == p else f" ({p_holm:.3g} after Holm's correction)"
    interval = f"[{100 * difference.low:+.2f}, {100 * difference.high:+.2f}]"
    ending = {
        "a better": f"{a} is better",
        "b better": f"{b} is better",
        "equivalent": f"equivalent within {100 * stats.MARGIN:g} points",
        "inconclusive": f"inconclusive: about {more} more seeds needed",
    }[difference.verdict]
    return f"{mean} {interval}, p = {p:.3g}{corrected}, {pairs} paired seeds: {ending}."


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
