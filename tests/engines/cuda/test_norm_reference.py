"""Normalisation as NumPy specifies it for the kernels, against what was written without it: oracles, Chainer, differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import F
from bnrenorm.engines.cuda.operands import Normalised
from bnrenorm.engines.cuda.reference import Reference
from bnrenorm.engines.cuda.rows import Mode, divide
from bnrenorm.engines.spec import BATCH, FIXED, LAYER, NODE, NONE, SHARED
from bnrenorm.network.schedule import D_MAX, R_MAX
from bnrenorm.norm import formulas
from bnrenorm.norm.semantics import SEMANTICS
from tests import oracle
from tests.engines.cuda.kernels.cases import Inputs, context_of, hyper_of, kernel_spec

R, N, K, GROUP = 3, 6, 4, 3
ops = Reference()


@pytest.fixture
def make():
    return Inputs(np.float64)


@pytest.mark.parametrize("relu", [True, False])
def test_enter_adds_the_bias_and_takes_every_pieces_moments(make, relu):
    rows = divide(700, 350)  # pieces of 175
    z, bias, factor = make.normal(R, 700, K), make.normal(R, K, mean=5), make.uniform(0.5, 1, R)
    got, partial = z.copy(), make.poisoned(R, 4, 2, K)
    ops.enter(got, bias, rows, relu=relu, factor=factor, partial=partial)
    want = factor[:, None, None] * z + bias[:, None]
    want = F.relu(want).array if relu else want
    assert_allclose(got, want, rtol=1e-14)
    for piece in range(4):
        mean, var = formulas.moments(want[:, 175 * piece :][:, :175])
        assert_allclose(partial[:, piece, 0], mean[:, 0], rtol=1e-12)
        assert_allclose(partial[:, piece, 1], 175 * var[:, 0], rtol=1e-12)


def normalised(make, x, group, mode, semantics="chainer"):
    """Normalise x by `enter` and `statistics`; return what oracles need: stats, old and new running statistics."""
    rows = divide(x.shape[1], group)
    partial, stats = make.poisoned(R, rows.total, 2, K), make.poisoned(R, rows.groups, 6, K)
    old = make.normal(R, K), make.uniform(0.5, 2, R, K)
    new = tuple(array.copy() for array in old)
    hyper = hyper_of(R, eps=1e-3, decay=0.7)
    ops.enter(x.copy(), make.normal(R, K) * 0, rows, relu=False, partial=partial)
    context = context_of(kernel_spec(track_std=int(semantics == "paper")), hyper, make.schedule(R))
    ops.statistics(partial, rows, mode, context, new, stats)
    return stats, old, new


@pytest.mark.parametrize("semantics", SEMANTICS)
@pytest.mark.parametrize(("n", "group"), [(1, 0), (N, 0), (N, GROUP), (1400, 700)])  # the last ones are several pieces
def test_statistics_of_training_are_the_oracles(make, n, group, semantics):
    rule, x, schedule = SEMANTICS[semantics], make.normal(R, n, K, mean=2), make.schedule(R)
    stats, (run_mean, run_scale), new = normalised(make, x, group, Mode.TRAINING, semantics)
    size = group or n
    for r, k in np.ndindex(R, K):
        run_std, kept = rule.std(run_scale[r, k], 1e-3), []
        for g in range(n // size):
            mean, var = oracle.moments(list(x[r, g * size : (g + 1) * size, k]))
            std = (var + 1e-3) ** 0.5
            limits = schedule[r, R_MAX], schedule[r, D_MAX]
            want = [
                mean,
                std,
                *oracle.corrections(mean, std, run_mean[r, k], run_std, *limits),
                run_mean[r, k],
                run_std,
            ]
            assert_allclose(stats[r, g, :, k], want, rtol=1e-10)
            kept.append((mean, rule.keep(var, size, 1e-3)))
        means, scales = np.mean(kept, axis=0)
        assert new[0][r, k] == pytest.approx(oracle.running(run_mean[r, k], [means], 0.7), rel=1e-10)
        assert new[1][r, k] == pytest.approx(oracle.running(run_scale[r, k], [scales], 0.7), rel=1e-10)


@pytest.mark.parametrize("mode", [Mode.FROZEN, Mode.OWN, Mode.RUNNING])
def test_the_other_modes_move_nothing(make, mode):
    x = make.normal(R, N, K)
    stats, old, new = normalised(make, x, 0, mode)
    assert all((a == b).all() for a, b in zip(old, new, strict=True))
    mean, std, r, d, run_mean, run_std = (stats[:, 0, i] for i in range(6))
    assert_allclose(run_mean, old[0])
    if mode == Mode.RUNNING:
        assert_allclose((mean, std), (run_mean, run_std))
    else:
        assert_allclose(mean, x.mean(axis=1), rtol=1e-12)
    if mode == Mode.FROZEN:
        assert (r != 1).any()
    else:
        assert (r == 1).all()
        assert (d == 0).all()


@pytest.mark.parametrize("affine", [NODE, SHARED, FIXED])
def test_batch_renormalisation_is_the_oracles(make, affine):
    """In micro-batches; against the paper's algorithm for one node at a time."""
    x, schedule = make.normal(R, N, K, mean=1), make.schedule(R)
    stats, (run_mean, run_scale), _ = normalised(make, x, GROUP, Mode.TRAINING, "paper")
    pair, y = make.affine(affine, R, K), make.poisoned(R, N, K)
    ops.normalise(Normalised(kernel_spec(affine=affine), divide(N, GROUP), x, stats, None, pair, None), None, y)
    for r, k in np.ndindex(R, K):
        gamma, beta = (1, 0) if affine == FIXED else (p[r, k if affine == NODE else 0] for p in pair)
        limits = schedule[r, R_MAX], schedule[r, D_MAX]
        for begin in range(0, N, GROUP):
            column = list(x[r, begin : begin + GROUP, k])
            want = oracle.renorm_column(column, gamma, beta, run_mean[r, k], run_scale[r, k], *limits, 1e-3)
            assert_allclose(y[r, begin : begin + GROUP, k], want, rtol=1e-10)


