"""Which sorts of kernels a training needs; loads no numba."""

from bnrenorm.config.norms import BatchNorm, Custom, LayerNorm
from bnrenorm.config.schema import Full, Settings

SMALL, LARGE, DEEP, JUDGE = "small", "large", "deep", "judge"


def sorts(settings: Settings) -> list[str]:
    """Return SMALL, for batches that fit a core's cache, or LARGE; DEEP, which some LARGE ones need besides; and JUDGE.

    None are returned for what there are no kernels for.
    """
    if not _is_compiled(settings):
        return []
    by_batch = settings.evaluation.statistics == "batch" and isinstance(settings.norm, BatchNorm)
    found = [] if is_large(settings) else [SMALL]
    if is_large(settings) or by_batch:
        deep = len(settings.model.hidden) > 1 or settings.model.order == "linear-norm-activation"
        found += [LARGE, DEEP] if deep else [LARGE]
    return [*found, JUDGE]


def is_large(settings: Settings) -> bool:
    """Tell whether a batch's rows are spread over the cores, not the replicas.

    A normalisation of each row by itself, or of few, is work for one core, and so is dropout.
    """
    whole = isinstance(settings.training.batch, Full) and not settings.model.dropout.drops
    return whole and not isinstance(settings.norm, LayerNorm) and not settings.training.micro_batch


def _is_compiled(settings: Settings) -> bool:
    model = settings.model
    return (
        not isinstance(settings.norm, Custom)
        and model.activation.kind == "relu"
        and (model.output, settings.training.loss) == ("softmax", "cross_entropy")
        and not (model.dropout.drops and model.dropout.form == "inverted")
    )
