"""Images whose pixels are bytes, as tensor cores take them: products of float32 numbers that are not rounded for it.

255 x, a whole number up to 255, is exact in bfloat16, and a float32 number w (of at least 1e-31) is exactly the sum of
three bfloat16 numbers, 8 of its 24 bits in each: its *thirds*. So 255 x w is the sum of three products that tensor
cores compute exactly; only sums round, in float32. Arrays of bfloat16 hold its bits, uint16, as NumPy lacks the type.

One product with weights does the work of three: a row of weights becomes its low, middle and high thirds side by side,
and a row of pixels stands there three times. So tensor cores sum the small numbers first.
"""

from typing import Any

import numpy as np

Array = Any

PARTS = 3
"""bfloat16 numbers that a float32 number is the sum of."""

TILE = 16
"""Pixels, or images, that a tensor core's instruction sums over."""

CAPABILITY = 80
"""Compute capability, times ten, from which on tensor cores take bfloat16."""

_ALIGNED = 8  # numbers of 16 bits, to whose multiple rows are filled up: cuBLAS is fastest with 16 bytes
_ROWS = 4096  # images that are looked at, or converted, at a time
_ROUNDING = 2.0**-22  # how far 255 x may be from a whole number, as a part of it: 0 is exact


Run = tuple[int, int, slice]
"""Replicas side by side, the seed's place of the first of them, and 1 if each next one has the next seed, or 0."""


def runs_of(seed_of: Any) -> list[Run]:
    """Return as few runs as have all replicas, for each replica's seed (R,) on the host."""
    runs, begin = [], 0
    while begin < len(seed_of):
        end = begin + 1
        step = int(seed_of[end] - seed_of[begin] == 1) if end < len(seed_of) else 0
        while end < len(seed_of) and seed_of[end] - seed_of[end - 1] == step:
            end += 1
        runs.append((int(seed_of[begin]), step, slice(begin, end)))
        begin = end
    return runs


def are_bytes(xp: Any, images: Array) -> bool:
    """Tell whether every pixel of the images (M, D) is one of 0, 1/255, ..., 1 up to the rounding of float32."""
    for begin in range(0, len(images), _ROWS):
        scaled = images[begin : begin + _ROWS] * 255
        whole = xp.rint(scaled)
        if not bool(((abs(scaled - whole) <= _ROUNDING * whole) & (whole <= 255)).all()):
            return False
    return True


def padded(width: int) -> int:
    """Return the length of a row of thirds, or of pixels."""
    return -(-width // _ALIGNED) * _ALIGNED


def bytes_of(width: int) -> int:
    """Return the bytes of a row's thirds, or of an image of so many pixels."""
    return 2 * PARTS * padded(width)


def repeated(xp: Any, images: Array) -> Array:
    """Return 255 times the images (M, D) as bits (M, PARTS, padded(D)) of bfloat16, each of them three times."""
    many, width = images.shape
    x = xp.zeros((many, PARTS, padded(width)), np.uint16)
    for begin in range(0, many, _ROWS):
        whole = xp.rint(images[begin : begin + _ROWS] * 255).astype(np.float32)
        x[begin : begin + _ROWS, :, :width] = (whole.view(np.uint32) >> 16).astype(np.uint16)[:, None]
    return x


def numbers(bits: Array) -> np.ndarray:
    """Return the float32 numbers of bits of bfloat16, by NumPy."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
