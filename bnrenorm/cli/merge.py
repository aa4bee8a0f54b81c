"""`bnrenorm merge`: the trials of several folders of results in one."""

from pathlib import Path
from typing import Annotated

import typer

from bnrenorm.numbers import counted


def merge(
    folders: Annotated[list[Path], typer.Argument(help="Folders of results, as --out of other commands or machines.")],
    out: Annotated[Path, typer.Option(help="Folder of results that gets their trials.")] = Path("runs"),
) -> None:
    """Bring the trials of several folders of results together; trains nothing.

    For shards and seeds that were trained on several machines. A trial is taken only if its file is as it was written,
    and one that is there already is kept. Then the command that names the experiment compares them all.
    """
    from bnrenorm.cli.printer import Printer
    from bnrenorm.config.seeds import option
    from bnrenorm.runs import merging, run_folder
    from bnrenorm.runs.store import Store

    merged, printer = merging.merge([Store(folder) for folder in folders], Store(out)), Printer()
    for path in merged.damaged:
        printer.say(f"Note: {path} is not as it was written, and left out.")
    printer.say(f"{counted(merged.added, 'trial')} added to {out}; {merged.present} there already.")
    for run in merged.runs:
        options = [] if run.seeds is None else [option(run.seeds)]
        options += [run.backend.options] if run.backend else []
        command = run_folder.command(run.folders[0], out, *options)
        runs = " and ".join(map(str, run.folders))
        others = f", and {run.others} of another version of bnrenorm" if run.others else ""
        rest = "" if run.there == run.trials else "trains the rest and "
        printer.say(f"{runs}: {run.there} of {run.trials} trials{others}; {command} {rest}compares them")
