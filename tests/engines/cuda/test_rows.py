"""How the images of a batch are divided among blocks."""

import numpy as np
import pytest

from bnrenorm.engines.cuda.rows import PIECE, divide, piece_length, pieces_of


@pytest.mark.parametrize(
    ("n", "group"), [(1, 0), (5, 0), (256, 0), (257, 0), (60_000, 0), (60, 10), (1000, 500), (3, 1)]
)
def test_pieces_are_of_one_group_and_take_every_image_once(n, group):
    rows, size = divide(n, group), group or n
    spans = rows.spans()
    assert [image for begin, end in spans for image in range(begin, end)] == list(range(n))
    assert len(spans) == rows.total == rows.groups * rows.pieces
    assert all(begin // size == (end - 1) // size for begin, end in spans)
    assert max(end - begin for begin, end in spans) == rows.length <= PIECE


def test_no_piece_is_empty_whatever_the_size(rng):
    """A block without images would divide by zero."""
    for n in (*rng.integers(1, 200_000, 200), 65_536, 65_537, 65_281):
        assert min(end - begin for begin, end in divide(int(n)).spans()) > 0


def test_a_batch_of_some_hundred_images_is_one_piece_and_a_large_one_is_many():
    assert divide(PIECE).total == 1
    assert divide(PIECE + 1).total == 2
    assert divide(60_000).total > 200


def test_groups_are_divided_like_batches_of_their_size():
    rows, alone = divide(1800, 600), divide(600)
    assert (rows.groups, rows.pieces, rows.length) == (3, alone.pieces, alone.length)
    assert rows.spans()[alone.pieces :][: alone.pieces] == [(600 + begin, 600 + end) for begin, end in alone.spans()]
    assert np.diff(rows.spans()).max() == alone.length


@pytest.mark.parametrize(
    ("n", "pieces"), [(1, 1), (1024, 1), (1025, 2), (2048, 2), (2049, 3), (60_000, 60), (59_999, 59), (5003, 5)]
)
def test_sums_over_images_are_of_equal_length_where_they_can_be(n, pieces):
    """Not in more than twice as many: 1,025 is 5 times 205, and 5,003 is prime; 2,049 is three times 683."""
    assert pieces_of(n) == pieces
    assert piece_length(n, pieces) <= 1024
