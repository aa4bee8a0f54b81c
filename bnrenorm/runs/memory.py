"""How much memory a group of trials needs."""

import itertools
import sys
from dataclasses import dataclass

import numpy as np

from bnrenorm.config import Trial
from bnrenorm.config.norms import BatchNorm, NoNorm
from bnrenorm.config.schema import Full, Settings
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import CHAINER, CPU, Backend
from bnrenorm.engines.cpu.required import is_large
from bnrenorm.engines.cuda import evaluator, packing, pixels, spans, workspace
from bnrenorm.engines.cuda.graphs import WORKSPACE_90
from bnrenorm.engines.cuda.rows import divide
from bnrenorm.engines.evaluate import GPU_BYTES, GPU_ROWS, ROWS, activations
from bnrenorm.engines.mode_gap import IMAGES
from bnrenorm.engines.spec import CODES, EXP_AVG, EXP_AVG_SQ, spec_of
from bnrenorm.environment import threads
from bnrenorm.errors import InputError
from bnrenorm.numbers import size

_GATHERED = 12_800  # images of the minibatches that are prepared at a time, as in `engines.cpu.small_batch.group`
_CUDA = 200 * 2**20  # what cuBLAS and compiled kernels take of a GPU's
_PROGRAM = 300 * 2**20  # Python and the libraries
_FOUR = 20  # bytes of four pixels of which one is not 0, or of a pixel of four images: their values and an index


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


def need(trial: Trial, data: Dataset, backend: Backend) -> Need:
    """Estimate the memory of groups of trials like this one: a GPU's, or the host's where a CPU trains."""
    engine = backend.engine_for(trial.settings)
    if engine == CHAINER:
        return _need_of_chainer(trial.settings, data, on_gpu=backend.device != "cpu")
    return _need_of_kernels(trial.settings, data) if engine == CPU else _need_of_cuda(trial.settings, data)


def _need_of_chainer(settings: Settings, data: Dataset, *, on_gpu: bool) -> Need:
    """Estimate what CuPy's pool held in trainings of many kinds, or more. In numbers of 4 bytes until the end."""
    training, evaluation, dropout = settings.training, settings.evaluation, settings.model.dropout
    widths, is_full = settings.model.widths(data.inputs), isinstance(training.batch, Full)
    inputs, *hidden, outputs = widths
    images, test = len(data.x_train), len(data.x_test)
    size = training.batch.images_per_step(images)
    graph = 2 * sum(hidden) + 3 * max(hidden) + 5 * outputs  # of an image, in training
    if not isinstance(settings.norm, NoNorm | BatchNorm):
        graph += 2 * sum(hidden)
    if settings.model.activation.kind not in ("relu", "sigmoid", "tanh", "identity"):
        graph += 3 * sum(hidden)  # formulas of several functions
    if dropout.drops:
        graph += (1 if dropout.form == "exact" else 2) * (inputs + sum(hidden))
    alone = activations(widths, drops=dropout.drops)
    rows = max(GPU_ROWS if on_gpu else ROWS, 0 if is_full else IMAGES + size)
    if evaluation.statistics == "batch":
        rows = max(rows, test, images * evaluation.training_set)
    gathered = 0 if is_full else inputs * max(size, IMAGES + size)
    copies = _kept(settings) + 4  # the gradients, and three of what an update computes
    per_replica = copies * _weights(widths) + max(size * graph, rows * alone) + gathered
    if on_gpu:
        return Need(4 * inputs * (images + test) + GPU_BYTES + _CUDA, 4 * per_replica)
    return Need(_fixed(data), 4 * (per_replica + (0 if is_full else images)))


