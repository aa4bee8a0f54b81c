"""Which sorts of kernels a training needs; loads no numba."""

from bnrenorm.config.norms import Custom, LayerNorm
from bnrenorm.config.schema import Full, Settings

SMALL, LARGE, DEEP, JUDGE = "small", "large", "deep", "judge"


def sorts(settings: Settings) -> list[str]:
    """Return SMALL, for batches that fit a core's cache, or LARGE; DEEP, which some LARGE ones need besides; and JUDGE.

    None are returned for what there are no kernels for. A normalisation of each row by itself, or of few, is SMALL.
    """
    batch, norm = settings.training.batch, settings.norm
    if not _is_compiled(settings):
        return []
    if not isinstance(batch, Full) or isinstance(norm, LayerNorm) or settings.training.micro_batch:
        return [SMALL, JUDGE]
    deep = len(settings.model.hidden) > 1 or settings.model.order == "linear-norm-activation"
    return [LARGE, DEEP, JUDGE] if deep else [LARGE, JUDGE]


def _is_compiled(settings: Settings) -> bool:
    model = settings.model
    return (
        not isinstance(settings.norm, Custom)
        and model.activation.kind == "relu"
        and (model.output, settings.training.loss) == ("softmax", "cross_entropy")
        and not model.dropout.drops
        and settings.training.l1_decay == 0
        and getattr(settings.norm, "affine_gradient", "sum") == "sum"
    )
