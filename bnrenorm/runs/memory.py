"""How much memory a group of trials needs, and how much it may use."""

import itertools
import math
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
_GATHERED = 12_800  # images of the minibatches that are prepared at a time, as in `engines.cpu.small_batch.group`
_SHARE = 0.5  # default share of the free memory
_ENOUGH = 2**30  # for any of the shipped configs: taken even if it is more than that share
_NAMES = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_PROGRAM = 300 * 2**20  # Python and the libraries
_ENTRY = 8  # bytes of a nonzero pixel in a sparse format: its index and its value
_STATES = {"sgd": 0, "momentum_sgd": 1, "adam": 2, "rmsprop": 1}


@dataclass(frozen=True)
class Need:
    """Bytes that a group needs: `fixed` whatever its size, and `each` per replica."""

    fixed: int
    each: int

    def of(self, replicas: int) -> int:
        """Return the bytes that a group of so many replicas needs."""
        return self.fixed + replicas * self.each

    def fitting(self, memory: int) -> int:
        """Return how many replicas fit in the memory, at least 1."""
        return max(1, (memory - self.fixed) // self.each)


def need(trial: Trial, data: Dataset, backend: Backend) -> Need:
    """Estimate the memory of groups of trials like this one, on a CPU."""
    settings = trial.settings
    widths, batch = settings.model.widths(data.inputs), settings.training.batch
    weights = sum(a * b for a, b in itertools.pairwise(widths))
    hidden, outputs = widths[1:-1], widths[-1]
    images, test = len(data.x_train), len(data.x_test)
    raw = data.x_train.nbytes + data.x_test.nbytes
    fixed = _PROGRAM + raw + 4 * data.inputs * (images + test)
    size = images if isinstance(batch, Full) else batch.size
    by_batch, training_set = settings.evaluation.statistics == "batch", settings.evaluation.training_set
    evaluated = test + images * training_set
    if backend.engine_for(settings) == CHAINER:
        # two activations of every hidden layer are kept, plus two temporaries of the widest
        rows = max(size, ROWS, max(test, images * training_set) if by_batch else 0)
        gathered = 0 if isinstance(batch, Full) else data.inputs * max(size, IMAGES + size)
        return Need(fixed, 4 * (6 * weights + rows * (2 * sum(hidden) + 2 * max(hidden)) + gathered))
    nonzero = int(np.count_nonzero(data.x_train))
    fixed += _ENTRY * (nonzero + int(np.count_nonzero(data.x_test)))  # CSR of both sets
    if isinstance(batch, Full) or training_set:
        fixed += _ENTRY * nonzero  # a second sparse copy of the training set, CSC or PackedCSR4
    if not isinstance(batch, Full):
        # CSR and CSC of the prepared minibatches, double-buffered
        fixed += 2 * 2 * _ENTRY * (nonzero // images) * min(_GATHERED, images)
    if isinstance(batch, Full):  # one activation and one gradient per layer, shared by the replicas
        fixed += 4 * images * (sum(hidden) + sum((*hidden[1:], outputs)))
    if by_batch:  # one activation per layer of every evaluated set
        fixed += 4 * evaluated * (sum(hidden) + outputs)
    copies = 2 * (1 + _STATES[settings.training.optimizer.kind] + (settings.evaluation.average is not None)) + 1
    rows = IMAGES + min(size, IMAGES)
    return Need(fixed, 4 * (copies * weights + rows * (2 * sum(hidden) + 2 * max(hidden) + data.inputs)))


def parse_memory(text: str | None) -> int:
    """Parse "4GiB" or "500 MB" to bytes; None means half of the free memory, or 1 GiB of it if that is more.

    Raises InputError.
    """
    if text is None:
        available = psutil.virtual_memory().available
        return max(int(_SHARE * available), min(available, _ENOUGH))
    match = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,15})?)\s*([KMG]i?B|B|)\s*", str(text), re.ASCII)
    if match is None or float(match[1]) <= 0:
        raise InputError(f"--memory {text}: expected a size such as 4GiB")
    return int(float(match[1]) * _UNITS[match[2]])


def check(trial: Trial, needed: Need, memory: int) -> None:
    """Raise InputError if a group of this trial alone needs more than the memory."""
    if needed.of(1) > memory:
        raise InputError(
            f"{trial.variant}: one network needs about {_size(needed.of(1))} of memory, but may take {_size(memory)}; "
            "choose a smaller network or batch, or a larger --memory"
        )


def _size(size: int) -> str:
    """Write bytes in the unit that makes a small number of them, as "311 MiB"."""
    power = min(int(math.log2(size)) // 10, len(_NAMES) - 1)
    return f"{size / 2 ** (10 * power):.3g} {_NAMES[power]}"
