"""Losses and penalties against the scalar oracle and plain sums, and their gradients against numerical ones."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import chainer
from bnrenorm.network import losses, mlp
from tests import oracle
from tests.helpers import trials_of

R, N, C = 2, 5, 3


@pytest.fixture
def logits(rng):
    return rng.normal(size=(R, N, C))


@pytest.fixture
def labels(rng):
    return rng.integers(0, C, (R, N)).astype(np.int32)


def softmax(row):
    total = sum(np.exp(float(v)) for v in row)
    return [np.exp(float(v)) / total for v in row]


def test_cross_entropy_is_the_oracles_for_own_and_shared_labels(logits, labels):
    for given in (labels, labels[0]):
        loss = losses.mean_loss(chainer.Variable(logits), given).array
        for i, own in enumerate(np.broadcast_to(given, (R, N))):
            want = [oracle.cross_entropy([float(v) for v in row], t) for row, t in zip(logits[i], own, strict=True)]
            assert loss[i] == pytest.approx(np.mean(want), rel=1e-12)


@pytest.mark.parametrize("output", ["softmax", "identity"])
def test_the_squared_error_is_half_the_sum_over_classes(logits, labels, output):
    loss = losses.mean_loss(chainer.Variable(logits), labels, output, "squared_error").array
    for i in range(R):
        total = 0.0
        for row, label in zip(logits[i], labels[i], strict=True):
            outputs = softmax(row) if output == "softmax" else row
            total += sum((value - (c == label)) ** 2 for c, value in enumerate(outputs))
        assert loss[i] == pytest.approx(total / (2 * N), rel=1e-12)


def test_the_gradient_of_the_squared_error_is_output_minus_label_over_images(logits, labels):
    """As the second article states it: (y - t) / N, whatever the number of classes."""
    x = chainer.Variable(logits)
    chainer.functions.sum(losses.mean_loss(x, labels, "identity", "squared_error")).backward()
    assert x.grad is not None
    for i, n, c in np.ndindex(R, N, C):
        assert x.grad[i, n, c] == pytest.approx((logits[i, n, c] - (c == labels[i, n])) / N, rel=1e-12)


@pytest.mark.parametrize(
    ("output", "loss"),
    [("softmax", "cross_entropy"), ("softmax", "squared_error"), ("identity", "squared_error")],
)
def test_gradients_are_the_numerical_ones(logits, labels, rng, output, loss):
    from chainer import gradient_check

    gradient_check.check_backward(
        lambda x: losses.mean_loss(x, labels, output, loss), (logits,), rng.normal(size=R), atol=1e-6, dtype=np.float64
    )


def test_a_huge_logit_overflows_nowhere():
    logits = np.array([[[1e4, 0, -1e4]]], np.float32)
    loss = losses.mean_loss(chainer.Variable(logits), np.array([2], np.int32)).array
    assert loss == pytest.approx([2e4])


def test_a_replica_does_not_depend_on_its_companions(logits, labels):
    for output, loss in (("softmax", "cross_entropy"), ("softmax", "squared_error")):
        together = losses.mean_loss(chainer.Variable(logits), labels, output, loss).array
        for i in range(R):
            alone = losses.mean_loss(chainer.Variable(logits[i : i + 1]), labels[i : i + 1], output, loss).array
            assert alone[0] == together[i]


def test_penalties_are_those_of_each_replicas_weights():
    """Of weights alone: biases, gamma and beta have none."""
    text = """
model: {hidden: [4, 3]}
variants: {A: {}, B: {training: {l1_decay: 0.5, weight_decay: 0.1}}, C: {training: {weight_decay: 2}}}
"""
    trials = trials_of(text)
    network = mlp.build(trials, 6)
    for parameter in network.params():
        parameter.array = np.full_like(parameter.array, 3.0)
    for depth, linear in enumerate(network.linears):
        linear.W.array[...] = np.linspace(-1, 1 + depth, linear.W.size).reshape(linear.W.shape)
    found = losses.penalty(network, trials)
    assert found.dtype == np.float64
    for replica, (l1, l2) in enumerate([(0, 0), (0.5, 0.1), (0, 2)]):
        weights = np.concatenate([linear.W.array[replica].ravel() for linear in network.linears]).astype(float)
        assert_allclose(found[replica], l1 * abs(weights).sum() + l2 / 2 * (weights**2).sum(), rtol=1e-12)


def test_penalties_are_summed_in_float64_on_a_gpu_too(fake_cupy):
    trials = trials_of("variants: {A: {training: {l1_decay: 1}}, B: {training: {weight_decay: 2}}}")
    weights = np.full((2, 1, 5), 4095, np.float32)  # whose squares float32 holds, and not their sum
    weights[:, :, 0] = 2**-9
    linears = [SimpleNamespace(W=SimpleNamespace(array=fake_cupy.wrap(weights)))]
    found = losses.penalty(SimpleNamespace(xp=fake_cupy, linears=linears), trials)
    assert found.tolist() == [4 * 4095 + 2**-9, 4 * 4095**2 + 2**-18]


def test_a_gpus_penalties_come_to_the_host_in_one_copy(fake_cupy, rng):
    trials = trials_of("variants: {A: {}, B: {training: {l1_decay: 0.5, weight_decay: 0.1}}}")
    weights = [rng.normal(size=(2, 4, 6)).astype(np.float32), rng.normal(size=(2, 3, 4)).astype(np.float32)]

    def network(xp, wrap):
        return SimpleNamespace(xp=xp, linears=[SimpleNamespace(W=SimpleNamespace(array=wrap(w))) for w in weights])

    got = losses.penalty(network(fake_cupy, fake_cupy.wrap), trials)
    assert (type(got), got.dtype, fake_cupy.copies_out) == (np.ndarray, np.float64, 1)
    assert_allclose(got, losses.penalty(network(np, np.asarray), trials), rtol=1e-6)
