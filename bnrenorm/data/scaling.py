"""Scaling of images by the training set's own statistics."""

from collections.abc import Callable

import numpy as np

Scaler = Callable[[np.ndarray], np.ndarray]


def fit(kind: str, axis: int | None, images: np.ndarray) -> Scaler:
    """Return what scales images (N, D) as these training images are to be, in their own dtype.

    "unit" leaves them. "min_max" maps the least and the greatest value to 0 and 1, "z_score" the mean to 0 and the
    standard deviation to 1: of all pixels, or with axis 0 of each, where a pixel that never changes becomes 0.
    """
    if kind == "unit":
        return lambda images: images
    if kind == "min_max":
        shift, spread = images.min(axis=axis), np.ptp(images, axis=axis)
    else:
        shift, spread = images.mean(axis=axis, dtype=np.float64), images.std(axis=axis, dtype=np.float64)
    shift, spread = np.asarray(shift, np.float64), np.asarray(spread, np.float64)
    factor = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
    return lambda images: ((images - shift) * factor).astype(images.dtype)
