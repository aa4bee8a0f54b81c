"""How much of a GPU's memory the CUDA engine needs for a group of trials."""

import numpy as np

from bnrenorm.config.schema import Full, Settings
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.cuda import evaluator, packing, pixels, spans, workspace
from bnrenorm.engines.cuda.graphs import WORKSPACE_90
from bnrenorm.engines.cuda.rows import divide
from bnrenorm.engines.memory import GPU_LIBRARIES, Need, kept, weights
from bnrenorm.engines.mode_gap import IMAGES
from bnrenorm.engines.spec import spec_of


def need(settings: Settings, data: Dataset) -> Need:
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
    copies = kept(settings) + 1  # the gradients in Chainer
    gathered = 4 * data.inputs * (shown + (size if drops or not is_full else 0))
    # for tensor cores: images, weights, a batch's images and gradients
    image = pixels.bytes_of(data.inputs)
    thirds = widths[1] * image + size * ((0 if is_full else image) + pixels.bytes_of(widths[1]))
    evaluated = max(test, images * evaluation.training_set) if evaluation.statistics == "batch" else test
    at_once = scratch(evaluated, evaluated, learning=False)
    libraries = GPU_LIBRARIES + WORKSPACE_90
    fixed = (4 * data.inputs + image) * (images + test) + max(evaluator.BUDGET, at_once) + spans.BYTES + libraries
    per_replica = 4 * copies * weights(widths) + spans.SCHEDULE + learned + compared + gathered + thirds
    return Need(fixed, per_replica, packing.MOST_REPLICAS)
