"""What a person sees when a comparison has ended: the table of all variants, the verdicts, and where the files are."""

from bnrenorm.analysis import published
from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.cli import tables
from bnrenorm.cli.progress import Screen


def show(screen: Screen, results: ExperimentResults) -> None:
    """Print the tables and verdicts, and name the run folder."""
    if results.published_values is not None:
        screen.console.print(tables.published_values(results.published_values), soft_wrap=False)
        screen.say(published.count(results.published_values))
    else:
        screen.console.print(tables.summary(results.summary), soft_wrap=False)
    if len(results.experiment.variants) > 1 and len(results.experiment.points) > 1:
        screen.console.print(tables.verdicts(results.verdicts), soft_wrap=False)
    else:
        for verdict in results.verdicts:
            screen.say(verdict["sentence"])
    if results.published_differences is not None:
        screen.console.print(tables.published_differences(results.published_differences), soft_wrap=False)
    if results.published is not None:
        screen.say(f"Published: {results.published.source}")
    identical = [verdict for verdict in results.verdicts if verdict["verdict"] == "identical by construction"]
    if identical:
        largest = max(abs(value) for verdict in identical for value in verdict["differences"])
        screen.say(
            f"The trained networks agree where they are identical by construction: largest difference in test "
            f"accuracy {100 * largest:.2f} points."
        )
    screen.say(f"Curves, tables and figures: {results.folder}")
