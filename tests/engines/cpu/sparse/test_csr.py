"""Images in compressed sparse rows, against SciPy's."""

import numpy as np
import pytest
import scipy.sparse

from bnrenorm.engines.cpu.sparse import csr


def images_with(rng, density, dtype=np.float32):
    images = rng.uniform(0.1, 1, (50, 30)).astype(dtype)
    images[rng.random(images.shape) > density] = 0
    images[7] = 0  # an image all black
    images[:, 11] = 0  # a pixel never lit
    return images


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("density", [0, 0.2, 1])
def test_compress_is_scipys(rng, density, dtype):
    images = images_with(rng, density, dtype)
    ours, want = csr.compress(images), scipy.sparse.csr_matrix(images)
    for name in ("indptr", "indices", "data"):
        assert (getattr(ours, name) == getattr(want, name)).all()
    assert ours.data.dtype == dtype


def test_density(rng):
    images = images_with(rng, 0.2)
    assert csr.density(images) == np.mean(images != 0)
    assert csr.density(np.zeros((0, 5), np.float32)) == 0


def test_nothing_is_compressed_on_the_dense_path():
    empty = csr.uncompressed(np.dtype(np.float64))
    assert list(empty.indptr) == [0]
    assert empty.data.dtype == np.float64
