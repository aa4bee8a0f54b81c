"""What a person sees when a comparison has ended: the table of all variants, the verdicts, and where the files are."""

from pathlib import Path

from bnrenorm import beside, layouts
from bnrenorm.api import Results
from bnrenorm.terminal import Screen


def show(screen: Screen, results: Results, folder: Path) -> None:
    """Print the tables and verdicts, and name the run folder."""
    if results.beside is not None:
        screen.console.print(layouts.beside(results.beside), soft_wrap=False)
        screen.say(beside.count(results.beside))
    else:
        screen.console.print(layouts.summary(results.summary), soft_wrap=False)
    if len(results.experiment.variants) > 1 and len(results.experiment.points) > 1:
        screen.console.print(layouts.verdicts(results.verdicts), soft_wrap=False)
    else:
        for verdict in results.verdicts:
            screen.say(verdict["sentence"])
    if results.directions is not None:
        screen.console.print(layouts.directions(results.directions), soft_wrap=False)
    if results.published is not None:
        screen.say(f"Published: {results.published.source}")
    identical = [each for each in results.verdicts if each["verdict"] == "identical by construction"]
    if identical:
        largest = max(abs(value) for each in identical for value in each["differences"])
        screen.say(
            f"The trained networks agree where they are identical by construction: largest difference in test "
            f"accuracy {100 * largest:.2f} points."
        )
    screen.say(f"Curves, tables and figures: {folder}")