@pytest.mark.parametrize("affine", [NODE, SHARED, FIXED])
def test_layer_normalisation_is_chainers(make, affine):
    a, pair = make.normal(R, N, K, mean=2), make.affine(affine, R, K)
    row_stats, y = make.poisoned(R, N, 2), make.poisoned(R, N, K)
    ops.row_moments(a, hyper_of(R, eps=1e-3), row_stats)
    ops.normalise(Normalised(kernel_spec(LAYER, affine), divide(N), a, None, row_stats, pair, None), None, y)
    gamma, beta = (1, 0) if affine == FIXED else (p[:, None] for p in pair)
    ones, zeros = np.ones(K), np.zeros(K)
    want = np.stack([F.layer_normalization(a[r], ones, zeros, 1e-3).array for r in range(R)]) * gamma + beta
    assert_allclose(y, want, rtol=1e-10)


def test_relu_and_dropout_come_after_the_normalisation(make):
    a, mask, fraction = make.normal(R, N, K), make.mask(R, K), make.uniform(0.2, 1, R)
    plain, masked, scaled = (make.poisoned(R, N, K) for _ in range(3))
    for y, kept, factor in ((plain, None, None), (masked, mask, None), (scaled, None, fraction)):
        layer = Normalised(kernel_spec(NONE, FIXED, 1), divide(N), a, None, None, (None, None), kept)
        ops.normalise(layer, factor, y)
    assert_allclose(plain, F.relu(a).array)
    for r in range(R):
        keeps = mask.ranks[mask.seed_of[r]] < mask.kept[r]
        assert keeps.sum() == mask.kept[r]
        assert (masked[r] == plain[r] * keeps).all()
        assert_allclose(scaled[r], plain[r] * fraction[r])


