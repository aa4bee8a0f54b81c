"""Scaling of images by statistics of the training set."""

from collections.abc import Callable

import numpy as np

Scaler = Callable[[np.ndarray], np.ndarray]


def fit(kind: str, axis: int | None, images: np.ndarray) -> Scaler:
    """Return a function that scales images (N, D) by the statistics of the training `images` (N, D), keeping the dtype.

    "unit" changes nothing. "min_max" maps minimum and maximum to 0 and 1; "z_score" maps mean and standard deviation to
    0 and 1. axis None: statistics over all pixels; axis 0: per pixel, where a pixel that is constant in the training
    set becomes 0. (The second article divides it by 1e-7: a test image that differs there gets a huge value.) Computed
    in float64.
    """
    if kind == "unit":
        return lambda images: images
    if kind == "min_max":
        low, high = images.min(axis=axis), images.max(axis=axis)
        shift, spread = low, 2 * (high / 2 - low / 2).astype(np.float64)  # high - low may exceed float32
    else:
        shift, spread = images.mean(axis=axis, dtype=np.float64), images.std(axis=axis, dtype=np.float64)
    shift, spread = np.asarray(shift, np.float64), np.asarray(spread, np.float64)
    factor = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
    return lambda images: ((images - shift) * factor).astype(images.dtype)
