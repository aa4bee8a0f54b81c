"""What a group of trials needs of a memory, and the counts that the engines' estimates share.

Each engine estimates its own: `chainer_memory`, `cpu.memory` and `cuda.memory`.
"""

import itertools
import sys
from dataclasses import dataclass

from bnrenorm.config.schema import Settings
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.spec import CODES, EXP_AVG, EXP_AVG_SQ

GPU_LIBRARIES = 200 * 2**20
"""Bytes that cuBLAS and compiled kernels take of a GPU's."""

_PROGRAM = 300 * 2**20  # Python and the libraries


@dataclass(frozen=True)
class Need:
    """Bytes that a group needs: `fixed`, and `per_replica` for each of its at most `max_replicas`.

    Replicas that train side by side, one in each of `threads`, need `per_thread` in addition.
    """

    fixed: int
    per_replica: int
    max_replicas: int = sys.maxsize
    per_thread: int = 0
    threads: int = 1

    def of(self, replicas: int) -> int:
        """Return the bytes that a group of so many replicas needs."""
        return self.fixed + replicas * self.per_replica + min(replicas, self.threads) * self.per_thread

    def fitting(self, memory: int) -> int:
        """Return how many replicas fit in the memory, at least 1 and at most `max_replicas`."""
        free = memory - self.fixed
        few = min(self.threads, free // (self.per_replica + self.per_thread))
        many = (free - self.threads * self.per_thread) // self.per_replica
        return min(self.max_replicas, max(1, few, many))


def host(data: Dataset) -> int:
    """Return the bytes of the program, and of the images as they are and as float32."""
    images = len(data.x_train) + len(data.x_test)
    return _PROGRAM + data.x_train.nbytes + data.x_test.nbytes + 4 * data.inputs * images


def weights(widths: tuple[int, ...]) -> int:
    """Return the number of weights: widths of the inputs, the hidden layers and the outputs."""
    return sum(a * b for a, b in itertools.pairwise(widths))


def kept(settings: Settings) -> int:
    """Return how many numbers are kept for a weight: its average, the optimizer's, and the best of early stopping."""
    averaged = 1 + (settings.evaluation.average is not None)
    best = averaged * (settings.training.early_stopping is not None)
    return averaged + states(settings) + best


def states(settings: Settings) -> int:
    """Return how many numbers the optimizer keeps for a weight; two where `engines.spec` does not know it."""
    kind = settings.training.optimizer.kind
    return (kind in EXP_AVG) + (kind in EXP_AVG_SQ) if kind in CODES else 2
