"""Batches, loss and update rules as NumPy specifies them for the kernels, against Chainer and oracles."""

import inspect
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import F, chainer
from bnrenorm.engines import spec
from bnrenorm.engines.cuda.checked import Checked
from bnrenorm.engines.cuda.launches import Launches
from bnrenorm.engines.cuda.parameters import Tensor, Vector
from bnrenorm.engines.cuda.reference import Reference
from bnrenorm.network.schedule import AFFINE_LR, LR
from tests import oracle
from tests.engines.cuda.kernels.cases import Inputs, context_of, hyper_of, kernel_spec

R, N, D, K, C = 3, 5, 8, 4, 6
METHODS = sorted(name for name, _ in inspect.getmembers(Reference, inspect.isfunction))
ops = Reference()


@pytest.mark.parametrize("name", METHODS)
def test_launches_and_formulas_take_the_same_arguments(name):
    assert inspect.signature(getattr(Launches, name)) == inspect.signature(getattr(Reference, name))


def test_doctor_compares_every_launch_with_its_formula():
    device: Any = Reference()
    checked = Checked(device)
    compared = {name for name in METHODS if getattr(checked, name).__name__ == "checked"}
    assert compared == set(METHODS) - {"math_mode", "recorded", "synchronize", "copy"}


@pytest.fixture
def make():
    return Inputs(np.float64)


def index_of(make):
    return make.random.integers(0, 20, (2, N)).astype(np.int32)


def test_gather_takes_the_images_of_every_seed_or_replica(make):
    images, index, mask = make.normal(20, D), index_of(make), make.mask(R, D)
    by_seed, by_replica, in_order = make.poisoned(2, N, D), make.poisoned(R, N, D), make.poisoned(R, N, D)
    ops.gather(images, index, by_seed, None)
    ops.gather(images, index, by_replica, mask)
    ops.gather(images, None, in_order, mask)
    for seed, n in np.ndindex(2, N):
        assert (by_seed[seed, n] == images[index[seed, n]]).all()
    for r, n, d in np.ndindex(R, N, D):
        seed = mask.seed_of[r]
        is_kept = mask.ranks[seed, d] < mask.kept[r]
        assert by_replica[r, n, d] == (images[index[seed, n], d] if is_kept else 0)
        assert in_order[r, n, d] == (images[n, d] if is_kept else 0)


@pytest.mark.parametrize(
    ("a", "b", "options", "of"),
    [
        ((R, N, D), (R, K, D), {"tb": True}, False),
        ((N, D), (R, K, D), {"tb": True}, False),
        ((2, N, D), (R, K, D), {"tb": True}, True),
        ((R, N, K), (2, N, D), {"ta": True}, True),
        ((R, N, K), (N, D), {"ta": True}, False),
        ((R, N, K), (R, K, D), {}, False),
    ],
)
def test_product_is_of_every_replicas_matrices(make, a, b, options, of):
    a, b, seeds = make.normal(*a), make.normal(*b), np.array([0, 1, 0], np.int32)
    of_a = of and "ta" not in options
    left = [a if a.ndim == 2 else a[seeds[r] if of_a else r] for r in range(R)]
    right = [b if b.ndim == 2 else b[seeds[r] if of and not of_a else r] for r in range(R)]
    want = [
        x.T @ y if "ta" in options else x @ (y.T if "tb" in options else y) for x, y in zip(left, right, strict=True)
    ]
    out = make.poisoned(*np.shape(want))
    ops.product(a, b, out, of=seeds if of else None, **options)
    assert_allclose(out, want, rtol=1e-12)


def test_a_product_is_subtracted(make):
    a, b, out = make.normal(R, N, K), make.normal(R, N, D), make.normal(R, K, D)
    want = [out[r] - a[r].T @ b[r] for r in range(R)]
    ops.product(a, b, out, ta=True, subtract=True)
    assert_allclose(out, want, rtol=1e-12)


@pytest.mark.parametrize("indexed", [True, False])
def test_the_loss_is_the_oracles_and_its_gradient_is_chainers(make, indexed):
    logits, bias, labels = (
        make.normal(R, N, C, std=3),
        make.normal(R, C),
        make.random.integers(0, C, 20).astype(np.int32),
    )
    index, seed_of = index_of(make) if indexed else None, make.seed_of(R)
    right, partial, before = np.full((R, N), 77, np.uint8), make.poisoned(R, 2, 2), logits + bias[:, None]
    ops.loss(logits, bias, labels, index, seed_of, True, right, partial)
    for r in range(R):
        own = labels[index[seed_of[r]]] if indexed else labels[:N]
        losses = [oracle.cross_entropy(list(row), label) for row, label in zip(before[r], own, strict=True)]
        answers = before[r].argmax(axis=1) == own
        assert (right[r] == answers).all()
        assert_allclose(partial[r], [[sum(losses[:3]), sum(answers[:3])], [sum(losses[3:]), sum(answers[3:])]])
        variable = chainer.Variable(before[r])
        F.softmax_cross_entropy(variable, own).backward()
        assert_allclose(logits[r], variable.grad, rtol=1e-10, atol=1e-14)
    sums = np.ones((R, 2))
    ops.add_losses(partial, N, sums)
    assert_allclose(sums, 1 + partial.sum(axis=1) / N)


