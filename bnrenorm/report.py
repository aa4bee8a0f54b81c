"""What a finished comparison leaves behind: the files of its run folder."""

import json
from pathlib import Path

from bnrenorm import atomic, environment, figures, portraits
from bnrenorm.api import Results

_RANKED = 4  # variants of which a ranking is drawn


def write(folder: Path, results: Results) -> None:
    """Write environment.json, curves.csv, summary.csv, diagnostics.csv, verdict.json, and the figures.

    published.csv has published differences beside the measured ones, where the experiment names a published table.
    loss.png and accuracy.png show the curves, or over a grid curves.png the test set's and training_curves.png the
    training set's; difference.png shows the paired differences there,
    ranking.png what each of several variants gains on the first;
    weights.png, affine.png and affine_epochs.png what was learned, where it was kept.
    """
    data = results.data
    ran_on = {
        **environment.describe(results.device),
        "kernels": results.kernels,
        "data": {"source": data.source, "checksum": data.checksum},
    }
    contents: dict[str, str | bytes] = {
        "environment.json": json.dumps(ran_on, indent=2),
        "curves.csv": results.curves.to_csv(index=False),
        "diagnostics.csv": results.diagnostics.to_csv(index=False),
        "summary.csv": results.summary.to_csv(index=False),
        "verdict.json": json.dumps(results.verdicts, indent=2, allow_nan=False),
    }
    for table in (results.directions, results.beside):
        if table is not None:
            contents["published.csv"] = table.to_csv(index=False)
    contents |= pictures(results)
    for name, content in contents.items():
        atomic.write(folder / name, content)


def pictures(results: Results) -> dict[str, bytes]:
    """Draw all figures of a run folder, as PNG by file name."""
    experiment, curves, found = results.experiment, results.curves, dict[str, bytes]()
    seeds = len(experiment.seeds)
    if len(experiment.points) == 1:
        spread = f"mean of {seeds} seeds, band from least to greatest" if seeds > 1 else f"seed {experiment.seeds[0]}"
        for value, ylim in (("loss", (0, 4)), ("accuracy", (0, 1))):
            title = f"{value.capitalize()}: {experiment.name} ({spread})"
            found[f"{value}.png"] = figures.training_and_test(curves, value, title, ylim)
        if len(experiment.variants) >= _RANKED and seeds > 1:
            found["ranking.png"] = figures.ranking(results.verdicts, experiment.variants[0], experiment.name)
    else:
        keys = [key for key, _ in experiment.points[0]]
        for file, split in (("curves.png", "test"), ("training_curves.png", "train")):
            found[file] = figures.over_grid(curves, keys, split, experiment.name)
        if results.verdicts:
            found["difference.png"] = figures.differences(results.verdicts, results.summary, experiment.name)
    if any(result.parameters for _, result in results.trials):
        found |= portraits.pictures(results.trials)
    return found
