"""Gathered minibatches, by image and by pixel, against SciPy's sparse matrices of the images drawn."""

import numpy as np
import pytest
import scipy.sparse

from bnrenorm.engines.cpu.sparse import csr, minibatch


@pytest.fixture
def images(rng):
    images = rng.uniform(0.1, 1, (50, 30)).astype(np.float32)
    images[rng.random(images.shape) < 0.8] = 0
    images[7] = 0  # an image all black
    images[:, 11] = 0  # a pixel never lit
    return images


def test_batches_are_the_images_drawn_by_row_and_by_column(rng, images):
    labels = rng.integers(0, 10, 50).astype(np.int32)
    drawn = [rng.integers(0, 50, n) for n in (6, 6, 3)]  # the last of an epoch is smaller
    drawn[1][2] = 7
    batches = minibatch.gather(csr.compress(images), labels, drawn, 30)
    assert batches.indices.shape[1] == max(np.count_nonzero(images[batch]) for batch in drawn)
    for s, batch in enumerate(drawn):
        by_row, by_column = scipy.sparse.csr_matrix(images[batch]), scipy.sparse.csc_matrix(images[batch])
        n, pixels = len(batch), by_row.nnz
        assert (batches.indptr[s, : n + 1] == by_row.indptr).all()
        assert (batches.indices[s, :pixels] == by_row.indices).all()
        assert (batches.data[s, :pixels] == by_row.data).all()
        assert (batches.col_indptr[s] == by_column.indptr).all()
        assert (batches.rows[s, :pixels] == by_column.indices).all()
        assert (batches.col_data[s, :pixels] == by_column.data).all()
        assert (batches.labels[s, :n] == labels[batch]).all()
        assert (batches.chosen[s, :n] == batch).all()
        assert batches.counts[s] == n


def test_on_the_dense_path_batches_have_labels_but_no_pixels(rng):
    labels = rng.integers(0, 10, 50).astype(np.int32)
    drawn = [rng.integers(0, 50, 4) for _ in range(2)]
    batches = minibatch.gather(csr.uncompressed(np.dtype(np.float32)), labels, drawn, 30)
    assert batches.indices.shape == (2, 0)
    assert (batches.labels == labels[np.array(drawn)]).all()
    assert (batches.chosen == drawn).all()
