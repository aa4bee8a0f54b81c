"""How much memory Chainer's engine needs for a group of trials."""

from bnrenorm.config.norms import BatchNorm, NoNorm
from bnrenorm.config.schema import Full, Settings
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.evaluate import GPU_BYTES, GPU_ROWS, ROWS, activations
from bnrenorm.engines.memory import GPU_LIBRARIES, Need, host, kept, weights
from bnrenorm.engines.mode_gap import IMAGES


def need(settings: Settings, data: Dataset, *, on_gpu: bool) -> Need:
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
    copies = kept(settings) + 4  # the gradients, and three of what an update computes
    per_replica = copies * weights(widths) + max(size * graph, rows * alone) + gathered
    if on_gpu:
        return Need(4 * inputs * (images + test) + GPU_BYTES + GPU_LIBRARIES, 4 * per_replica)
    return Need(host(data), 4 * (per_replica + (0 if is_full else images)))
