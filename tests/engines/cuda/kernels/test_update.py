"""kernels/update.cu against NumPy's formulas in float64."""

import numpy as np
import pytest

from bnrenorm.engines.cuda import launches
from bnrenorm.engines.cuda.launches import Launches
from bnrenorm.engines.cuda.parameters import Vector
from bnrenorm.engines.spec import CODES, MOMENTUM, SGD
from bnrenorm.network.schedule import AFFINE_LR, LR
from tests.engines.cuda.kernels.cases import DTYPES, Inputs, compare, context_of, kernel_spec, mapped, on_device

pytestmark = [pytest.mark.gpu, pytest.mark.parametrize("dtype", DTYPES)]
BY_OPTIMIZER = pytest.mark.parametrize("optimizer", list(CODES.values()), ids=list(CODES))
DECAYS = [7, 8]  # columns of the hyperparameters: l2, l1


def rule(optimizer, hyper, schedule):
    return context_of(kernel_spec(optimizer=optimizer), hyper, schedule)


@BY_OPTIMIZER
@pytest.mark.parametrize(("replicas", "shape"), [(1, (1, 1)), (3, (31, 33)), (3, (100, 17))])
@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("decays", [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("pieces", [1, 3])
def test_update_weights(dtype, optimizer, replicas, shape, average, decays, pieces):
    make = Inputs(dtype)
    tensor, hyper = make.tensor(optimizer, replicas, *shape, average=average), make.hyper(replicas)
    tensor.value[:, 0] = 0  # where the sign is 0
    hyper[:, DECAYS] *= np.array(decays, dtype)
    gradient = make.normal(replicas, pieces, *shape)
    compare(dtype, "update_weights", tensor, gradient, rule(optimizer, hyper, make.schedule(replicas)))


def test_a_few_blocks_update_many_weights(dtype, monkeypatch):
    """More weights than threads: a thread takes several."""
    monkeypatch.setattr(launches, "FILLING", 4)
    make = Inputs(dtype)
    tensor, hyper = make.tensor(MOMENTUM, 3, 31, 33), make.hyper(3)
    compare(dtype, "update_weights", tensor, make.normal(3, 1, 31, 33), rule(MOMENTUM, hyper, make.schedule(3)))


def vectors_of(make, optimizer, replicas, width, *, average=False):
    """Return a bias whose gradient is of three pieces, and gamma and beta of one a node, one a layer, and their mean."""

    def vector(length, pieces, column, divisor=1):
        tensor = make.tensor(optimizer, replicas, length, average=average)
        return Vector(tensor, make.normal(replicas, pieces, width), column, divisor)

    return [vector(width, 3, LR), vector(width, 1, AFFINE_LR), vector(1, 1, AFFINE_LR), vector(1, 1, AFFINE_LR, width)]


@BY_OPTIMIZER
@pytest.mark.parametrize(("replicas", "width"), [(1, 1), (3, 31), (3, 257)])
@pytest.mark.parametrize("average", [False, True])
def test_update_vectors(dtype, optimizer, replicas, width, average):
    """Decay is of weights alone."""
    make = Inputs(dtype)
    vectors = vectors_of(make, optimizer, replicas, width, average=average)
    compare(dtype, "update_vectors", vectors, rule(optimizer, make.hyper(replicas), make.schedule(replicas)))


def test_every_list_of_vectors_has_its_own_table(dtype):
    """The table of addresses is made once for a list, and not taken for another one's."""
    make, ops = Inputs(dtype), Launches(dtype)
    context = mapped(rule(SGD, make.hyper(2), make.schedule(2)), on_device)
    for _ in range(3):
        vectors = mapped(vectors_of(make, SGD, 2, 5), on_device)
        before = [vector.tensor.value.get() for vector in vectors]
        ops.update_vectors(vectors, context)
        assert all((vector.tensor.value.get() != old).all() for vector, old in zip(vectors, before, strict=True))
