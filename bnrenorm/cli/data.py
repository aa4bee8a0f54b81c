"""`bnrenorm data`: export, check and draw the images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bnrenorm.errors import InputError

if TYPE_CHECKING:
    from bnrenorm.data.dataset import Dataset

app = typer.Typer(help="The 70,000 digits that come with bnrenorm, or images of your own.")

DataPath = Annotated[str | None, typer.Option("--path", help="Your images, as in data.path; default: MNIST.")]
FirstLabel = Annotated[int, typer.Option(min=0, max=1, help="Label of the first class, as in data.first_label.")]


@app.callback(invoke_without_command=True)
def _data(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def _load(path: str | None, first_label: int) -> "Dataset":
    from bnrenorm.config.schema import Data
    from bnrenorm.data import dataset

    return dataset.load(Data.model_validate({"path": path, "first_label": first_label}))


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Folder to write the four files to; made if there is none.")],
    path: DataPath = None,
    first_label: FirstLabel = 0,
) -> None:
    """Write the images as four gzipped IDX files: MNIST's own *-ubyte.gz, or those of another type where it needs one.

    The labels in them start from 0.
    """
    from bnrenorm.data import files

    for file in files.export(_load(path, first_label).arrays, folder):
        print(file)


@app.command()
def verify(path: DataPath = None, first_label: FirstLabel = 0) -> None:
    """Load the images, check them, and print their shapes and checksums, and how even their classes are."""
    import hashlib

    import numpy as np

    from bnrenorm.cli.printer import Printer
    from bnrenorm.data import files, idx, mnist

    say, data = Printer().say, _load(path, first_label)
    for name, array in data.arrays.items():
        stem = files.idx_name(name, array)
        md5 = hashlib.md5(idx.encode(array), usedforsecurity=False).hexdigest()
        original = f"  {stem} md5 {md5} (the original)" if md5 == mnist.MD5.get(stem) else ""
        say(f"{name:8} {array.shape!s:16} {array.dtype}  {array.min():g} to {array.max():g}{original}")
    for split, labels in (("training", data.y_train), ("test", data.y_test)):
        counts = np.bincount(labels, minlength=data.classes)
        often = int(counts.argmax())
        share = 100 * counts[often] / len(labels)
        size = f"{counts.min()} to {counts.max()}" if counts.min() < counts.max() else f"{counts.max()}"
        say(f"{split} images a class: {size}; the most frequent label, {often + first_label}, has {share:.2f} %")
    say(f"sha256 of all: {data.checksum}")
    for line in [data.note, mnist.LICENCE if path is None else ""]:
        if line:
            say(line)


@app.command()
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
    if images.ndim != 3 and (images.ndim, images.shape[-1]) not in ((4, 3), (4, 4)):
        raise InputError(
            f"{data.source}: images have shape {images.shape[1:]}, expected (height, width), or with 3 or 4 colours "
            "as (height, width, 3), to draw one"
        )
    label = int(labels[index]) + first_label
    try:
        atomic.write(save, pages.digit(images[index], label))
    except OSError as error:
        raise InputError(f"--save {save}: cannot be written: {error.strerror}") from error
    print(f"{split} image {index}: label {label}, drawn in {save}")
