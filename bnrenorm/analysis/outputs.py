"""The files that a finished comparison leaves in its run folder: tables, verdicts, figures and the report."""

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bnrenorm import atomic, disk, environment
from bnrenorm.analysis.report import write as report
from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.errors import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bnrenorm.analysis.plots.limits import AxesChoice

_PUBLISHED = "published.csv"
_RANKED = 4  # draw a ranking from this many variants on


def write_tables(results: ExperimentResults) -> None:
    """Write the tables and the verdicts into the run folder, each file atomically.

    environment.json, curves.csv, diagnostics.csv, summary.csv, verdict.json, and published.csv where the experiment
    names a published table that has something to compare with. Raises OSError if the disk fails.
    """
    contents = {
        "environment.json": json.dumps(_environment(results), indent=2),
        "curves.csv": results.curves.to_csv(index=False),
        "diagnostics.csv": results.diagnostics.to_csv(index=False),
        "summary.csv": results.summary.to_csv(index=False),
        "verdict.json": json.dumps(results.verdicts, indent=2, allow_nan=False),
    }
    for table in (results.published_differences, results.published_values):
        if table is not None and not table.empty:
            contents[_PUBLISHED] = table.to_csv(index=False)
    for name, content in contents.items():
        atomic.write(results.folder / name, content)
    if _PUBLISHED not in contents:
        disk.delete(results.folder / _PUBLISHED)  # of a run of the same trials that named a table


def write_figures(results: ExperimentResults, axes: "AxesChoice" = "effect") -> list[str]:
    """Draw each of `figures` into the run folder, as PNG and SVG; return a line for each figure that failed.

    Whatever is wrong with a figure or with Matplotlib costs neither the results nor the other figures.
    """
    try:
        from bnrenorm.analysis.plots import style  # not above: results need no Matplotlib

        drawings = figures(results, axes)
    except Exception as error:  # Matplotlib's import may raise anything
        return [_failure(results.folder / "*.png", error)]
    failures = []
    for name, draw in drawings.items():
        path = results.folder / f"{name}.png"
        try:
            figure = draw()
            atomic.write(path, style.png(figure))
            path = path.with_suffix(".svg")
            atomic.write(path, style.svg(figure))
        except Exception as error:
            failures.append(_failure(path, error))
    return failures


def write_pictures(results: ExperimentResults, axes: "AxesChoice" = "effect") -> list[str]:
    """Draw the figures and write the report; return a line for each that failed. axes: as in `figures`."""
    return [*write_figures(results, axes), *report.write(results)]


def _failure(path: Path, error: Exception) -> str:
    return f"{path}: not drawn: {one_line(error)}"


def _environment(results: ExperimentResults) -> dict[str, object]:
    """Describe this machine and the images, and count the trials by what made them, from their first to last date."""
    dates: dict[str, list[str]] = {}
    for _, result in results.trials:
        made_by = {key: value for key, value in result.provenance.items() if key != "date"}
        dates.setdefault(json.dumps(made_by), []).append(result.provenance["date"])
    return {
        **environment.describe(results.device),
        "data": results.data.model_dump(),
        "notes": list(results.notes),
        "trained_by": [
            {**json.loads(made_by), "trials": len(of), "first": min(of), "last": max(of)}
            for made_by, of in dates.items()
        ],
    }


def figures(results: ExperimentResults, choice: "AxesChoice") -> "dict[str, Callable[[], Figure]]":
    """Return functions that draw the figures of a run folder by their names, the one that shows the effect first.

    effect (what is compared, for two variants or a grid); loss and accuracy without a grid, or curves (test set) and
    training_curves (training set) with one; difference (paired, by step) where `effect` does not show it; diagnostics
    where a variant normalises by batches; and where parameters were kept weights, affine, affine_epochs
    (`plots.parameters`). choice: axes "effect", on which small differences are seen, or "article" (`plots.limits`).
    """
    from bnrenorm.analysis.plots import diagnostics, effects, pages, parameters

    experiment, curves = results.experiment, results.drawn.curves
    name, verdicts = experiment.name, results.verdicts
    drawings: dict[str, Callable[[], Figure]] = {}
    keys = [key for key, _ in experiment.points[0]]
    if len(experiment.points) == 1:
        few = len(experiment.variants) < _RANKED
        if verdicts and few:
            judged = "best on validation" if results.stops_early else "at the end"
            drawings["effect"] = partial(effects.by_steps, curves, verdicts, name, choice, judged)
        elif verdicts:
            base = experiment.baseline or verdicts[0]["a"]  # the first variant may have no results
            on_base = [verdict for verdict in verdicts if base in (verdict["a"], verdict["b"])]
            drawings["effect"] = partial(effects.ranking, on_base, base, name)
            drawings["difference"] = partial(effects.differences_by_step, curves, on_base, [], name)
        for value in ("loss", "accuracy"):
            best = "; verdicts: best on validation" if results.stops_early else ""
            title = f"{value.capitalize()}: {name} ({pages.spread_of(curves)}{_diverged(results)}{best})"
            drawings[value] = partial(pages.training_and_test, curves, value, title, choice, results.loss)
    else:
        varying = [key for key in keys if len({dict(point)[key] for point in experiment.points}) > 1]
        summary = results.summary
        if len(varying) > 1:
            drawings["effect"] = partial(effects.over_axes, verdicts, summary, varying, name)
        else:
            drawings["effect"] = partial(effects.over_axis, verdicts, summary, varying[0], name)
        for file, split in (("curves", "test"), ("training_curves", "train")):
            drawings[file] = partial(pages.over_grid, curves, keys, split, name, choice)
        if verdicts:
            drawings["difference"] = partial(effects.differences_by_step, curves, verdicts, keys, name)
    if {"training_mode_accuracy", "inference_mode_accuracy"} <= set(results.diagnostics):
        trials = [trial for trial, _ in results.trials]
        drawings["diagnostics"] = partial(diagnostics.figure, results.drawn.diagnostics, trials, name)
    if any(result.parameters for _, result in results.trials):
        drawings |= parameters.pictures(results.drawn.trials)
    return drawings


def _diverged(results: ExperimentResults) -> str:
    from bnrenorm.analysis.plots.names import plain

    diverged = Counter(trial.variant for trial, result in results.trials if result.outcome == "diverged")
    seeds = len(results.experiment.seeds)
    return "".join(f"; {plain(name)} diverged in {count} of {seeds}" for name, count in diverged.items())
