"""Images by pixel, block by block, against the images themselves."""

import numpy as np
import pytest

from bnrenorm.engines.cpu.sparse import csc_blocks, packed


def images_with(rng, lit):
    found = rng.uniform(0.1, 1, (51, 30)).astype(np.float32)
    found[rng.random(found.shape) > lit] = 0
    found[7] = 0  # an image all black
    found[:, 11] = 0  # a pixel never lit
    return found


@pytest.mark.parametrize("rows", [4, 16, 64])
def test_every_pixel_is_there_once_in_its_block(rng, rows):
    images = images_with(rng, 0.2)
    arranged = packed.pack(images)
    found = csc_blocks.csc_blocks(arranged, 30, rows)
    whole = np.zeros_like(images)
    for b in range(len(found.start)):
        for j in range(30):
            here = slice(*found.start[b, j : j + 2])
            assert (np.diff(found.row[here]) > 0).all()  # the sums' order, and so their bits
            whole[arranged.order[b * rows + found.row[here]], j] = found.value[here]
    assert (whole == images).all()
    assert len(found.value) == (images != 0).sum()
    assert len(found.start) == -(-51 // rows)


def test_images_taken_as_they_are_have_no_blocks(rng):
    found = csc_blocks.csc_blocks(packed.pack(images_with(rng, 0.9)), 30, 16)
    assert len(found.start) == len(found.value) == 0
