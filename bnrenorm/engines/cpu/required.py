"""Which sets of kernels a training needs. Loads no numba."""

from bnrenorm.config.norms import BatchNorm, LayerNorm
from bnrenorm.config.schema import Full, Settings
from bnrenorm.engines.spec import is_compiled

LEAST = 2048
"""Images from which on a minibatch is large: with fewer, replicas side by side are faster."""

SMALL, LARGE, DEEP, INFERENCE = "small", "large", "deep", "inference"


def required_kernels(settings: Settings) -> list[str]:
    """Return the sets of kernels that these settings need; none if there are no kernels for them.

    SMALL trains batches that fit a core's cache, LARGE others, some of which need DEEP besides; INFERENCE evaluates.
    """
    if not is_compiled(settings):
        return []
    use_batch_statistics = settings.evaluation.statistics == "batch" and isinstance(settings.norm, BatchNorm)
    kernels = [] if is_large(settings) else [SMALL]
    if is_large(settings) or use_batch_statistics:
        deep = len(settings.model.hidden) > 1 or settings.model.order == "linear-norm-activation"
        kernels += [LARGE, DEEP] if deep else [LARGE]
    return [*kernels, INFERENCE]


def is_large(settings: Settings) -> bool:
    """Tell whether a batch's rows are spread over the cores instead of the replicas.

    Layer normalisation, micro-batches and dropout are only compiled for batches that one core takes.
    """
    batch = settings.training.batch
    if not isinstance(batch, Full) and batch.size < LEAST:
        return False
    return not (settings.model.dropout.drops or isinstance(settings.norm, LayerNorm) or settings.training.micro_batch)
