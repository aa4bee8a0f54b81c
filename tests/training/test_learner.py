"""One epoch of 1,000 digits against an independent float64 learner, with every option of the second article in turn."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.data.sampling import Sampler
from bnrenorm.network import dropout, mlp
from bnrenorm.training import loop
from tests.helpers import batch_at, experiment_of
from tests.oracle import ArticleLearner

WIDTHS = (784, 100, 50)
LEARNING = """
name: a
model: {hidden: [100, 50], order: linear-norm-activation, weight_init: he_normal}
norm: {kind: none}
training: {batch: 100, steps: 1 epoch, optimizer: {kind: sgd, lr: 0.1}}
evaluation: {every: 1 epoch, statistics: batch, training_set: true}
seeds: 2
"""
NORM = "norm={{kind: batch, eps: 1.0e-14, affine: {}, affine_gradient: mean{}}}"
CASES = {
    "as it is": ([], {}),
    **{f"{name}": ([f"model.activation={name}"], {"activation": name}) for name in (
        "sigmoid", "tanh", "identity", "softplus", "softsign", "step",
    )},
    "leaky relu": (["model.activation={kind: leaky_relu, alpha: 0.2}"], {"activation": "leaky_relu", "alpha": 0.2}),
    "squares": (["training.loss=squared_error", "model.output=identity"],
                {"loss": "squared_error", "output": "identity"}),
    "squares of softmax": (["training.loss=squared_error"], {"loss": "squared_error"}),
    "L1": (["training.l1_decay=0.001"], {"l1": 0.001}),
    "L2": (["training.weight_decay=0.01"], {"l2": 0.01}),
    "N": ([NORM.format("none", "")], {"norm": "N"}),
    "BN": ([NORM.format("layer", "")], {"norm": "BN"}),
    "BN(n)": ([NORM.format("node", "")], {"norm": "BN(n)"}),
    "rate of gamma and beta": ([NORM.format("layer", ", affine_lr: 0.5")], {"norm": "BN", "affine_rate": 0.5}),
    "dropout": (["model.dropout={form: exact, keep_input: 0.8, keep_hidden: 0.5}"], {"masks": (0.8, 0.5)}),
    "dropout and BN": ([NORM.format("node", ""), "model.dropout={form: exact, keep_hidden: 0.7}"],
                       {"norm": "BN(n)", "masks": (1.0, 0.7)}),
    "unshuffled": (["training.batch={kind: iid, size: 100, shuffle: false}"], {}),
    **{f"{init}": ([f"model.weight_init={init}"], {}) for init in (
        "lecun_uniform", "glorot_normal", "glorot_uniform", "he_uniform", "zeros",
    )},
    "uniform": (["model.weight_init={kind: uniform, min: -0.1, max: 0.2}"], {}),
    "scaled": (["data.scaling=z_score"], {}),
    "scaled by pixel": (["data.scaling=min_max", "data.scaling_axis=0"], {}),
}  # fmt: skip


class Thousand:
    """A thousand digits in float64."""

    inputs = 784

    def __init__(self, digits):
        self.labels = lambda split: digits.labels(split)[:1000]
        self.scaled = lambda split: digits.scaled(split)[:1000].astype(np.float64)
        self.split = lambda validation: [(self.scaled("train"), self.labels("train")), (None, None)]


def group(changes):
    return experiment_of(LEARNING, changes).trials(1000)


def scaled(changes, x):
    """The images as the article scales them."""
    if "data.scaling=z_score" in changes:
        return (x - x.mean()) / x.std()
    if "data.scaling_axis=0" in changes:
        low, high = x.min(axis=0), x.max(axis=0)
        return (x - low) / np.where(high > low, high - low, 1)
    return x


@pytest.mark.parametrize("name", CASES)
@pytest.mark.slow
def test_an_epoch_is_the_independent_learners(digits, name):
    changes, options = CASES[name]
    trials = group(changes)
    keep_input, keep_hidden = options.get("masks", (1.0, 1.0))
    options = {key: value for key, value in options.items() if key != "masks"}
    data = Thousand(digits)
    network = mlp.build(trials, 784)
    for parameter in network.params():
        parameter.array = parameter.array.astype(np.float64)
    for norm in network.norms:
        norm.run_mean, norm.run_scale = np.float64(norm.run_mean), np.float64(norm.run_scale)
    starts = [[np.array(linear.W.array[i]) for linear in network.linears] for i in range(2)]
    list(loop.Training(trials, data, network=network))  # pyright: ignore[reportArgumentType]
    sampler = Sampler(trials[0].settings.training.batch, data.labels("train"))
    x, labels = scaled(changes, data.scaled("train")), data.labels("train")
    for i, trial in enumerate(trials):
        learner = ArticleLearner(starts[i], rate=0.1, **options)
        for step in range(10):
            picked = batch_at(sampler, trial.seed, step)
            masks = [
                ranks < round(share * width)
                for ranks, share, width in zip(
                    dropout.ranks(trial.seed, step, WIDTHS), (keep_input, keep_hidden, keep_hidden), WIDTHS, strict=True
                )
            ]
            learner.step(x[picked], labels[picked], masks)
        for depth, linear in enumerate(network.linears):
            assert_allclose(linear.W.array[i], learner.w[depth], rtol=5e-7, atol=5e-7)
            assert_allclose(linear.b.array[i, 0], learner.b[depth], rtol=5e-7, atol=5e-7)
        for depth, norm in enumerate(network.norms):
            if options["norm"] != "N":
                assert_allclose(norm.affine.gamma.array[i, 0], learner.gamma[depth], rtol=5e-7)
                assert_allclose(norm.affine.beta.array[i, 0], learner.beta[depth], rtol=5e-7, atol=5e-7)
        if name not in ("zeros", "step"):
            assert abs(learner.w[0] - starts[i][0]).max() > 1e-4  # it has learned something


def test_the_oracles_gradient_is_the_numerical_one(rng):
    """The learner itself: one step at rate 1 moves a weight by the loss's central difference."""
    x, labels = rng.normal(size=(6, 4)), np.array([0, 1, 2, 0, 1, 2])
    weights = [rng.normal(size=(5, 4)), rng.normal(size=(3, 5))]

    def loss(w0):
        z = x @ w0.T
        y = (z - z.mean(axis=0)) / z.std(axis=0)
        logits = np.log1p(np.exp(y)) @ weights[1].T
        return -np.mean((logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))[np.arange(6), labels])

    learner = ArticleLearner(weights, rate=1.0, norm="BN(n)", activation="softplus")
    learner.step(x, labels)
    for place in ((0, 0), (3, 2), (4, 3)):
        move = np.zeros((5, 4))
        move[place] = 1e-5
        slope = (loss(weights[0] + move) - loss(weights[0] - move)) / 2e-5
        assert weights[0][place] - learner.w[0][place] == pytest.approx(slope, rel=1e-5, abs=1e-9)
