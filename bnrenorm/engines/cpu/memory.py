"""How much memory the CPU engine needs for a group of trials. Loads no numba."""

import itertools

from bnrenorm.config.schema import Full, Settings
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.cpu.required import is_large
from bnrenorm.engines.memory import Need, host, kept, states, weights
from bnrenorm.engines.mode_gap import IMAGES
from bnrenorm.environment import threads

SPAN = 12_800
"""Images of the small batches that are prepared at a time, for the replicas at work."""

_FOUR = 20  # bytes of four pixels of which one is not 0, or of a pixel of four images: their values and an index


def need(settings: Settings, data: Dataset) -> Need:
    """Estimate what the CPU engine needs."""
    widths, batch = settings.model.widths(data.inputs), settings.training.batch
    hidden, outputs = widths[1:-1], widths[-1]
    images, test = len(data.x_train), len(data.x_test)
    size = batch.images_per_step(images)
    use_batch_statistics, training_set = settings.evaluation.statistics == "batch", settings.evaluation.training_set
    train_by_fours, test_by_fours = _by_fours(data)
    fixed = host(data) + test_by_fours
    if isinstance(batch, Full):
        fixed += 2 * train_by_fours  # by image and by pixel
    else:
        # likewise, the prepared minibatches, double-buffered
        fixed += 2 * 2 * train_by_fours * min(max(SPAN, size), images) // images
        fixed += train_by_fours * training_set
    per_thread = 0
    if is_large(settings):  # one activation and one gradient per layer, shared by the replicas
        fixed += 4 * size * (sum(hidden) + sum((*hidden[1:], outputs)))
    else:
        per_thread = 4 * _scratch(settings, widths, size) + 4 * train_by_fours * size // images
    if use_batch_statistics:  # one activation per layer of every evaluated set
        fixed += 4 * (test + images * training_set) * (sum(hidden) + outputs)
    in_kernels = 1 + states(settings) + (settings.evaluation.average is not None)
    copies = kept(settings) + in_kernels + 1
    rows, order = IMAGES + min(size, IMAGES), 0 if isinstance(batch, Full) else images
    per_replica = 4 * (copies * weights(widths) + rows * (2 * sum(hidden) + 2 * max(hidden) + data.inputs) + order)
    return Need(fixed, per_replica, per_thread=per_thread, threads=threads())


def _scratch(settings: Settings, widths: tuple[int, ...], size: int) -> int:
    """Return how many numbers a thread keeps (`small_batch`): of a batch, and gradients of a layer."""
    inputs, *hidden, outputs = widths
    widest, groups = max(widths[1:]), size // (settings.training.micro_batch or size)
    of_image = 2 * (len(hidden) + 1) * widest + hidden[0] + 2 * (outputs + len(hidden))
    dropped = settings.model.dropout.drops * max(-(-size // 4) * inputs, size * -(-inputs // 4)) * 4
    gradients = max(a * b for a, b in itertools.pairwise(widths))
    return size * of_image + dropped + 6 * len(hidden) * groups * widest + gradients


def _by_fours(data: Dataset) -> tuple[int, int]:
    """Return the bytes of the training and the test images by fours (`sparse.fours`).

    Of MNIST twice the lit pixels are kept, at most all.
    """
    train, test = (
        _FOUR * min(images.size, 2 * nonzero) // 4
        for images, nonzero in zip((data.x_train, data.x_test), data.nonzero, strict=True)
    )
    return train, test