class Layers:
    """A hidden layer as a function of the linear product z, gamma and beta, with r and d that are clipped, so constant."""

    def __init__(self, make, norm, affine, norm_first, drops):
        self.make, self.rows = make, divide(N, GROUP if norm == BATCH else 0)
        self.spec, self.mask = kernel_spec(norm, affine, norm_first), make.mask(R, K) if drops else None
        self.run = make.normal(R, K, mean=90), make.uniform(50, 60, R, K)
        schedule = np.array([[1.3, 0.4, 1, 1], [1, 0, 1, 1], [1.1, 0.3, 1, 1]])
        self.context = context_of(self.spec, hyper_of(R, eps=1e-3, decay=0.9), schedule)
        self.weights = make.normal(R, N, K)  # of the sum of all outputs whose gradient is taken

    def forward(self, z, bias, pair):
        """Return the weighted sum of the outputs, and what a backward pass needs: the layer, and the output."""
        make, rows = self.make, self.rows
        a, y = z.copy(), make.poisoned(R, N, K)
        partial, stats = make.poisoned(R, rows.total, 2, K), make.poisoned(R, rows.groups, 6, K)
        row_stats = make.poisoned(R, N, 2)
        ops.enter(a, bias, rows, relu=not self.spec.norm_first, partial=partial)
        ops.statistics(partial, rows, Mode.FROZEN, self.context, self.run, stats)
        ops.row_moments(a, self.context.hyper, row_stats)
        layer = Normalised(self.spec, rows, a, stats, row_stats, pair, self.mask)
        ops.normalise(layer, None, y)
        return (y * self.weights).sum(), (layer, y)

    def backward(self, layer, y):
        """Return the gradients by z, by the bias, and by gamma and beta per node."""
        make, rows, g = self.make, self.rows, self.weights.copy()
        sums, coef = make.poisoned(R, rows.total, 2, K), make.poisoned(R, rows.groups, 3, K)
        gradients, row_sums = (make.poisoned(R, K), make.poisoned(R, K)), make.poisoned(R, N, 2)
        if self.spec.norm != NONE:
            ops.upstream_sums(layer, g, y, sums)
            ops.coefficients(layer, sums, coef, gradients)
        if self.spec.norm == LAYER:
            ops.row_gradients(layer, g, y, row_sums)
        bias = make.poisoned(R, rows.total, K)
        ops.to_linear(layer, g, y, coef, row_sums, bias)
        return g, bias.sum(axis=1), gradients


def difference(function, array):
    """Return the gradient of a function without arguments by every number of an array that it reads."""
    gradient = np.empty_like(array)
    for i in np.ndindex(array.shape):
        before, values = array[i], []
        for step in (1e-6, -1e-6):
            array[i] = before + step
            values.append(function())
        array[i] = before
        gradient[i] = (values[0] - values[1]) / 2e-6
    return gradient


@pytest.mark.parametrize(("norm", "affine"), [(BATCH, NODE), (BATCH, SHARED), (BATCH, FIXED), (LAYER, NODE), (LAYER, SHARED), (LAYER, FIXED), (NONE, FIXED)])  # fmt: skip
@pytest.mark.parametrize("norm_first", [0, 1])
@pytest.mark.parametrize("drops", [False, True])
def test_gradients_of_a_layer_are_differences(make, norm, affine, norm_first, drops):
    layer, z, bias = Layers(make, norm, affine, norm_first, drops), make.normal(R, N, K), make.normal(R, K)
    pair = make.affine(affine, R, K)
    _, passed = layer.forward(z, bias, pair)
    gz, gbias, (ggamma, gbeta) = layer.backward(*passed)

    def value():
        return layer.forward(z, bias, pair)[0]

    assert_allclose(gz, difference(value, z), rtol=1e-6, atol=1e-7)
    assert_allclose(gbias, difference(value, bias), rtol=1e-6, atol=1e-7)
    if affine != FIXED:
        for got, p in ((ggamma, pair[0]), (gbeta, pair[1])):
            got = got if affine == NODE else got.sum(axis=1, keepdims=True)
            assert_allclose(got, difference(value, p), rtol=1e-6, atol=1e-7)


def test_gradients_of_renormalisation_are_the_oracles(make):
    """With r and d of every node: written from the chain rule, where they are constants."""
    rows, gy, a = divide(N, GROUP), make.normal(R, N, K), make.normal(R, N, K)
    stats, _, _ = normalised(make, a, GROUP, Mode.TRAINING)
    pair, sums, coef = make.affine(NODE, R, K), make.poisoned(R, 2, 2, K), make.poisoned(R, 2, 3, K)
    gradients, g = (make.poisoned(R, K), make.poisoned(R, K)), gy.copy()
    layer = Normalised(kernel_spec(norm_first=1), rows, a, stats, None, pair, None)
    y = np.ones_like(a)  # a ReLU that lets all through
    ops.upstream_sums(layer, gy, y, sums)
    ops.coefficients(layer, sums, coef, gradients)
    ops.to_linear(layer, g, y, coef, None, make.poisoned(R, 2, K))
    for r, k in np.ndindex(R, K):
        total = np.zeros(2)
        for group in range(2):
            span = slice(group * GROUP, (group + 1) * GROUP)
            columns = list(gy[r, span, k]), list(a[r, span, k])
            corrections = stats[r, group, 2, k], stats[r, group, 3, k]
            gx, *own = oracle.renorm_column_gradient(*columns, pair[0][r, k], *corrections, 1e-3)
            assert_allclose(g[r, span, k], gx, rtol=1e-9, atol=1e-12)
            total += own
        assert_allclose([gradients[0][r, k], gradients[1][r, k]], total, rtol=1e-10)
