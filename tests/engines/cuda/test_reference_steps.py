"""NumPy's double of the kernels: batches, loss, update rules, and the step of a small batch, against Chainer and oracles."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import F, chainer
from bnrenorm.engines import spec
from bnrenorm.engines.cuda.parameters import Layer, Tensor, Vector
from bnrenorm.engines.cuda.reference import Reference
from bnrenorm.engines.spec import BATCH, FIXED, NODE, NONE, SGD
from bnrenorm.network.schedule import AFFINE_LR, LR
from tests import oracle
from tests.engines.cuda.kernels.cases import Inputs, context_of, kernel_spec

R, N, D, K, C = 3, 5, 8, 4, 6
ops = Reference()


@pytest.fixture
def make():
    return Inputs(np.float64)


def hyper_of(**values):
    """Return hyperparameters (R, 10), the same for all replicas; 0 but for those named."""
    row = spec.Hyperparams(**{**dict.fromkeys(spec.Hyperparams._fields, 0.0), **values})
    return np.array([row] * R, float)


def index_of(make, images=20):
    return make.random.integers(0, images, (2, N)).astype(np.int32)


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
    average, hyper = tensor.average.copy(), hyper_of(l2=decays[0], l1=decays[1], average_decay=0.75, **values)
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
        hyper = hyper_of(l2=0.5, l1=0.5, average_decay=0.75, **values)
        ops.update_vectors(vectors, rule_at(kind, t, hyper))
    for tensor, own in zip(tensors, parameters, strict=True):
        assert_allclose(tensor.value, [parameter.array for parameter in own], rtol=1e-12)


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
def test_a_small_batchs_step_is_that_of_chainers_graph(make, norm, affine, norm_first):
    """By gradient descent: what is subtracted from a parameter is its rate times the gradient."""
    specification = kernel_spec(norm, affine, norm_first, optimizer=SGD)
    images, labels = make.normal(20, D), make.random.integers(0, C, 20).astype(np.int32)
    index, following, seed_of = index_of(make), index_of(make), make.seed_of(R)
    w, (gamma, beta) = make.tensor(SGD, R, K, D), make.affine(affine, R, K)
    affines = (None, None) if gamma is None else (Tensor(gamma, None, None, None), Tensor(beta, None, None, None))
    run = (make.normal(R, K), make.uniform(0.5, 2, R, K)) if norm == BATCH else None
    hidden = Layer(w, make.tensor(SGD, R, K), *affines, run)
    last = Layer(make.tensor(SGD, R, C, K), make.tensor(SGD, R, C), None, None, None)
    graphs = [Graph(w, hidden, last, r) for r in range(R)]
    products, gradient, stats = make.poisoned(R, N, K), make.poisoned(R, N, K), make.poisoned(R, 1, 6, K)
    sums, schedule = np.zeros((R, 2)), make.schedule(R)
    context = context_of(specification, hyper_of(eps=1e-3, decay=0.9), schedule, seed_of)
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
        after = {
            "w": w,
            "b": hidden.bias,
            "w2": last.weight,
            "b2": last.bias,
            "gamma": hidden.gamma,
            "beta": hidden.beta,
        }
        for name, g in gradients.items():
            lr = schedule[r, AFFINE_LR if name in ("gamma", "beta") else LR]
            assert_allclose(after[name].value[r], before[name] - lr * g, rtol=1e-9, atol=1e-12, err_msg=name)
        assert_allclose(products[r], images[following[seed_of[r]]] @ w.value[r].T, rtol=1e-12)
