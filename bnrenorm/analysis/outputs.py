"""The files that a finished comparison leaves in its run folder: tables, verdicts and figures."""

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bnrenorm import atomic, environment
from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.data.dataset import Dataset

_RANKED = 4  # draw a ranking from this many variants on


def write_tables(results: ExperimentResults) -> None:
    """Write the tables and the verdicts into the run folder, each file atomically.

    environment.json, curves.csv, diagnostics.csv, summary.csv, verdict.json, and published.csv where the experiment
    names a published table. Raises OSError if the disk fails.
    """
    contents = {
        "environment.json": json.dumps(_environment(results), indent=2),
        "curves.csv": results.curves.to_csv(index=False),
        "diagnostics.csv": results.diagnostics.to_csv(index=False),
        "summary.csv": results.summary.to_csv(index=False),
        "verdict.json": json.dumps(results.verdicts, indent=2, allow_nan=False),
    }
    for table in (results.published_differences, results.published_values):
        if table is not None:
            contents["published.csv"] = table.to_csv(index=False)
    for name, content in contents.items():
        atomic.write(results.folder / name, content)


def write_figures(results: ExperimentResults) -> list[str]:
    """Draw each of `pictures` into the run folder; return a line for each that failed.

    Whatever is wrong with a figure or with Matplotlib costs neither the results nor the other figures.
    """
    try:
        drawings = pictures(results)
    except Exception as error:  # Matplotlib's import may raise anything
        return [_failure(results.folder / "*.png", error)]
    failures = []
    for name, draw in drawings.items():
        try:
            atomic.write(results.folder / name, draw())
        except Exception as error:
            failures.append(_failure(results.folder / name, error))
    return failures


def _failure(path: Path, error: Exception) -> str:
    return f"{path}: not drawn: {' '.join(f'{type(error).__name__}: {error}'.split())}"


def _environment(results: ExperimentResults) -> dict[str, object]:
    """Describe this machine and the images, and count the trials by what made them, from their first to last date."""
    dates: dict[str, list[str]] = {}
    for _, result in results.trials:
        made_by = {key: value for key, value in result.provenance.items() if key != "date"}
        dates.setdefault(json.dumps(made_by), []).append(result.provenance["date"])
    return {
        **environment.describe(results.device),
        "data": (results.data.described if isinstance(results.data, Dataset) else results.data).model_dump(),
        "notes": list(results.notes),
        "trained_by": [
            {**json.loads(made_by), "trials": len(of), "first": min(of), "last": max(of)}
            for made_by, of in dates.items()
        ],
    }


def pictures(results: ExperimentResults) -> dict[str, Callable[[], bytes]]:
    """Return functions that draw the figures of a run folder, by the names of the PNG files that they return.

    Without a grid: loss.png and accuracy.png (curves), and for four or more variants with several seeds ranking.png
    (gain of each on the baseline, or else on the first). With a grid: curves.png (test set), training_curves.png
    (training set) and, for two or more variants, difference.png (paired differences). Where parameters were kept:
    weights.png, affine.png, affine_epochs.png (`plots.parameters`).
    """
    from bnrenorm.analysis.plots import pages, parameters  # not above: results need no Matplotlib
    from bnrenorm.analysis.plots.names import plain

    experiment, curves = results.experiment, results.curves
    drawings: dict[str, Callable[[], bytes]] = {}
    seeds = len(experiment.seeds)
    if len(experiment.points) == 1:
        spread = f"mean of {seeds} seeds, band from minimum to maximum" if seeds > 1 else f"seed {experiment.seeds[0]}"
        diverged = Counter(trial.variant for trial, result in results.trials if result.outcome == "diverged")
        spread += "".join(f"; {plain(name)} diverged in {count} of {seeds}" for name, count in diverged.items())
        for value, ylim in (("loss", (0, 4)), ("accuracy", (0, 1))):
            title = f"{value.capitalize()}: {experiment.name} ({spread})"
            drawings[f"{value}.png"] = partial(pages.training_and_test, curves, value, title, ylim)
        if len(experiment.variants) >= _RANKED and seeds > 1:
            base = experiment.baseline or experiment.variants[0]
            drawings["ranking.png"] = partial(pages.ranking, results.verdicts, base, experiment.name)
    else:
        keys = [key for key, _ in experiment.points[0]]
        for file, split in (("curves.png", "test"), ("training_curves.png", "train")):
            drawings[file] = partial(pages.over_grid, curves, keys, split, experiment.name)
        if results.verdicts:
            verdicts, summary = results.verdicts, results.summary
            drawings["difference.png"] = partial(pages.differences, verdicts, summary, experiment.name)
    if any(result.parameters for _, result in results.trials):
        drawings |= parameters.pictures(results.trials)
    return drawings
