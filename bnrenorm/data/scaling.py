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
        shift, high = (np.asarray(bound(axis=axis), np.float64) for bound in (images.min, images.max))
        spread = high - shift
    else:
        shift, spread = (np.asarray(of(axis=axis, dtype=np.float64)) for of in (images.mean, images.std))
    factor = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
    # NumPy 1 would subtract one number from float32 images in float32.
    return lambda images: (np.subtract(images, shift, dtype=np.float64) * factor).astype(images.dtype)
