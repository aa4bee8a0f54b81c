"""The commands of `bnrenorm`: parse, call, print. Their docstrings are the help texts."""

import io
import shutil
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

import bnrenorm
from bnrenorm.cli import config as config_command
from bnrenorm.cli import data, doctor, listing, merge, startup
from bnrenorm.cli import runs as runs_command
from bnrenorm.cli.config import Assignments, Baseline, Seeds
from bnrenorm.errors import Hint, InputError
from bnrenorm.numbers import counted
from bnrenorm.runs import interrupt

_WIDTHS: dict[str, Any] = {"terminal_width": min(shutil.get_terminal_size().columns - 1, 100)}  # of help texts
app = typer.Typer(name="bnrenorm", pretty_exceptions_enable=False, rich_markup_mode=None, context_settings=_WIDTHS)
app.add_typer(data.app, name="data")

_INTERRUPTED = 130  # exit code
_ONCE_ALL_ARE = "Once all are, the command without --shard compares them; bnrenorm merge brings folders together."

# Typer bundles its own copy of Click without exporting it: this is the base class of its usage errors.
_UsageError: Any = typer.BadParameter.__base__
_python_format = warnings.formatwarning


def main() -> None:
    """Run the command line.

    Bad input is one line on standard error and exit code 2, a failing disk or figure one line and exit code 1.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # there are encodings without the sign in "0.2 ± 0.1"
    warnings.formatwarning = _format_warning
    try:
        code = app(standalone_mode=False, prog_name="bnrenorm")  # also of `python -m bnrenorm`
    except InputError as error:
        _fail(str(error), 2)
    except _UsageError as error:
        _fail(f"{error.format_message()} (bnrenorm --help)", 2)
    except OSError as error:
        _fail(str(error), 1)
    except MemoryError as error:
        _fail(f"out of memory ({error}); what is finished is stored; --memory 1GiB makes smaller groups", 1)
    except interrupt.Interrupted as error:
        _fail(f"interrupted; {error.saved}, the same command goes on from here", _INTERRUPTED)
    else:
        if code == _INTERRUPTED:  # Typer's own answer to a KeyboardInterrupt
            _fail("interrupted", code)
        sys.exit(code)


def _format_warning(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> str:
    """Return a hint as one line, and other warnings as Python writes them."""
    return f"bnrenorm: {message}\n" if issubclass(category, Hint) else _python_format(message, category, *place, **more)


def _fail(message: str, code: int) -> NoReturn:
    with interrupt.handled_by(lambda number, frame: None):  # a second Ctrl-C must not cost the line
        from bnrenorm.cli.printer import Printer

        with suppress(OSError):  # standard error may be full, or its terminal gone: the exit code says it
            Printer(stderr=True).say(f"bnrenorm: {' '.join(message.split())}")
    sys.exit(code)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Compare batch normalisation with batch renormalisation: paired seeds, intervals and a verdict."""
    if version:
        print(bnrenorm.__version__)
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def compare(
    config: Annotated[
        str,
        typer.Argument(
            help="A shipped config (bnrenorm list), a YAML file, or a run folder, to repeat the run.",
            autocompletion=listing.complete,
        ),
    ] = "compare",
    assignments: Assignments = None,
    seeds: Seeds = None,
    baseline: Baseline = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda (the first GPU) or cuda:N.")] = "auto",
    engine: Annotated[
        str, typer.Option(help="auto, cpu or cuda (compiled kernels), or chainer (the reference).")
    ] = "auto",
    tf32: Annotated[bool, typer.Option("--tf32", help="On a GPU: round the operands of products to TF32.")] = False,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("runs"),
    memory: Annotated[str | None, typer.Option(help="Memory limit, e.g. 4GiB; default: half of what is free.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Train in this many processes on this machine, one thread or GPU each.")
    ] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Train on a Dask cluster, such as tcp://scheduler:8786.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Train this part of the trials only, as a job of an array.")
    ] = None,
    axes: Annotated[
        Literal["effect", "article"],
        typer.Option(
            help="Axes of figures: effect zooms in on small differences; article has loss 0 to 4, accuracy 0 to 100 %."
        ),
    ] = "effect",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be trained, and how long it takes.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the verdicts as one JSON document, and progress on standard error.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only the results and the path of the report.")] = False,
) -> None:
    """Train every variant and seed of an experiment, print the comparison and leave a run folder.

    Trials that were trained before, by this or any other experiment in the same --out, are not trained again. A figure
    that cannot be drawn costs exit code 1, but nothing else.
    """
    from bnrenorm import config as configs
    from bnrenorm.data import dataset
    from bnrenorm.engines import backend

    if as_json and dry_run:
        raise InputError("--json: a --dry-run has no verdicts; leave out one of the two")
    if as_json and shard is not None:
        raise InputError(f"--json: --shard {shard} has no verdicts; leave out one of the two")
    options = {"seeds": seeds, "baseline": baseline}
    screen: Any = None
    is_trained = False
    try:
        experiment = configs.load(listing.in_folder(config, out), assignments, options=options)
        background = ThreadPoolExecutor(1)  # reads and imports while this thread is busy: see `startup`
        images = background.submit(dataset.load, experiment.data)
        chosen = backend.choose(engine, device, tf32=tf32)

        from bnrenorm.cli.progress import Screen
        from bnrenorm.runs import cluster as clusters
        from bnrenorm.runs import inventory
        from bnrenorm.runs import shard as shards
        from bnrenorm.runs.memory import parse_memory
        from bnrenorm.runs.session import Session

        cluster, part = clusters.chosen(workers, dask), None if shard is None else shards.parse(shard)
        bound = parse_memory(memory, chosen.device, clusters.processes(cluster))
        screen = Screen(is_quiet=quiet, stderr=as_json)
        background.submit(startup.import_analysis)
        if note := inventory.elsewhere(config, out):
            screen.note(note)
        session = Session(
            experiment, chosen, out, memory=bound, watcher=screen, load=lambda _: images.result(), cluster=cluster,
            shard=part,
        )  # fmt: skip
        failures: tuple[str, ...] = ()
        if dry_run:
            screen.rehearsal(session.rehearse())
        elif part is not None:
            stored, failures = session.train()
            screen.say(f"Shard {part}: {counted(stored, 'trial')} stored in {out}. {_ONCE_ALL_ARE}")
        else:
            with session.run() as outcome:
                is_trained = True
                with screen.working("comparing the results ..."):
                    from bnrenorm import api
                    from bnrenorm.analysis import outputs
                    from bnrenorm.cli import summary

                    results = api.results_of(outcome)
                    outputs.write_tables(results)
                if as_json:
                    screen.document(summary.document(results))
                else:
                    summary.show(screen, results)
                with screen.working("drawing figures and the report ..."):
                    failures = (*outcome.failures, *outputs.write_pictures(results, axes))
    except KeyboardInterrupt:
        has_begun = screen is not None and screen.has_begun
        how_far = "; the same command goes on from the last checkpoint" if has_begun else " before the training began"
        if is_trained:
            how_far = "; all that was trained is stored, the same command compares and draws it"
        _fail(f"interrupted{how_far}", _INTERRUPTED)
    except OSError as error:
        _fail(f"{error}; finished trials are kept, the same command goes on from them", 1)
    for failure in failures:
        print(f"bnrenorm: {failure}", file=sys.stderr)
    if failures or screen.is_closed:
        raise typer.Exit(1)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="A run folder, or its name in --out; two are shown side by side.")],
    show: Annotated[bool, typer.Option("--open", help="Open the report in the browser.")] = False,
    save: Annotated[
        Path | None,
        typer.Option(help="HTML file to write; default: report.html in the run folder, or A-and-B.html next to run A."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("runs"),
) -> None:
    """Write the report of a run, or of two side by side, from what is stored; trains nothing.

    One HTML file that needs no network: verdict, interactive charts, tables, settings, provenance.
    """
    from bnrenorm.cli import report as reports

    print(reports.make([reports.locate(run, out) for run in runs], save, open_it=show))


app.command(name="list")(listing.list_configs)
app.command(name="merge")(merge.merge)
app.command(name="doctor")(doctor.doctor)
app.command(name="config")(config_command.print_config)
app.command(name="runs")(runs_command.list_runs)
