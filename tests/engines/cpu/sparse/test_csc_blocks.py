"""Images by pixel, block by block, against the images themselves."""

import numpy as np
import pytest

from bnrenorm.engines.cpu.sparse import csc_blocks, packed


def images_with(rng, density):
    images = rng.uniform(0.1, 1, (51, 30)).astype(np.float32)
    images[rng.random(images.shape) > density] = 0
    images[7] = 0  # an image all black
    images[:, 11] = 0  # a pixel never lit
    return images


@pytest.mark.parametrize("rows", [4, 16, 64])
def test_every_pixel_is_there_once_in_its_block(rng, rows):
    images = images_with(rng, density=0.2)
    arranged = packed.pack(images)
    csc = csc_blocks.csc_blocks(arranged, 30, rows)
    whole = np.zeros_like(images)
    for b in range(len(csc.indptr)):
        for j in range(30):
            here = slice(*csc.indptr[b, j : j + 2])
            assert (np.diff(csc.rows[here]) > 0).all()  # the sums' order, and so their bits
            whole[arranged.order[b * rows + csc.rows[here]], j] = csc.data[here]
    assert (whole == images).all()
    assert len(csc.data) == (images != 0).sum()
    assert len(csc.indptr) == -(-51 // rows)


def test_dense_images_have_no_blocks(rng):
    csc = csc_blocks.csc_blocks(packed.pack(images_with(rng, density=0.9)), 30, 16)
    assert len(csc.indptr) == len(csc.data) == 0
