"""How much memory a group of trials takes, and how much it may."""

import itertools
import re
from dataclasses import dataclass

import numpy as np
import psutil

from bnrenorm.config import Trial
from bnrenorm.config.schema import Full
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import CHAINER, Backend
from bnrenorm.engines.evaluate import ROWS
from bnrenorm.engines.mode_gap import IMAGES
from bnrenorm.errors import InputError

_UNITS = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_GATHERED = 12_800  # images of batches that are gathered at a time, as in `engines.cpu.small_batch.group`
_SHARE = 0.5  # of the memory that is free, by default
_PROGRAM = 300 * 2**20  # Python and the libraries
_PIXEL = 8  # bytes of one that is not black: its place and its value
_STATES = {"sgd": 0, "momentum_sgd": 1, "adam": 2, "rmsprop": 1}


@dataclass(frozen=True)
class Need:
    """Bytes that a group takes: `fixed` whatever its size, and `each` for every replica."""

    fixed: int
    each: int

    def of(self, replicas: int) -> int:
        """Return the bytes of a group of so many."""
        return self.fixed + replicas * self.each

    def fitting(self, memory: int) -> int:
        """Count the replicas that fit into the memory, at least one."""
        return max(1, (memory - self.fixed) // self.each)


def need(trial: Trial, data: Dataset, backend: Backend) -> Need:
    """Estimate what groups of trials like this one take on a CPU."""
    settings = trial.settings
    hidden, outputs, batch = settings.model.hidden, settings.model.outputs, settings.training.batch
    weights = sum(a * b for a, b in itertools.pairwise((data.inputs, *hidden, outputs)))
    images, test = len(data.x_train), len(data.x_test)
    raw = data.x_train.nbytes + data.x_test.nbytes
    fixed = _PROGRAM + raw + 4 * data.inputs * (images + test)
    size = images if isinstance(batch, Full) else batch.size
    by_batch, training_set = settings.evaluation.statistics == "batch", settings.evaluation.training_set
    judged = test + images * training_set
    if backend.engine_for(settings) == CHAINER:
        # every hidden layer keeps two activations, and two of the widest are being worked on
        rows = max(size, ROWS, max(test, images * training_set) if by_batch else 0)
        gathered = 0 if isinstance(batch, Full) else data.inputs * max(size, IMAGES + size)
        return Need(fixed, 4 * (6 * weights + rows * (2 * sum(hidden) + 2 * max(hidden)) + gathered))
    lit = int(np.count_nonzero(data.x_train))
    fixed += _PIXEL * (lit + int(np.count_nonzero(data.x_test)))  # the images without their black pixels
    if isinstance(batch, Full) or training_set:
        fixed += _PIXEL * lit  # once more, by pixel or four at a time
    if not isinstance(batch, Full):
        fixed += 2 * 2 * _PIXEL * (lit // images) * min(_GATHERED, images)  # by image and by pixel, and the next ones
    if isinstance(batch, Full):  # one activation and one gradient a layer, shared by the replicas
        fixed += 4 * images * (sum(hidden) + sum((*hidden[1:], outputs)))
    if by_batch:  # one activation a layer of every set that is judged
        fixed += 4 * judged * (sum(hidden) + outputs)
    copies = 2 * (1 + _STATES[settings.training.optimizer.kind] + (settings.evaluation.average is not None)) + 1
    rows = IMAGES + min(size, IMAGES)
    return Need(fixed, 4 * (copies * weights + rows * (2 * sum(hidden) + 2 * max(hidden) + data.inputs)))


def parse_memory(text: str | None) -> int:
    """Read "4GiB" or "500 MB" as bytes; None is half of what is free. Raises InputError."""
    if text is None:
        return int(_SHARE * psutil.virtual_memory().available)
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]i?B|B|)\s*", text)
    if match is None or float(match[1]) <= 0:
        raise InputError(f"--memory {text}: expected a size such as 4GiB")
    return int(float(match[1]) * _UNITS[match[2]])
