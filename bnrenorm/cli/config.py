"""`bnrenorm config`: a config with all its settings, explained."""

import shutil
from typing import Annotated

import typer

from bnrenorm.cli import listing

_WIDEST = 100  # characters of a line of comment

Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; may be repeated.")
]
Seeds = Annotated[int | None, typer.Option(min=1, help="How many seeds: 0, 1, ..., N-1.")]
Baseline = Annotated[str | None, typer.Option(help="Compare the other variants with this one only.")]


def print_config(
    config: Annotated[
        str, typer.Argument(help="A shipped config or a YAML file.", autocompletion=listing.complete)
    ] = "compare",
    assignments: Assignments = None,
    seeds: Seeds = None,
    baseline: Baseline = None,
) -> None:
    """Print a config with every setting, defaults included, each with its description as a comment.

    What is printed is a config too: saved to a file and given to `bnrenorm compare`, it repeats the run.
    """
    from bnrenorm import config as configs

    options = {"seeds": seeds, "baseline": baseline}
    experiment = configs.load(config, assignments, options=options)
    width = min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)
    print(experiment.as_config(width=width), end="")
