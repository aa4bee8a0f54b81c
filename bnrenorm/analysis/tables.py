"""Stored results as tables (pandas): curves, a summary row per trial, verdicts. The column names are a contract."""

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

Results = list[tuple[Trial, TrialResults]]

_WHEN = ("step", "epoch")
MILESTONES = (0.95, 0.97, 0.98)


def curves(results: Results) -> pd.DataFrame:
    """One row per record: variant, the grid's columns, seed, step, epoch, and the four (or six) values."""
    return _long(results, lambda name: name in (*_WHEN, *CURVES)).astype({"step": int})


def diagnostics(results: Results) -> pd.DataFrame:
    """One row per record: what the normalisation did, by layer (`norm.diagnosis`), and both modes' accuracy."""
    return _long(results, lambda name: name not in CURVES).astype({"step": int})


def _long(results: Results, wanted: Callable[[str], bool]) -> pd.DataFrame:
    frames = [
        pd.DataFrame(
            {
                "variant": trial.variant,
                **{key: [value] * len(result.records["step"]) for key, value in trial.point},
                "seed": trial.seed,
                **{name: values for name, values in result.records.items() if wanted(name)},
            }
        )
        for trial, result in results
    ]
    return pd.concat(frames, ignore_index=True)


def summary(results: Results) -> pd.DataFrame:
    """One row per trial: outcome, final and best values, the epoch of the best test accuracy, milestones, seconds.

    `epochs_to_95` is the first recorded epoch whose test accuracy reached 95 %, empty if none did. Where training stops
    early, the final values are those of the weights that it went back to, of `final_epoch`.
    """
    return pd.DataFrame([_summarise(trial, result) for trial, result in results])


def _summarise(trial: Trial, result: TrialResults) -> dict[str, Any]:
    records = {name: np.asarray(values) for name, values in result.records.items()}
    last = final_record(trial, result)
    row: dict[str, Any] = {"variant": trial.variant, **dict(trial.point), "seed": trial.seed, "outcome": result.outcome}
    trained = records["step"] > 0  # not the record before the first step, where there is one
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
    """Return the place of the record whose weights are the trained ones: the last, or the best with early stopping."""
    rule = trial.settings.training.early_stopping
    if rule is None:
        return len(result.records["step"]) - 1
    watched = np.asarray(result.records[f"validation_{rule.watch}"])
    if np.isnan(watched).all():
        return len(watched) - 1
    return int(np.nanargmin(watched) if rule.watch == "loss" else np.nanargmax(watched))


def verdicts(results: Results, identical: list[Identity], metric: str = "final_test_accuracy") -> list[dict[str, Any]]:
    """Compare every pair of variants at every grid point; plain data for verdict.json.

    The grid points of one pair are one family for Holm's correction.
    """
    table = summary(results)
    cells: dict[Point, dict[str, list[Any]]] = {}
    for (trial, _), (_, row) in zip(results, table.iterrows(), strict=True):
        cells.setdefault(trial.point, {}).setdefault(trial.variant, []).append(row)
    names = list(dict.fromkeys(trial.variant for trial, _ in results))
    rows = []
    for a, b in itertools.combinations(names, 2):
        points = [point for point, cell in cells.items() if a in cell and b in cell]
        arms = [_paired_values(cells[point][a], cells[point][b], metric) for point in points]
        for point, found in zip(points, stats.compare(arms), strict=True):
            same = next((one for one in identical if (one.a, one.b, one.point) == (a, b, point)), None)
            diverged = {n: sum(row["outcome"] == "diverged" for row in cells[point][n]) for n in (a, b)}
            rows.append(_verdict(a, b, point, metric, found, same, diverged))
    return sorted(rows, key=lambda row: list(cells).index(tuple(row["point"].items())))


def _paired_values(a: list[Any], b: list[Any], metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return both arms' values, seed by seed, for the seeds that both have."""
    one, two = ({row["seed"]: row[metric] for row in rows} for rows in (a, b))
    seeds = [seed for seed in one if seed in two]
    return np.array([one[seed] for seed in seeds]), np.array([two[seed] for seed in seeds])


def _verdict(
    a: str, b: str, point: Point, metric: str, found: stats.Paired, same: Identity | None, diverged: dict[str, int]
) -> dict[str, Any]:
    names = {"a better": f"{a} better", "b better": f"{b} better"}
    if same is not None:
        verdict, sentence = "identical by construction", f"{a} and {b} are identical by construction: {same.reason}."
    else:
        verdict, sentence = names.get(found.verdict, found.verdict), _sentence(a, b, found, metric)
        sentence += "".join(f" {count} {name} trial(s) diverged." for name, count in diverged.items() if count)
    return {
        "a": a,
        "b": b,
        "point": dict(point),
        "metric": metric,
        "verdict": verdict,
        "sentence": sentence,
        "pairs": len(found.differences),
        "differences": [float(value) for value in found.differences],
        "mean": _or_none(found.mean),
        "low": _or_none(found.low),
        "high": _or_none(found.high),
        "p": _or_none(found.p),
        "p_holm": _or_none(found.adjusted),
        "margin": stats.MARGIN,
        "more_seeds": 0 if same is not None else found.more,
        "diverged": diverged,
    }


def _sentence(a: str, b: str, found: stats.Paired, metric: str) -> str:
    pairs = len(found.differences)
    if not pairs:
        return f"{a} and {b} have no seed in common: inconclusive: {found.more} paired seeds needed."
    what = metric.removeprefix("final_").replace("_", " ")
    difference = f"{b} - {a} = {100 * found.mean:+.2f} points of {what}"
    if pairs < stats.FEWEST:
        each = ", ".join(f"{100 * value:+.2f}" for value in found.differences)
        return (
            f"{difference} (by seed: {each}): inconclusive: {pairs} paired seed{'s' * (pairs != 1)} can never reach "
            f"p < .05; {found.more} more needed (--seeds {stats.FEWEST})."
        )
    if not found.differences.any():
        return f"{b} - {a} = 0 in every one of {pairs} paired seeds: equivalent within {100 * stats.MARGIN:g} points."
    corrected = "" if found.adjusted == found.p else f" ({found.adjusted:.3g} after Holm's correction)"
    spread = f"{difference} [{100 * found.low:+.2f}, {100 * found.high:+.2f}], p = {found.p:.3g}{corrected}"
    ending = {
        "a better": f"{a} is better",
        "b better": f"{b} is better",
        "equivalent": f"equivalent within {100 * stats.MARGIN:g} points",
        "inconclusive": f"inconclusive: about {found.more} more seeds needed",
    }[found.verdict]
    return f"{spread}, {pairs} paired seeds: {ending}."


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
