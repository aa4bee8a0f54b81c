"""The commands of `bnrenorm`: parse, call, print. Their docstrings are the help texts."""

import io
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import bnrenorm
from bnrenorm.cli import startup
from bnrenorm.errors import InputError
from bnrenorm.runs.interrupt import Interrupted

if TYPE_CHECKING:
    from bnrenorm.data.dataset import Dataset

app = typer.Typer(
    name="bnrenorm", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
data_app = typer.Typer(no_args_is_help=True, help="The 70,000 digits that come with bnrenorm, or images of your own.")
app.add_typer(data_app, name="data")

# Typer bundles its own copy of Click without exporting it: this is the base class of its usage errors.
_UsageError: Any = typer.BadParameter.__base__
_INTERRUPTED = 130

DataPath = Annotated[str | None, typer.Option("--path", help="Your images, as in data.path; default: MNIST.")]
FirstLabel = Annotated[int, typer.Option(min=0, max=1, help="Label of the first class, as in data.first_label.")]


def main() -> None:
    """Run the command line.

    Bad input is one line on standard error and exit code 2, a failing disk or figure one line and exit code 1.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # there are encodings without the sign in "0.2 ± 0.1"
    try:
        code = app(standalone_mode=False)
    except InputError as error:
        _fail(str(error), 2)
    except _UsageError as error:
        _fail(f"{error.format_message()} (bnrenorm --help)", 2)
    except OSError as error:
        _fail(f"{error}; finished trials are kept, the same command goes on from them", 1)
    except Interrupted:
        _fail("interrupted; everything is saved, the same command goes on from here", _INTERRUPTED)
    else:
        if code == _INTERRUPTED:  # Typer's own answer to a KeyboardInterrupt
            _fail("interrupted; the same command goes on from the last checkpoint", code)
        sys.exit(code)


def _fail(message: str, code: int) -> None:
    print(f"bnrenorm: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Compare batch normalisation with batch renormalisation: paired seeds, intervals and a verdict."""
    if version:
        print(bnrenorm.__version__)
        raise typer.Exit


@app.command()
def compare(
    config: Annotated[
        str, typer.Argument(help="A shipped config (bnrenorm list), a YAML file, or a run's experiment.yaml.")
    ] = "compare",
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; may be repeated.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="How many seeds: 0, 1, ..., N-1.")] = None,
    baseline: Annotated[str | None, typer.Option(help="Compare the other variants with this one only.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda:N.")] = "auto",
    engine: Annotated[
        str, typer.Option(help="auto, cpu or cuda (compiled kernels), or chainer (the reference).")
    ] = "auto",
    tf32: Annotated[bool, typer.Option("--tf32", help="On a GPU: round the operands of products to TF32.")] = False,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("runs"),
    memory: Annotated[str | None, typer.Option(help="Memory limit, e.g. 4GiB; default: half of what is free.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be trained, and how long it takes.")
    ] = False,
) -> None:
    """Train every variant and seed of an experiment, print the comparison and leave a run folder.

    Trials that were trained before, by this or any other experiment in the same --out, are not trained again. A figure
    that cannot be drawn costs exit code 1, but nothing else.
    """
    from bnrenorm import config as configs
    from bnrenorm.data import dataset
    from bnrenorm.engines import backend

    options = {"seeds": seeds, "baseline": baseline}
    experiment = configs.load(config, assignments, {key: value for key, value in options.items() if value is not None})
    background = ThreadPoolExecutor(1)  # reads and imports while this thread is busy: see `startup`
    images = background.submit(dataset.load, experiment.data)
    chosen = backend.choose(engine, device, tf32=tf32)

    from bnrenorm.cli.progress import Screen
    from bnrenorm.runs import session
    from bnrenorm.runs.memory import parse_memory

    bound, screen = parse_memory(memory), Screen()
    background.submit(startup.import_analysis)
    if dry_run:
        from bnrenorm.runs.store import Store

        data = images.result()
        todo = session.rehearse(experiment, data, Store(out), bound, chosen)
        screen.opening(experiment, list(todo.keys), data, chosen)
        screen.rehearsal(todo, data, chosen)
        return

    failures: list[str] = []

    def leave(outcome: session.Outcome) -> None:
        from bnrenorm import api
        from bnrenorm.analysis import outputs
        from bnrenorm.analysis.report import write as report
        from bnrenorm.cli import summary

        results = api.results_of(outcome)
        outputs.write_tables(results)
        summary.show(screen, results)
        failures.extend(outputs.write_figures(results))
        failures.extend(report.write(results))

    session.run(experiment, chosen, out, memory=bound, watcher=screen, leave=leave, load=lambda _: images.result())
    for failure in failures:
        print(f"bnrenorm: {failure}", file=sys.stderr)
    if failures:
        raise typer.Exit(1)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="A run folder; two are shown side by side.")],
    show: Annotated[bool, typer.Option("--open", help="Open the report in the browser.")] = False,
    save: Annotated[
        Path | None, typer.Option(help="HTML file to write; default: report.html in the run folder.")
    ] = None,
) -> None:
    """Write the report of a run, or of two side by side, from what is stored; trains nothing.

    One HTML file that needs no network: verdict, interactive charts, tables, settings, provenance.
    """
    from bnrenorm.cli import report as reports

    print(reports.make(runs, save, open_it=show))


