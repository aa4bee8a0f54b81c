import numpy as np
import pytest

from bnrenorm._compat import chainer
from bnrenorm.norm import formulas
from bnrenorm.norm.function import renormalise

R, N, D = 2, 5, 3
EPS = 1e-3


@pytest.mark.parametrize(("r_max", "d_max"), [(1.0, 0.0), (3.0, 5.0), (1.1, 0.2)])
def test_numerical_gradient_with_r_and_d_constant(rng, r_max, d_max):
    from chainer import gradient_check

    x, gamma, beta = rng.normal(2, 3, (R, N, D)), rng.normal(1, 0.2, (R, 1, D)), rng.normal(size=(R, 1, D))
    mean, var = formulas.moments(x)
    run_mean, run_std = rng.normal(size=(R, 1, D)), rng.uniform(0.5, 4, (R, 1, D))
    r, d = formulas.corrections(mean, np.sqrt(var + EPS), run_mean, run_std, r_max, d_max)

    def normalised(x, gamma, beta):
        mean, var = formulas.moments(x.array)
        return renormalise(x, gamma, beta, mean, np.sqrt(var + EPS), r, d)

    gradient_check.check_backward(
        normalised, (x, gamma, beta), rng.normal(size=(R, N, D)), eps=1e-5, atol=1e-6, rtol=1e-5, dtype=np.float64
    )


def test_only_the_gradients_asked_for_are_kept(rng):
    x = rng.normal(size=(R, N, D))
    gamma, beta = chainer.Parameter(np.ones((R, 1, D))), chainer.Parameter(np.zeros((R, 1, D)))
    mean, var = formulas.moments(x)
    one = np.ones_like(mean)
    y = renormalise(x, gamma, beta, mean, np.sqrt(var + EPS), one, 0 * one)
    y.grad = np.ones_like(x)
    y.backward()
    assert np.allclose(beta.grad, N)
    assert np.allclose(gamma.grad, 0)


def test_a_second_derivative_is_refused_in_words(rng):
    x = chainer.Variable(rng.normal(size=(R, N, D)))
    one = np.ones((R, 1, D))
    y = renormalise(x, chainer.Variable(one), chainer.Variable(one), 0 * one, one, one, one)
    (gx,) = chainer.grad([y], [x], [chainer.Variable(np.ones((R, N, D)))], enable_double_backprop=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        chainer.grad([chainer.functions.sum(gx * gx)], [x])


def test_shapes_and_dtypes_are_checked(rng):
    x, one = rng.normal(size=(R, N, D)), np.ones((R, 1, D))
    with pytest.raises(chainer.utils.type_check.InvalidType):
        renormalise(x, one.astype(np.float32), one, one, one, one, one)
    with pytest.raises(chainer.utils.type_check.InvalidType):
        renormalise(x, one[:, :, :2], one, one, one, one, one)
    with pytest.raises(chainer.utils.type_check.InvalidType):
        renormalise(x, one, one[:, :, :1], one, one, one, one)  # which broadcasting would take for all nodes
