"""Images without black pixels by fours: four images with one list of pixels, and four pixels with one list of images.

A value is kept if any of its four is not 0. A row of weights, once loaded, then serves four images, and a row of
gradients four pixels, so that images need not be sparse: of dense ones everything is kept, and nothing is lost.

Arguments that several functions share:

- images (M, D) float;
- chosen (S, N) int64: S batches of images, of which batch s uses the first counts[s], at least one.
"""

from typing import NamedTuple

import numpy as np

from bnrenorm.engines.cpu.codegen.arrays import vector, zero
from bnrenorm.engines.cpu.codegen.decorators import kernel, subroutine, view


class ImageFours(NamedTuple):
    """The images of batches by fours; of the last ones the last is repeated. Each batch has G = ceil(N / 4) groups.

    The pixels lit in any image of group q are at indptr[q] to indptr[q + 1] - 1.
    """

    indptr: np.ndarray  # (S G + 1,) int64
    indices: np.ndarray  # (P,) int32: pixels, ascending in each group
    data: np.ndarray  # (P, 4): values


class PixelFours(NamedTuple):
    """The pixels lit in batches by fours; of the last ones the last is repeated.

    Batch s has the groups batches[s] to batches[s + 1] - 1. The images in which any pixel of group q is lit are at
    indptr[q] to indptr[q + 1] - 1.
    """

    batches: np.ndarray  # (S + 1,) int64
    pixels: np.ndarray  # (Q, 4) int32
    indptr: np.ndarray  # (Q + 1,) int64
    indices: np.ndarray  # (P,) int32: images within the batch, ascending in each group
    data: np.ndarray  # (P, 4): values


def images_of(steps: int, largest: int, depth: int, dtype: np.dtype) -> ImageFours:
    """Allocate for so many batches of at most N images of D pixels; what is not filled takes no physical memory."""
    groups = steps * -(-largest // 4)
    most = groups * depth + 1  # the last value is written before it is known to be wanted
    return ImageFours(np.zeros(groups + 1, np.int64), np.empty(most, np.int32), np.empty((most, 4), dtype))


def pixels_of(steps: int, largest: int, depth: int, dtype: np.dtype) -> PixelFours:
    """Allocate as `images_of` does."""
    groups = steps * -(-depth // 4)
    most = groups * largest + 1
    return PixelFours(
        np.zeros(steps + 1, np.int64),
        np.empty((groups, 4), np.int32),
        np.zeros(groups + 1, np.int64),
        np.empty(most, np.int32),
        np.empty((most, 4), dtype),
    )


def gather(
    images: np.ndarray, chosen: np.ndarray, counts: np.ndarray, of_images: ImageFours | None,
    of_pixels: PixelFours | None,
) -> None:  # fmt: skip
    """Gather batches by image, by pixel, or both, into arrays for so many batches or more."""
    nothing = 0, 0, images.shape[1], images.dtype
    by_image, by_pixel = of_images or images_of(*nothing), of_pixels or pixels_of(*nothing)
    bits = _bits(images)
    _fill(
        bits, chosen, counts, *by_image[:2], _bits(by_image.data), *by_pixel[:4], _bits(by_pixel.data), bits[0].copy()
    )


def _bits(x: np.ndarray) -> np.ndarray:
    """View floats as unsigned integers, of which four are 0 if their bits are: quicker to test."""
    return x.view(f"u{x.itemsize}")


@kernel
def _fill(
    images, chosen, counts, image_indptr, image_indices, image_data, batches, pixels, pixel_indptr, pixel_indices,
    pixel_data, lit,
):  # fmt: skip
    """Set the arrays of an `ImageFours` and of a `PixelFours` unless these are for no batch; lit (D,) is scratch.

    Step by step, so that the second one finds the images in the cache.
    """
    groups, of_images, of_pixels = -(-chosen.shape[1] // 4), np.uintp(0), np.uintp(0)
    for s in range(len(chosen)):
        if len(image_indptr) > 1:
            indptr = vector(image_indptr, s * groups, groups + 1)
            of_images = _fill_images(images, chosen, s, counts[s], of_images, indptr, image_indices, image_data)
        if len(batches) > 1:
            batches[s + 1] = _fill_pixels(
                images, chosen[s], counts[s], of_pixels, batches[s], pixels, pixel_indptr, pixel_indices, pixel_data,
                lit,
            )  # fmt: skip
            of_pixels = np.uintp(pixel_indptr[batches[s + 1]])


@subroutine
def _fill_images(images, chosen, s, n, t, indptr, indices, data):
    """Write the n images of batch s by fours, their values from t on; return where the next values go."""
    depth, last = images.shape[1], n - 1
    for q in range(len(indptr) - 1):
        if 4 * q < n:
            a, b = _image(images, chosen[s, 4 * q]), _image(images, chosen[s, min(4 * q + 1, last)])
            c, d = _image(images, chosen[s, min(4 * q + 2, last)]), _image(images, chosen[s, min(4 * q + 3, last)])
            for j in range(depth):
                t = _append(indices, data, t, j, a[j], b[j], c[j], d[j])
        indptr[q + 1] = t
    return t


@subroutine
def _fill_pixels(images, chosen, n, t, q, pixels, indptr, indices, data, lit):
    """Write the pixels of the n images by fours from group q on, their values from t on; return the next group."""
    zero(lit)
    for i in range(n):
        x = _image(images, chosen[i])
        for j in range(len(lit)):
            lit[j] |= x[j]
    end = _group(lit, pixels, q)
    for g in range(q, end):
        a, b, c, d = np.uintp(pixels[g, 0]), np.uintp(pixels[g, 1]), np.uintp(pixels[g, 2]), np.uintp(pixels[g, 3])
        for i in range(n):
            x = _image(images, chosen[i])
            t = _append(indices, data, t, i, x[a], x[b], x[c], x[d])
        indptr[g + 1] = t
    return end


@subroutine
def _append(indices, data, t, index, u, v, w, x):
    """Write four values and their index at t; return where the next ones go: to the same place if all four are 0."""
    indices[t] = index
    data[t, 0] = u
    data[t, 1] = v
    data[t, 2] = w
    data[t, 3] = x
    return t + np.uintp(u | v | w | x != 0)


@view
def _image(images, m):
    return vector(images, m * images.shape[1], images.shape[1])


@subroutine
def _group(lit, pixels, q):
    """Write the pixels that are not 0 in lit (D,) to groups from q on; return the group after the last."""
    begin = 4 * q
    flat, n = vector(pixels, begin, pixels.size - begin), 0
    for j in range(len(lit)):
        if lit[j]:
            flat[n] = j
            n += 1
    for k in range(n, -(-n // 4) * 4):
        flat[k] = flat[n - 1]
    return q + -(-n // 4)