@app.command(name="list")
def list_configs() -> None:
    """List the shipped configs, each with the question that it answers."""
    from bnrenorm import config as configs

    shipped = configs.shipped()
    width = max(map(len, shipped))
    for name, path in shipped.items():
        print(f"{name:{width}}  {configs.question(path)}")


@app.command()
def doctor(
    device: Annotated[str, typer.Option(help="cuda or cuda:N: prove that the CUDA engine works there.")] = "cpu",
) -> None:
    """Check the installation and print a fix for whatever is wrong; exit code 1 if anything is.

    With --device cuda a GPU is put to the test, which takes a minute or two: every kernel against float64 formulas,
    trainings against the CPU, bits, memory and speed, as a table in Markdown that an issue can quote.
    """
    from bnrenorm.cli import doctor as checks

    if device != "cpu":
        _prove("cuda:0" if device == "cuda" else device)
        return

    findings = checks.examine()
    for finding in findings:
        print(f"{'ok  ' if finding.ok else 'BAD '} {finding.name:10} {finding.detail}")
        if finding.fix:
            print(f"     {'':10} {'to improve' if finding.ok else 'to fix'}: {finding.fix}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _prove(device: str) -> None:
    from bnrenorm.cli import proof
    from bnrenorm.cli.proof.rows import HEAD
    from bnrenorm.engines import device as devices

    device, _ = devices.choose(device)
    if device == "cpu":
        raise InputError("--device auto: expected cuda or cuda:N")
    print(HEAD)
    failed = 0
    for row in proof.prove(device):
        print(row, flush=True)
        failed += not row.ok
    if failed:
        raise typer.Exit(1)


def _load(path: str | None, first_label: int) -> "Dataset":
    from bnrenorm.config.schema import Data
    from bnrenorm.data import dataset

    return dataset.load(Data.model_validate({"path": path, "first_label": first_label}))


@data_app.command()
def export(folder: Path, path: DataPath = None, first_label: FirstLabel = 0) -> None:
    """Write the images as four gzipped IDX files: MNIST's own *-ubyte.gz, or those of another type where it needs one.

    The labels in them start from 0.
    """
    from bnrenorm.data import files

    for file in files.export(_load(path, first_label).arrays, folder):
        print(file)


@data_app.command()
def verify(path: DataPath = None, first_label: FirstLabel = 0) -> None:
    """Load the images, check them, and print their shapes and checksums."""
    import hashlib

    from bnrenorm.data import files, idx, mnist

    data = _load(path, first_label)
    for name, array in data.arrays.items():
        stem = files.idx_name(name, array)
        md5 = hashlib.md5(idx.encode(array), usedforsecurity=False).hexdigest()
        canonical = "the original" if md5 == mnist.MD5.get(stem) else "not MNIST's original"
        print(f"{name:8} {array.shape!s:16} {array.dtype}  {stem} md5 {md5} ({canonical})")
    print(f"sha256 of all: {data.checksum}")
    if path is None:
        print(mnist.LICENCE)


@data_app.command()
def show(
    index: Annotated[int, typer.Option(help="Which image, from 0.")] = 0,
    save: Annotated[Path, typer.Option(help="PNG file to write.")] = Path("digit.png"),
    test: Annotated[bool, typer.Option("--test", help="Take the test set instead of the training set.")] = False,
    path: DataPath = None,
    first_label: FirstLabel = 0,
) -> None:
    """Draw one image with its label."""
    from bnrenorm import atomic
    from bnrenorm.analysis.plots import pages

    data = _load(path, first_label)
    split, images, labels = ("test", data.x_test, data.y_test) if test else ("train", data.x_train, data.y_train)
    if not 0 <= index < len(images):
        raise InputError(f"--index {index}: expected 0 to {len(images) - 1}")
    if images.ndim != 3:
        raise InputError(f"{data.source}: images have shape {images.shape[1:]}, expected (height, width) to draw one")
    try:
        atomic.write(save, pages.digit(images[index], int(labels[index])))
    except OSError as error:
        raise InputError(f"--save {save}: cannot be written: {error.strerror}") from error
    print(f"{split} image {index}: label {labels[index]}, drawn in {save}")
