"""What a finished comparison leaves: the files of its run folder, as docs/outputs.md lists them."""

import json
from collections import Counter

from bnrenorm import atomic, environment
from bnrenorm.analysis.plots import pages, parameters
from bnrenorm.analysis.results import ExperimentResults

_RANKED = 4  # variants from which on a ranking is drawn


def write(results: ExperimentResults) -> None:
    """Write the tables, the verdicts and the figures into the run's folder.

    environment.json, curves.csv, summary.csv, diagnostics.csv, verdict.json, published.csv where the experiment names a
    published table, and the figures of `pictures`.
    """
    contents: dict[str, str | bytes] = {
        "environment.json": json.dumps(_environment(results), indent=2),
        "curves.csv": results.curves.to_csv(index=False),
        "diagnostics.csv": results.diagnostics.to_csv(index=False),
        "summary.csv": results.summary.to_csv(index=False),
        "verdict.json": json.dumps(results.verdicts, indent=2, allow_nan=False),
    }
    for table in (results.published_differences, results.published_values):
        if table is not None:
            contents["published.csv"] = table.to_csv(index=False)
    contents |= pictures(results)
    for name, content in contents.items():
        atomic.write(results.folder / name, content)


def _environment(results: ExperimentResults) -> dict[str, object]:
    """Describe this machine, the images, and what trained the trials: now, or when their results were stored."""
    made_by = Counter(json.dumps(result.provenance) for _, result in results.trials)
    return {
        **environment.describe(results.device),
        "data": {"source": results.data.source, "checksum": results.data.checksum},
        "trained_by": [{**json.loads(text), "trials": count} for text, count in made_by.items()],
    }


def pictures(results: ExperimentResults) -> dict[str, bytes]:
    """Draw all figures of a run folder, as PNG by file name.

    loss.png and accuracy.png show the curves, and ranking.png what each of several variants gains on the first. Over a
    grid there are curves.png of the test set, training_curves.png of the training set, and difference.png of the paired
    differences instead. weights.png, affine.png and affine_epochs.png show what was learned, where it was kept.
    """
    experiment, curves, found = results.experiment, results.curves, dict[str, bytes]()
    seeds = len(experiment.seeds)
    if len(experiment.points) == 1:
        spread = f"mean of {seeds} seeds, band from least to greatest" if seeds > 1 else f"seed {experiment.seeds[0]}"
        for value, ylim in (("loss", (0, 4)), ("accuracy", (0, 1))):
            title = f"{value.capitalize()}: {experiment.name} ({spread})"
            found[f"{value}.png"] = pages.training_and_test(curves, value, title, ylim)
        if len(experiment.variants) >= _RANKED and seeds > 1:
            found["ranking.png"] = pages.ranking(results.verdicts, experiment.variants[0], experiment.name)
    else:
        keys = [key for key, _ in experiment.points[0]]
        for file, split in (("curves.png", "test"), ("training_curves.png", "train")):
            found[file] = pages.over_grid(curves, keys, split, experiment.name)
        if results.verdicts:
            found["difference.png"] = pages.differences(results.verdicts, results.summary, experiment.name)
    if any(result.parameters for _, result in results.trials):
        found |= parameters.pictures(results.trials)
    return found
