import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import F, chainer
from bnrenorm.norm.affine import StackedAffine, StackedLayerNormalization

R, N, D = 2, 5, 4
EPS = (1e-5, 0.5)


@pytest.mark.parametrize(("per", "shape"), [("node", (R, 1, D)), ("layer", (R, 1, 1))])
def test_gamma_and_beta_are_one_a_node_or_one_a_layer(per, shape):
    affine = StackedAffine(R, D, per)
    assert affine.gamma.shape == affine.beta.shape == shape
    gamma, beta = affine.parameters(np.float32)
    assert gamma.shape == beta.shape == (R, 1, D)
    F.sum(gamma * np.arange(D, dtype=np.float32)).backward()
    assert_allclose(affine.gamma.grad[1].ravel(), np.arange(D) if per == "node" else [6])


def test_none_has_no_parameters():
    affine = StackedAffine(R, D, "none")
    assert not list(affine.params())
    gamma, beta = affine.parameters(np.float64)
    assert (gamma.array == 1).all()
    assert (beta.array == 0).all()
    assert gamma.dtype == np.float64


def test_layer_normalisation_is_chainers_for_each_replica(rng):
    link = StackedLayerNormalization(StackedAffine(R, D, "node"), np.reshape(EPS, (R, 1, 1)))
    link.affine.gamma.array[...] = rng.normal(size=(R, 1, D))
    link.affine.beta.array[...] = rng.normal(size=(R, 1, D))
    x, gy = (rng.normal(2, 3, (R, N, D)).astype(np.float32) for _ in range(2))
    mine = chainer.Variable(x)
    y = link(mine)
    F.sum(y * gy).backward()
    for i, eps in enumerate(EPS):
        theirs = chainer.Variable(x[i])
        want = F.layer_normalization(theirs, link.affine.gamma.array[i, 0], link.affine.beta.array[i, 0], eps=eps)
        F.sum(want * gy[i]).backward()
        assert_allclose(y.array[i], want.array, rtol=1e-4, atol=1e-5)
        assert_allclose(mine.grad[i], theirs.grad, rtol=1e-3, atol=1e-5)
