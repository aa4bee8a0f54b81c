"""What a finished comparison leaves behind: the files of its run folder."""

import json
from pathlib import Path

from bnrenorm import atomic, environment, figures
from bnrenorm.api import Results


def write(folder: Path, results: Results) -> None:
    """Write environment.json, curves.csv, summary.csv, diagnostics.csv, verdict.json, and the figures.

    published.csv has published differences beside the measured ones, where the experiment names a published table.
    loss.png and accuracy.png show the curves, or curves.png over a grid, difference.png the paired differences there;
    weights.png and affine.png the final parameters, where they were kept.
    """
    data, experiment = results.data, results.experiment
    ran_on = {
        **environment.describe(results.device),
        "kernels": results.kernels,
        "data": {"source": data.source, "checksum": data.checksum},
    }
    curves = results.curves
    contents: dict[str, str | bytes] = {
        "environment.json": json.dumps(ran_on, indent=2),
        "curves.csv": curves.to_csv(index=False),
        "diagnostics.csv": results.diagnostics.to_csv(index=False),
        "summary.csv": results.summary.to_csv(index=False),
        "verdict.json": json.dumps(results.verdicts, indent=2, allow_nan=False),
    }
    if len(experiment.points) == 1:
        seeds = len(experiment.seeds)
        spread = f"mean of {seeds} seeds, band from least to greatest" if seeds > 1 else f"seed {experiment.seeds[0]}"
        for value, ylim in (("loss", (0, 4)), ("accuracy", (0, 1))):
            title = f"{value.capitalize()}: {experiment.name} ({spread})"
            contents[f"{value}.png"] = figures.training_and_test(curves, value, title, ylim)
    else:
        contents["curves.png"] = figures.over_grid(curves, [key for key, _ in experiment.points[0]], experiment.name)
    if len(experiment.points) > 1 and results.verdicts:
        contents["difference.png"] = figures.differences(results.verdicts, results.summary, experiment.name)
    for table in (results.directions, results.beside):
        if table is not None:
            contents["published.csv"] = table.to_csv(index=False)
    if any(result.parameters for _, result in results.trials):
        contents |= figures.parameters(results.trials)
    for name, content in contents.items():
        atomic.write(folder / name, content)
