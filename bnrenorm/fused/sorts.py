"""Which sorts of kernels a training needs; loads no numba."""

from bnrenorm.config.norms import Custom, LayerNorm
from bnrenorm.config.schema import Full, Settings

SMALL, LARGE, DEEP, JUDGE = "small", "large", "deep", "judge"


def sorts(settings: Settings) -> list[str]:
    """Return SMALL, for batches that fit a core's cache, or LARGE, and what is needed besides: DEEP by some LARGE ones.

    A normalisation of each row by itself, or of few rows, is SMALL work for any batch.
    """
    batch, norm = settings.training.batch, settings.norm
    if isinstance(norm, Custom):
        return []
    if not isinstance(batch, Full) or isinstance(norm, LayerNorm) or settings.training.micro_batch:
        return [SMALL, JUDGE]
    deep = len(settings.model.hidden) > 1 or settings.model.order == "linear-norm-activation"
    return [LARGE, DEEP, JUDGE] if deep else [LARGE, JUDGE]
