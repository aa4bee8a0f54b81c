"""The step of a small batch as NumPy specifies it for the kernels, against Chainer's graph."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import F, chainer
from bnrenorm.engines.cuda.parameters import Layer, Tensor
from bnrenorm.engines.cuda.reference import Reference
from bnrenorm.engines.spec import BATCH, FIXED, NODE, NONE, SGD
from bnrenorm.network.schedule import AFFINE_LR, LR
from tests.engines.cuda.kernels.cases import Inputs, context_of, hyper_of, kernel_spec

R, N, D, K, C = 3, 5, 8, 4, 6
IMAGES = 20
ops = Reference()


class Graph:
    """One replica's network as Chainer's graph in float64, with r and d as constants."""

    def __init__(self, w, hidden, last, r):
        arrays = {"w": w.value, "b": hidden.bias.value, "w2": last.weight.value, "b2": last.bias.value}
        if hidden.gamma is not None:
            arrays |= {"gamma": hidden.gamma.value, "beta": hidden.beta.value}
        self.parameters = {name: chainer.Parameter(array[r].copy()) for name, array in arrays.items()}

    def gradients(self, x, labels, eps, corrections, *, norm_first):
        """Return loss, correct answers and gradients; corrections: r and d, (K,) each, or None without normalisation."""
        p = self.parameters
        z = F.linear(x, p["w"], p["b"])
        a = z if norm_first else F.relu(z)
        if corrections is not None:
            mean = F.broadcast_to(F.mean(a, axis=0), a.shape)
            std = F.broadcast_to(F.sqrt(F.mean((a - mean) ** 2, axis=0) + eps), a.shape)
            r, d = (np.broadcast_to(value, a.shape) for value in corrections)
            a = (a - mean) / std * r + d
            if "gamma" in p:
                a = F.bias(F.scale(a, p["gamma"], axis=1), p["beta"], axis=1)
        a = F.relu(a) if norm_first else a
        logits = F.linear(a, p["w2"], p["b2"])
        loss = F.softmax_cross_entropy(logits, labels)
        loss.backward()
        right = logits.array.argmax(axis=1) == labels
        return float(loss.array), right.mean(), {name: parameter.grad for name, parameter in p.items()}


@pytest.mark.parametrize("norm_first", [0, 1])
@pytest.mark.parametrize(("norm", "affine"), [(BATCH, NODE), (BATCH, FIXED), (NONE, FIXED)])
def test_a_small_batchs_step_is_that_of_chainers_graph(norm, affine, norm_first):
    """By gradient descent: what is subtracted from a parameter is its rate times the gradient."""
    make, specification = Inputs(np.float64), kernel_spec(norm, affine, norm_first, optimizer=SGD)
    images, labels = make.normal(IMAGES, D), make.random.integers(0, C, IMAGES).astype(np.int32)
    index, following = make.random.integers(0, IMAGES, (2, 2, N)).astype(np.int32)
    seed_of = make.seed_of(R)
    w, (gamma, beta) = make.tensor(SGD, R, K, D), make.affine(affine, R, K)
    affines = (None, None) if gamma is None else (Tensor(gamma, None, None, None), Tensor(beta, None, None, None))
    run = (make.normal(R, K), make.uniform(0.5, 2, R, K)) if norm == BATCH else None
    hidden = Layer(w, make.tensor(SGD, R, K), *affines, run)
    last = Layer(make.tensor(SGD, R, C, K), make.tensor(SGD, R, C), None, None, None)
    graphs = [Graph(w, hidden, last, r) for r in range(R)]
    products, gradient, stats = make.poisoned(R, N, K), make.poisoned(R, N, K), make.poisoned(R, 1, 6, K)
    sums, schedule = np.zeros((R, 2)), make.schedule(R)
    context = context_of(specification, hyper_of(R, eps=1e-3, decay=0.9), schedule, seed_of)
    ops.first(images, None, index, context, gradient, w, products)
    before = products.copy()
    ops.middle(labels, index, context, products, gradient, [hidden, last], stats, sums)
    assert (products == before).all()
    ops.first(images, index, following, context, gradient, w, products)
    for r, graph in enumerate(graphs):
        chosen = index[seed_of[r]]
        corrections = (stats[r, 0, 2], stats[r, 0, 3]) if norm == BATCH else None
        before = {name: parameter.array for name, parameter in graph.parameters.items()}
        loss, accuracy, gradients = graph.gradients(
            images[chosen], labels[chosen], 1e-3, corrections, norm_first=norm_first
        )
        assert_allclose(sums[r], [loss, accuracy], rtol=1e-10)
        after = {"w": w, "b": hidden.bias, "w2": last.weight, "b2": last.bias}
        after |= {"gamma": hidden.gamma, "beta": hidden.beta}
        for name, g in gradients.items():
            lr = schedule[r, AFFINE_LR if name in ("gamma", "beta") else LR]
            assert_allclose(after[name].value[r], before[name] - lr * g, rtol=1e-9, atol=1e-12, err_msg=name)
        assert_allclose(products[r], images[following[seed_of[r]]] @ w.value[r].T, rtol=1e-12)
