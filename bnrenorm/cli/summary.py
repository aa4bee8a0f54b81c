"""The end of a comparison: the table of the variants, the verdicts and the path of the files, or JSON for programs."""

import json

from bnrenorm.analysis import published
from bnrenorm.analysis.report import write as report
from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.analysis.verdicts import IDENTICAL
from bnrenorm.cli import tables
from bnrenorm.cli.progress import Screen
from bnrenorm.numbers import number

_SENTENCES = 1  # print more comparisons than this as a table


def show(screen: Screen, results: ExperimentResults) -> None:
    """Print the summary or the published values, the verdicts, the published differences, and the run folder."""
    if results.published_values is not None:
        screen.table(tables.published_values(results.published_values))
        screen.say(published.count(results.published_values))
    else:
        screen.table(tables.summary(results.final))
        if remark := results.training_values:
            screen.tell(remark)
    if len(results.verdicts) > _SENTENCES:
        screen.table(tables.verdicts(results.verdicts))
    else:
        for verdict in results.verdicts:
            screen.say(verdict["sentence"])
    for caution in results.cautions:
        screen.say(f"Caution: {caution}.")
    against_published = results.published_differences
    if against_published is not None and not against_published.empty:
        screen.table(tables.published_differences(against_published))
    if results.published is not None:
        screen.say(f"Published: {results.published.source}")
    identical = [verdict for verdict in results.verdicts if verdict["verdict"] == IDENTICAL]
    differences = [abs(value) for verdict in identical for value in verdict["differences"]]
    if differences:
        screen.say(
            f"Where variants are {IDENTICAL}, their measured test accuracies differ by at most "
            f"{number(100 * max(differences), '.2f')} points."
        )
    screen.say(f"Report, next to tables and figures: {results.folder / report.FILE}")


def document(results: ExperimentResults) -> str:
    """Return the verdicts as JSON, with the experiment's name, variants, seeds, device and run folder."""
    experiment = results.experiment
    content = {
        "experiment": experiment.name,
        "variants": experiment.variants,
        "seeds": experiment.seeds,
        "device": results.device,
        "folder": str(results.folder),
        "verdicts": results.verdicts,
    }
    return json.dumps(content, indent=2, allow_nan=False)
