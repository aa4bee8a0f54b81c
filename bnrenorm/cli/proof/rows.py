"""Rows of the proof's table, and the small experiments that it trains."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from bnrenorm.config import Trial, document
from bnrenorm.config.build import build
from bnrenorm.data.dataset import Dataset, load
from bnrenorm.engines import device as devices
from bnrenorm.engines.precision import to_double
from bnrenorm.errors import one_line
from bnrenorm.training.loop import Training


@dataclass(frozen=True)
class Row:
    """A line of the table: what was checked, the result, what was expected (empty: nothing), and whether it is so."""

    check: str
    result: str
    expected: str = ""
    ok: bool = True

    def __str__(self) -> str:
        """Write the row in Markdown."""
        return f"| {self.check} | {self.result} | {self.expected} | {'ok' if self.ok else 'BAD'} |"


HEAD = "| check | result | expected | |\n| --- | --- | --- | --- |"


def below(check: str, value: float, limit: float) -> Row:
    """Return the row of an error that should be below a limit; NaN is not."""
    return Row(check, f"{value:.1e}", f"below {limit:.0e}", bool(value < limit))


def guarded(check: str, rows: Iterator[Row]) -> Iterator[Row]:
    """Yield the rows of a check, a generator; if it raises, a row that says so: the checks behind it still run."""
    try:
        yield from rows
    except Exception as error:  # whatever a GPU and its libraries may raise is a result
        yield Row(check, one_line(error), "no error", False)


def trials(text: str, data: Dataset) -> list[Trial]:
    """Return the trials of an experiment, without its name: lines `key: value`, keys with dots among them."""
    parsed = document.parse("name: proof", "proof")
    for line in text.splitlines():
        parsed.override(line.replace(": ", "=", 1))
    return build(parsed).trials(len(data.x_train), data.classes)


@cache
def digits(train: int, test: int) -> Dataset:
    """Return the first of the digits that come with bnrenorm."""
    full = load()
    return Dataset(full.x_train[:train], full.y_train[:train], full.x_test[:test], full.y_test[:test], "digits")


@cache
def noise(images: int, inputs: int, classes: int) -> Dataset:
    """Return random images of `inputs` pixels, half of them black, with random labels."""
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (images, inputs), np.uint8) * random.integers(0, 2, (images, inputs), np.uint8)
    y = np.arange(images, dtype=np.uint8) % classes
    return Dataset(x, y, x, y, "noise")


def cuda_training(
    group: list[Trial], data: Dataset, device: str, *, double: bool = False, check: bool = False
) -> Training:
    """Return a training by the CUDA engine; in float64 with `double`, every launch compared with `check`."""
    from bnrenorm.engines.cuda.checked import Checked
    from bnrenorm.engines.cuda.engine import CudaEngine
    from bnrenorm.engines.cuda.launches import Launches

    training = Training(group, data, engine="chainer", device=device)
    with devices.using(device):
        replicas, inputs = training.engine.replicas, training.engine.inputs
        if double:
            to_double(replicas, inputs)
        if check:
            _set_biases(replicas.network)
        launches = Launches(np.float64 if double else np.float32)
        training.engine = CudaEngine(replicas, inputs, ops=Checked(launches) if check else launches)
    return training


def _set_biases(network: Any) -> None:
    """Set all biases to random numbers: 0 hides errors, and where a norm cancels them, rounding alone moves it."""
    random = np.random.default_rng(0)
    for linear in network.linears:
        values = random.standard_normal(linear.b.shape).astype(linear.b.dtype)
        linear.b.array[...] = network.xp.asarray(values)


def double_reference(group: list[Trial], data: Dataset) -> Training:
    """Return a training by the Chainer engine in float64 on the CPU."""
    from bnrenorm.engines.chainer import ChainerEngine

    training = Training(group, data, engine="chainer")
    replicas, inputs = training.engine.replicas, training.engine.inputs
    to_double(replicas, inputs)
    training.engine = ChainerEngine(replicas, inputs)
    return training