def _need_of_cuda(settings: Settings, data: Dataset) -> Need:
    """Estimate what the CUDA engine takes of a GPU's memory."""
    training, evaluation, drops = settings.training, settings.evaluation, settings.model.dropout.drops
    widths, batch = settings.model.widths(data.inputs), training.batch
    images, test, is_full = len(data.x_train), len(data.x_test), isinstance(batch, Full)
    size = batch.images_per_step(images)
    sizes = {size, images % size if getattr(batch, "remainder", "drop") == "keep" else 0} - {0}
    group = training.micro_batch or size
    shown = IMAGES if size > IMAGES else -(-IMAGES // size) * size // group * group  # to compare both modes

    def scratch(n: int, group: int, *, learning: bool) -> int:
        rows = divide(n, group)
        return workspace.bytes_of(np.float32, widths, rows, spec_of(settings), drops=drops, learning=learning)

    learned = sum(scratch(n, training.micro_batch or n, learning=True) for n in sizes)
    compared = scratch(shown, min(group, shown), learning=False)
    copies = _kept(settings) + 1  # the gradients in Chainer
    gathered = 4 * data.inputs * (shown + (size if drops or not is_full else 0))
    # for tensor cores: images, weights, a batch's images and gradients
    image = pixels.bytes_of(data.inputs)
    thirds = widths[1] * image + size * ((0 if is_full else image) + pixels.bytes_of(widths[1]))
    evaluated = max(test, images * evaluation.training_set) if evaluation.statistics == "batch" else test
    at_once = scratch(evaluated, evaluated, learning=False)
    libraries = _CUDA + WORKSPACE_90
    fixed = (4 * data.inputs + image) * (images + test) + max(evaluator.BUDGET, at_once) + spans.BYTES + libraries
    per_replica = 4 * copies * _weights(widths) + learned + compared + gathered + thirds
    return Need(fixed, per_replica, packing.MOST_REPLICAS)


def _need_of_kernels(settings: Settings, data: Dataset) -> Need:
    """Estimate what the CPU engine needs."""
    widths, batch = settings.model.widths(data.inputs), settings.training.batch
    weights, hidden, outputs = _weights(widths), widths[1:-1], widths[-1]
    images, test = len(data.x_train), len(data.x_test)
    size = batch.images_per_step(images)
    use_batch_statistics, training_set = settings.evaluation.statistics == "batch", settings.evaluation.training_set
    train_by_fours, test_by_fours = _by_fours(data)
    fixed = _fixed(data) + test_by_fours
    if isinstance(batch, Full):
        fixed += 2 * train_by_fours  # by image and by pixel
    else:
        # likewise, the prepared minibatches, double-buffered
        fixed += 2 * 2 * train_by_fours * min(max(_GATHERED, size), images) // images
        fixed += train_by_fours * training_set
    per_thread = 0
    if is_large(settings):  # one activation and one gradient per layer, shared by the replicas
        fixed += 4 * size * (sum(hidden) + sum((*hidden[1:], outputs)))
    else:
        per_thread = 4 * _small_batch(settings, widths, size) + 4 * train_by_fours * size // images
    if use_batch_statistics:  # one activation per layer of every evaluated set
        fixed += 4 * (test + images * training_set) * (sum(hidden) + outputs)
    in_kernels = 1 + _states(settings) + (settings.evaluation.average is not None)
    copies = _kept(settings) + in_kernels + 1
    rows, order = IMAGES + min(size, IMAGES), 0 if isinstance(batch, Full) else images
    per_replica = 4 * (copies * weights + rows * (2 * sum(hidden) + 2 * max(hidden) + data.inputs) + order)
    return Need(fixed, per_replica, per_thread=per_thread, threads=threads())


def _small_batch(settings: Settings, widths: tuple[int, ...], size: int) -> int:
    """Return how many numbers a thread keeps (`engines.cpu.small_batch`): of a batch, and gradients of a layer."""
    inputs, *hidden, outputs = widths
    widest, groups = max(widths[1:]), size // (settings.training.micro_batch or size)
    of_image = 2 * (len(hidden) + 1) * widest + hidden[0] + 2 * (outputs + len(hidden))
    dropped = settings.model.dropout.drops * max(-(-size // 4) * inputs, size * -(-inputs // 4)) * 4
    gradients = max(a * b for a, b in itertools.pairwise(widths))
    return size * of_image + dropped + 6 * len(hidden) * groups * widest + gradients


def _by_fours(data: Dataset) -> tuple[int, int]:
    """Return the bytes of the training and the test images by fours (`engines.cpu.sparse.fours`).

    Of MNIST twice the lit pixels are kept, at most all.
    """
    train, test = (
        _FOUR * min(images.size, 2 * nonzero) // 4
        for images, nonzero in zip((data.x_train, data.x_test), data.nonzero, strict=True)
    )
    return train, test


def _fixed(data: Dataset) -> int:
    """Return the bytes of the program, and of the images as they are and as float32."""
    return (
        _PROGRAM + data.x_train.nbytes + data.x_test.nbytes + 4 * data.inputs * (len(data.x_train) + len(data.x_test))
    )


def _kept(settings: Settings) -> int:
    """Return how many numbers are kept for a weight: its average, the optimizer's, and the best of early stopping."""
    kept = 1 + (settings.evaluation.average is not None)
    best = kept * (settings.training.early_stopping is not None)
    return kept + _states(settings) + best


def _states(settings: Settings) -> int:
    """Return how many numbers the optimizer keeps for a weight; two where `engines.spec` does not know it."""
    kind = settings.training.optimizer.kind
    return (kind in EXP_AVG) + (kind in EXP_AVG_SQ) if kind in CODES else 2


def _weights(widths: tuple[int, ...]) -> int:
    return sum(a * b for a, b in itertools.pairwise(widths))


def check(trial: Trial, needed: Need, memory: int, sharing: int = 1) -> None:
    """Raise InputError if a group of this trial alone needs more than the memory, the share of each of `sharing`."""
    if needed.of(1) > memory:
        share, fewer = ("", "") if sharing == 1 else (f" as one of {sharing} workers", ", fewer --workers")
        raise InputError(
            f"{trial.variant}: one network needs about {size(needed.of(1))} of memory, but may take {size(memory)}"
            f"{share}; choose a smaller network or batch{fewer}, or a larger --memory"
        )
