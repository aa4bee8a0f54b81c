"""Images that are not mostly black, made from a seed: smooth patterns of ten classes, moved about, with noise."""

import numpy as np

from bnrenorm.data.dataset import Dataset

_SIZE, _COARSE, _CLASSES = 28, 5, 10
_MOVED = 2  # pixels, at most, in each direction


def pictures(lit: float, train: int = 60_000, test: int = 10_000) -> Dataset:
    """Return uint8 images (N, 28, 28) of ten classes, of which a share `lit` of the pixels is not black.

    Each class has a pattern that varies slowly over the image. An image is its class's pattern, moved by up to two
    pixels, brighter or darker, with noise; it is black where the pattern is below its own quantile.
    """
    random = np.random.default_rng(0)
    patterns = np.stack([_smooth(random.normal(size=(_COARSE, _COARSE))) for _ in range(_CLASSES)])
    images, labels = [], []
    for count in (train, test):
        y = random.integers(0, _CLASSES, count)
        x = np.empty((count, _SIZE, _SIZE), np.uint8)
        for dx, dy in np.ndindex(2 * _MOVED + 1, 2 * _MOVED + 1):
            chosen = np.arange(count) % (2 * _MOVED + 1) ** 2 == dx * (2 * _MOVED + 1) + dy
            moved = np.roll(patterns, (dx - _MOVED, dy - _MOVED), axis=(1, 2))
            x[chosen] = _drawn(moved, y[chosen], lit, random)
        images.append(x)
        labels.append(y.astype(np.uint8))
    return Dataset(images[0], labels[0], images[1], labels[1], f"pictures, {lit:.0%} lit")


def _smooth(coarse: np.ndarray) -> np.ndarray:
    """Interpolate a coarse grid to an image, along rows and then along columns."""
    at, grid = np.linspace(0, _COARSE - 1, _SIZE), np.arange(_COARSE)
    rows = np.stack([np.interp(at, grid, row) for row in coarse])
    return np.stack([np.interp(at, grid, column) for column in rows.T], axis=1)


def _drawn(patterns: np.ndarray, labels: np.ndarray, lit: float, random: np.random.Generator) -> np.ndarray:
    """Return images of these classes: whole numbers from 1 to 255 where the pattern is lit, 0 elsewhere."""
    black = np.quantile(patterns, 1 - lit, axis=(1, 2), keepdims=True)
    depth = (patterns - black) / (patterns.max(axis=(1, 2), keepdims=True) - black)
    chosen, brightness = depth.astype(np.float32)[labels], random.uniform(0.4, 1, (len(labels), 1, 1))
    noise = random.standard_normal(chosen.shape, np.float32)
    values = np.clip(255 * brightness.astype(np.float32) * chosen + 40 * noise, 1, 255)
    return np.where(chosen >= 0, values, 0).astype(np.uint8)
