"""Stored results as tables (pandas): curves, a summary row per trial, verdicts. The column names are a contract."""

from typing import Any

import numpy as np
import pandas as pd

from bnrenorm import stats
from bnrenorm.config import Trial
from bnrenorm.config.identity import Identity
from bnrenorm.store import COLUMNS, Result

Results = list[tuple[Trial, Result]]

MILESTONES = (0.95, 0.97, 0.98)


def curves(results: Results) -> pd.DataFrame:
    """One row per record: variant, the grid's columns, seed, step, epoch, and the four values."""
    frames = [
        pd.DataFrame({"variant": trial.variant, **dict(trial.point), "seed": trial.seed, **result.records})
        for trial, result in results
    ]
    return pd.concat(frames, ignore_index=True).astype({"step": int})


def summary(results: Results) -> pd.DataFrame:
    """One row per trial: outcome, final and best values, the epoch of the best test accuracy, milestones, seconds.

    `epochs_to_95` is the first recorded epoch whose test accuracy reached 95 %, empty if none did.
    """
    return pd.DataFrame([_summarise(trial, result) for trial, result in results])


def _summarise(trial: Trial, result: Result) -> dict[str, Any]:
    records = {name: np.asarray(values) for name, values in result.records.items()}
    row: dict[str, Any] = {"variant": trial.variant, **dict(trial.point), "seed": trial.seed, "outcome": result.outcome}
    for name in COLUMNS[2:]:
        best = np.fmin.reduce if name.endswith("loss") else np.fmax.reduce  # ignore the NaN that ends a diverged trial
        row[f"final_{name}"] = records[name][-1]
        row[f"best_{name}"] = best(records[name])
    row["best_epoch"] = records["epoch"][np.argmax(records["test_accuracy"])]
    for milestone in MILESTONES:
        reached = np.flatnonzero(records["test_accuracy"] >= milestone)
        row[f"epochs_to_{100 * milestone:.0f}"] = records["epoch"][reached[0]] if len(reached) else np.nan
    row["seconds"] = result.seconds
    return row


def verdicts(results: Results, identical: list[Identity]) -> list[dict[str, Any]]:
    """Compare every pair of variants, at every grid point, in final test accuracy; plain data for verdict.json."""
    rows = []
    table = summary(results)
    cells: dict[Any, dict[str, np.ndarray]] = {}
    for trial, _ in results:
        cells.setdefault(trial.point, {})
    for point, cell in cells.items():
        for variant in dict.fromkeys(trial.variant for trial, _ in results):
            chosen = [trial.variant == variant and trial.point == point for trial, _ in results]
            cell[variant] = table.loc[chosen, "final_test_accuracy"].to_numpy()
        names = list(cell)
        for i, a in enumerate(names):
            for b in names[i + 1 :]:
                same = next((one for one in identical if (one.a, one.b, one.point) == (a, b, point)), None)
                rows.append(_verdict(a, b, dict(point), stats.paired(cell[a], cell[b]), same))
    return rows


def _verdict(a: str, b: str, point: dict[str, Any], found: stats.Paired, same: Identity | None) -> dict[str, Any]:
    names = {"a better": f"{a} better", "b better": f"{b} better"}
    if same is not None:
        verdict, sentence = "identical by construction", f"{a} and {b} are identical by construction: {same.reason}."
    else:
        verdict, sentence = names.get(found.verdict, found.verdict), _sentence(a, b, found)
    return {
        "a": a,
        "b": b,
        "point": point,
        "metric": "final_test_accuracy",
        "verdict": verdict,
        "sentence": sentence,
        "pairs": len(found.differences),
        "differences": [float(value) for value in found.differences],
        "mean": found.mean,
        "low": _or_none(found.low),
        "high": _or_none(found.high),
        "p": _or_none(found.p),
        "margin": stats.MARGIN,
        "more_seeds": 0 if same is not None else found.more,
    }


def _sentence(a: str, b: str, found: stats.Paired) -> str:
    pairs = len(found.differences)
    difference = f"{b} - {a} = {100 * found.mean:+.2f} points of test accuracy"
    if pairs < stats.FEWEST:
        each = ", ".join(f"{100 * value:+.2f}" for value in found.differences)
        return (
            f"{difference} (by seed: {each}): inconclusive: {pairs} paired seed{'s' * (pairs != 1)} can never reach "
            f"p < .05; {found.more} more needed (--seeds {stats.FEWEST})."
        )
    spread = f"{difference} [{100 * found.low:+.2f}, {100 * found.high:+.2f}], p = {found.p:.3g}, {pairs} paired seeds"
    ending = {
        "a better": f"{a} is better",
        "b better": f"{b} is better",
        "equivalent": f"equivalent within {100 * stats.MARGIN:g} points",
        "inconclusive": f"inconclusive: about {found.more} more seeds needed",
    }[found.verdict]
    return f"{spread}: {ending}."


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
