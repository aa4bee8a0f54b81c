"""kernels/small.cu against NumPy's formulas in float64: the two launches of a step with a small batch."""

import numpy as np
import pytest

from bnrenorm.engines.cuda.parameters import Layer
from bnrenorm.engines.spec import BATCH, FIXED, MOMENTUM, NODE, NONE, SGD
from tests.engines.cuda.kernels.cases import DTYPES, Inputs, compare, context_of, kernel_spec

pytestmark = [pytest.mark.gpu, pytest.mark.parametrize("dtype", DTYPES)]
BY_BATCH = pytest.mark.parametrize("n", [1, 4, 20, 32])
BY_OPTIMIZER = pytest.mark.parametrize("optimizer", [SGD, MOMENTUM])


def indices(make, seeds, n):
    return make.random.integers(0, 50, (seeds, n)).astype(np.int32)


@BY_BATCH
@BY_OPTIMIZER
@pytest.mark.parametrize(("replicas", "inputs", "width"), [(1, 4, 1), (3, 100, 31)])
@pytest.mark.parametrize("calls", ["first batch", "update", "both"])
def test_first(dtype, n, optimizer, replicas, inputs, width, calls):
    """What is not asked for is left alone: weights without a batch before, products without one that follows."""
    make, seeds = Inputs(dtype), min(replicas, 2)
    index = None if calls == "first batch" else indices(make, seeds, n)
    following = None if calls == "update" else indices(make, seeds, n)
    images, weight = make.normal(50, inputs), make.tensor(optimizer, replicas, width, inputs)
    gradient, products = (make.normal(replicas, n, width) for _ in range(2))
    hyper = make.hyper(replicas)
    hyper[0, [7, 8]] = 0  # without L1 and L2 decay
    context = context_of(kernel_spec(optimizer=optimizer), hyper, make.schedule(replicas), make.seed_of(replicas))
    compare(dtype, "first", images, index, following, context, gradient, weight, products)


@pytest.mark.parametrize("n", [4, 9, 20])
def test_first_with_several_rows_a_warp(dtype, n):
    """Of many replicas, so that a block loads its images once for more rows, and a warp reads them once for two."""
    make = Inputs(dtype)
    weight = make.tensor(MOMENTUM, 33, 125, 8)
    gradient, products = (make.normal(33, n, 125) for _ in range(2))
    context = context_of(kernel_spec(), make.hyper(33), np.tile(make.schedule(3), (11, 1)), make.seed_of(33))
    images, index, following = make.normal(50, 8), indices(make, 2, n), indices(make, 2, n)
    compare(dtype, "first", images, index, following, context, gradient, weight, products)


def middle(make, replicas, n, width, classes, spec, *, observe=True, equal=False):
    """Compare a step of a random network; `equal`: all its logits are 0."""
    norms, learned = spec.norm == BATCH, spec.affine == NODE
    tensors = [make.tensor(spec.optimizer, replicas, width) if learned else None for _ in range(2)]
    run = (make.normal(replicas, width), make.uniform(0.5, 2, replicas, width)) if norms else None
    hidden = Layer(None, make.tensor(spec.optimizer, replicas, width), *tensors, run)
    last = make.tensor(spec.optimizer, replicas, classes, width), make.tensor(spec.optimizer, replicas, classes)
    for tensor in last if equal else ():
        tensor.value[...] = 0
    layers = [hidden, Layer(*last, None, None, None)]
    labels = make.random.integers(0, classes, 50).astype(np.int32)
    products, gradient = make.normal(replicas, n, width, std=2), make.poisoned(replicas, n, width)
    stats = make.poisoned(replicas, 1, 6, width) if observe and norms else None
    sums, dtype = Inputs(np.float64).normal(replicas, 2), make.dtype
    index = indices(make, min(replicas, 2), n)
    context = context_of(spec, make.hyper(replicas), make.schedule(replicas), make.seed_of(replicas))
    compare(dtype, "middle", labels, index, context, products, gradient, layers, stats, sums)


@BY_BATCH
@pytest.mark.parametrize(("replicas", "width", "classes"), [(1, 1, 2), (3, 33, 10), (1, 200, 37)])
@pytest.mark.parametrize("norm_first", [0, 1])
def test_middle(dtype, n, replicas, width, classes, norm_first):
    middle(Inputs(dtype), replicas, n, width, classes, kernel_spec(norm_first=norm_first))


@BY_OPTIMIZER
@pytest.mark.parametrize("norm_first", [0, 1])
@pytest.mark.parametrize(("norm", "affine", "track_std"), [(BATCH, NODE, 1), (BATCH, FIXED, 0), (NONE, FIXED, 0)])
@pytest.mark.parametrize("observe", [False, True])
def test_middle_of_every_kind(dtype, optimizer, norm_first, norm, affine, track_std, observe):
    spec = kernel_spec(norm, affine, norm_first, track_std, optimizer)
    middle(Inputs(dtype), 3, 4, 31, 10, spec, observe=observe)


def test_of_equally_large_logits_the_first_is_the_answer(dtype):
    middle(Inputs(dtype), 3, 20, 31, 10, kernel_spec(), equal=True)