def test_without_learning_the_logits_keep_their_bias(make):
    logits, bias, labels = make.normal(R, N, C), make.normal(R, C), np.zeros(N, np.int32)
    want = logits + bias[:, None]
    ops.loss(logits, bias, labels, None, make.seed_of(R), False, None, make.poisoned(R, 1, 2))
    assert (logits == want).all()


RULES = {
    "sgd": (lambda lr: chainer.optimizers.SGD(lr), {}, {}),
    "momentum_sgd": (lambda lr: chainer.optimizers.MomentumSGD(lr, 0.75), {"momentum": 0.75}, {"v": "exp_avg"}),
    "adam": (
        lambda lr: chainer.optimizers.Adam(lr, beta1=0.75, beta2=0.875, eps=1e-3),
        {"one_minus_beta1": 0.25, "one_minus_beta2": 0.125, "optimizer_eps": 1e-3},
        {"m": "exp_avg", "v": "exp_avg_sq"},
    ),
    "rmsprop": (
        lambda lr: chainer.optimizers.RMSprop(lr, alpha=0.875, eps=1e-3),
        {"alpha": 0.875, "optimizer_eps": 1e-3},
        {"ms": "exp_avg_sq"},
    ),
}


RATES = (0.125, 0.25, 0.5)


def rates_at(kind, t):
    """Return the schedule of step t: the rate of gamma and beta is twice that of weights and biases."""
    correction = np.sqrt(1 - 0.875**t) / (1 - 0.75**t) if kind == "adam" else 1
    rates = np.array(RATES) * correction
    return np.stack([np.ones(R), np.zeros(R), rates, 2 * rates], axis=1)


def rule_at(kind, t, hyper):
    return context_of(kernel_spec(optimizer=spec.CODES[kind]), hyper, rates_at(kind, t))


def zeros(kind, *shape, make):
    names = RULES[kind][2].values()
    states = (np.zeros(shape) if name in names else None for name in ("exp_avg", "exp_avg_sq"))
    return Tensor(make.normal(*shape), *states, make.normal(*shape))


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("decays", [(0, 0), (0.5, 0), (0, 0.25), (0.5, 0.25)])
def test_updates_of_weights_are_chainers(make, kind, decays):
    rule_of, values, names = RULES[kind]
    tensor = zeros(kind, R, K, D, make=make)
    tensor.value[:, 0, 0] = 0
    parameters, rules = [], []
    for r in range(R):
        parameters.append(chainer.Parameter(tensor.value[r].copy()))
        rules.append(rule_of(RATES[r]).create_update_rule())
        rules[r].add_hook(chainer.optimizer_hooks.WeightDecay(decays[0]))
        rules[r].add_hook(chainer.optimizer_hooks.Lasso(decays[1]))
    average, hyper = tensor.average.copy(), hyper_of(R, l2=decays[0], l1=decays[1], average_decay=0.75, **values)
    for t in range(1, 6):
        g = make.normal(R, K, D)
        for parameter, rule, gradient in zip(parameters, rules, g, strict=True):
            parameter.grad = gradient.copy()
            rule.update(parameter)
        ops.update_weights(tensor, g[:, None], rule_at(kind, t, hyper))
        average = 0.75 * average + 0.25 * np.stack([parameter.array for parameter in parameters])
        assert_allclose(tensor.value, [parameter.array for parameter in parameters], rtol=1e-12)
        assert_allclose(tensor.average, average, rtol=1e-12)
    for name, ours in names.items():
        assert_allclose(getattr(tensor, ours), [rule.state[name] for rule in rules], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", RULES)
def test_updates_of_vectors_are_chainers(make, kind):
    """Of a bias whose gradient is of three pieces, gamma, and one number a layer by the sum and by the mean; no decay."""
    rule_of, values, _ = RULES[kind]
    shapes = [
        ((R, K), 3, LR, 1, 1),
        ((R, K), 1, AFFINE_LR, 1, 2),
        ((R, 1), 1, AFFINE_LR, 1, 2),
        ((R, 1), 1, AFFINE_LR, K, 2),
    ]
    tensors = [zeros(kind, *shape, make=make) for shape, *_ in shapes]
    parameters = [[chainer.Parameter(row.copy()) for row in tensor.value] for tensor in tensors]
    rules = [[rule_of(factor * rate).create_update_rule() for rate in RATES] for *_, factor in shapes]
    for t in range(1, 4):
        vectors = []
        for tensor, (shape, pieces, column, divisor, _), own, by in zip(
            tensors, shapes, parameters, rules, strict=True
        ):
            g = make.normal(R, pieces, K)
            vectors.append(Vector(tensor, g, column, divisor))
            for r in range(R):
                total = g[r].sum(axis=0)
                own[r].grad = total if shape[1] == K else np.array([total.sum() / divisor])
                by[r].update(own[r])
        hyper = hyper_of(R, l2=0.5, l1=0.5, average_decay=0.75, **values)
        ops.update_vectors(vectors, rule_at(kind, t, hyper))
    for tensor, own in zip(tensors, parameters, strict=True):
        assert_allclose(tensor.value, [parameter.array for parameter in own], rtol=1e-12)
