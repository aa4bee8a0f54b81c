"""`bnrenorm runs`: what a folder of results holds, and the removal of a run."""

import time
from pathlib import Path
from typing import Annotated

import typer

from bnrenorm.errors import InputError
from bnrenorm.numbers import counted, size


def list_runs(
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("runs"),
    remove: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="Remove this run, by its name or folder, and the trials that no other run uses."
        ),
    ] = None,
) -> None:
    """List the runs in a folder of results: whether finished, how many of the trials, what size, how old."""
    from bnrenorm.cli.printer import Printer
    from bnrenorm.cli.sheet import Sheet
    from bnrenorm.config import CONFIG_FILE
    from bnrenorm.runs import inventory, run_folder
    from bnrenorm.runs.store import Store

    printer, store = Printer(), Store(out)
    if remove is not None:
        run = Path(remove)
        remove = run.name if run.parent.resolve() == out.resolve() else remove
        gone = inventory.remove(store, remove)
        kept = f"; {counted(gone.kept, 'trial')} that other runs use or may use stay" if gone.kept else ""
        printer.say(f"{out / remove} removed, with {counted(gone.trials, 'trial')}: {size(gone.size)}{kept}")
        return
    if not out.is_dir():
        raise InputError(f"{out}: no such folder")
    runs, others = inventory.runs(store), inventory.of_no_run(store)
    of_none = f"{counted(len(others), 'trial')} in {store.trials} that no run lists, as of shards" if others else ""
    if not runs:
        printer.say(f"{out}: no runs{of_none and '; '}{of_none}")
        return
    trials = ["" if run.keys is None else f"{run.stored} of {len(run.keys)}" for run in runs]
    dates = [time.strftime("%Y-%m-%d %H:%M", time.localtime(run.written)) if run.written else "" for run in runs]
    sizes = [size(run.size) if run.written else "" for run in runs]  # nothing is known of one that is closed
    sheet = Sheet(f"runs in {out}")
    sheet.add("run", [run.folder.name for run in runs])
    sheet.add("state", [run.state for run in runs])
    sheet.add("trials", trials, rank=2, is_number=True)
    sheet.add("size", sizes, rank=1, is_number=True)
    sheet.add("last written", dates, rank=0)
    printer.table(sheet)
    printer.say(
        "Sizes include trials and checkpoints, which runs may share. "
        "--remove RUN removes a run with those that are its alone."
    )
    if of_none:
        printer.say(f"There {'is' if len(others) == 1 else 'are'} {of_none}.")
    unfinished = [run.folder for run in runs if run.state == "unfinished" and run_folder.can_go_on(run.folder)]
    if unfinished:
        printer.say(f"{run_folder.command(unfinished[-1] / CONFIG_FILE, out)} goes on with an unfinished run.")
