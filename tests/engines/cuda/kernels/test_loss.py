"""kernels/loss.cu against NumPy's formulas in float64, and the products that cuBLAS takes."""

import numpy as np
import pytest

from bnrenorm.engines.cuda import cublas
from bnrenorm.engines.cuda.launches import Launches
from bnrenorm.engines.cuda.rows import PIECE
from tests.engines.cuda.kernels.cases import DTYPES, Inputs, compare, on_device

pytestmark = [pytest.mark.gpu, pytest.mark.parametrize("dtype", DTYPES)]


def index_of(make, seeds, n, images):
    """Return indices (S, N) that are columns of a wider table, as those of an epoch's smaller last batch are."""
    return make.random.integers(0, images, (seeds, n + 3)).astype(np.int32)[:, :n]


@pytest.mark.parametrize(("n", "width"), [(1, 3), (5, 257), (40, 784)])
@pytest.mark.parametrize("seeds", [1, 2])
def test_gather_for_seeds(dtype, n, width, seeds):
    make = Inputs(dtype)
    images, index = make.normal(50, width), index_of(make, seeds, n, 50)
    compare(dtype, "gather", images, index, make.poisoned(seeds, n, width), None)


@pytest.mark.parametrize(("n", "width"), [(1, 3), (5, 257), (40, 784)])
@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize("indexed", [True, False])
def test_gather_with_dropout_for_replicas(dtype, n, width, replicas, indexed):
    make = Inputs(dtype)
    index = index_of(make, min(replicas, 2), n, 50) if indexed else None
    x = make.poisoned(replicas, n, width)
    compare(dtype, "gather", make.normal(50, width), index, x, make.mask(replicas, width))


@pytest.mark.parametrize("classes", [2, 10, 37])
@pytest.mark.parametrize(("replicas", "n"), [(1, 1), (3, 5), (3, 257), (1, 700)])
@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize(("learn", "answers"), [(True, True), (True, False), (False, True)])
def test_loss(dtype, replicas, n, classes, indexed, learn, answers):
    make = Inputs(dtype)
    labels = make.random.integers(0, classes, 900).astype(np.int32)
    index, seed_of = index_of(make, min(replicas, 2), n, 900) if indexed else None, make.seed_of(replicas)
    right = np.full((replicas, n), 77, np.uint8) if answers else None
    partial = np.full((replicas, -(-n // PIECE), 2), np.nan)
    logits, bias = make.normal(replicas, n, classes, std=4), make.normal(replicas, classes)
    compare(dtype, "loss", logits, bias, labels, index, seed_of, learn, right, partial)


def test_loss_of_large_logits(dtype):
    """Their exponentials overflow, unless the largest is subtracted."""
    make = Inputs(dtype)
    labels, partial = make.random.integers(0, 10, 20).astype(np.int32), np.full((2, 1, 2), np.nan)
    logits, bias = make.normal(2, 20, 10, std=5000), make.normal(2, 10)
    compare(dtype, "loss", logits, bias, labels, None, make.seed_of(2), True, None, partial)


def test_of_equally_large_logits_the_first_is_the_answer(dtype):
    """Whichever lane of a warp has it."""
    logits, labels = np.zeros((1, 5, 40), dtype), np.array([3, 3, 0, 1, 1], np.int32)
    logits[0, :2, 3] = logits[0, 0, 35] = logits[0, 1, 2] = logits[0, 4, 1:3] = 1
    right, partial = np.full((1, 5), 77, np.uint8), np.full((1, 1, 2), np.nan)
    arrays = [on_device(array) for array in (logits, np.zeros((1, 40), dtype), labels, right, partial)]
    seed_of = on_device(np.zeros(1, np.int32))
    Launches(dtype).loss(*arrays[:3], None, seed_of, False, *arrays[3:])
    assert arrays[3].get().tolist() == [[1, 0, 1, 0, 1]]
    assert arrays[4].get()[0, 0, 1] == 3


@pytest.mark.parametrize(("replicas", "pieces"), [(1, 1), (300, 3)])
def test_add_losses(dtype, replicas, pieces):
    make = Inputs(np.float64)
    compare(dtype, "add_losses", make.normal(replicas, pieces, 2), 700, make.normal(replicas, 2))


PRODUCTS = {
    "forward": ((3, 5, 31), (3, 7, 31), {"tb": True}, False),
    "forward, one replica": ((1, 5, 31), (1, 7, 31), {"tb": True}, False),
    "forward, shared images": ((5, 31), (3, 7, 31), {"tb": True}, False),
    "forward, images of seeds": ((2, 5, 31), (3, 7, 31), {"tb": True}, True),
    "weights' gradient": ((3, 9, 7), (3, 9, 33), {"ta": True}, False),
    "weights' gradient, shared images": ((3, 9, 7), (9, 33), {"ta": True}, False),
    "weights' gradient, images of seeds": ((3, 9, 7), (2, 9, 33), {"ta": True}, True),
    "backward": ((3, 9, 7), (3, 7, 33), {}, False),
    "a batch of one image": ((3, 1, 31), (3, 1, 31), {"tb": True}, False),
}


@pytest.mark.parametrize("one_at_a_time", [False, True])
@pytest.mark.parametrize("name", PRODUCTS)
def test_product(dtype, monkeypatch, name, one_at_a_time):
    if one_at_a_time:
        monkeypatch.setattr(cublas, "_LARGE", 0)
    (a, b, options, of_seeds), make = PRODUCTS[name], Inputs(dtype)
    m, n = a[-1] if "ta" in options else a[-2], b[-2] if "tb" in options else b[-1]
    out = make.poisoned(max(len(a) == 3 and a[0], len(b) == 3 and b[0]), m, n)
    of = np.array([0, 1, 0], np.int32) if of_seeds else None
    compare(dtype, "product", make.normal(*a), make.normal(*b), out, of=of, **options)


@pytest.mark.parametrize("one_at_a_time", [False, True])
@pytest.mark.parametrize(("n", "pieces"), [(5, 1), (12, 3), (13, 3)])
@pytest.mark.parametrize("shared", [True, False])
def test_gradient_in_pieces(dtype, monkeypatch, shared, n, pieces, one_at_a_time):
    if one_at_a_time:
        monkeypatch.setattr(cublas, "_LARGE", 0)
    make = Inputs(dtype)
    x = make.normal(*(() if shared else (3,)), n, 33)
    compare(dtype, "gradient", make.normal(3, n, 7), x, make.poisoned(3, pieces, 7, 33))
