"""Trainings of the CPU engine beside the second article's learner, float64, which uses nothing of bnrenorm."""

import numpy as np
from numpy.testing import assert_allclose

from bnrenorm.network import dropout
from bnrenorm.training import loop
from tests.engines.groups import advance
from tests.helpers import batch_at, trials_of
from tests.oracle import ArticleLearner

LEARNING = """
model: {hidden: [20, 12], order: linear-norm-activation, weight_init: he_normal}
norm: {kind: none}
training: {optimizer: {kind: sgd, lr: 0.1}}
seeds: 2
"""
NORM = "norm={{kind: batch, eps: 1.0e-14, affine: {}, affine_gradient: mean}}"
CASES = {
    "nothing": ([], {}),
    "decays": (["training.l1_decay=0.001", "training.weight_decay=0.01"], {"l1": 0.001, "l2": 0.01}),
    "N": ([NORM.format("none")], {"norm": "N"}),
    "BN": ([NORM.format("layer")], {"norm": "BN"}),
    "BN(n)": ([NORM.format("node")], {"norm": "BN(n)"}),
}
DROPOUT = {
    "dropout": (["model.dropout={form: exact, keep_input: 0.8, keep_hidden: 0.5}"], {"masks": (0.8, 0.5, 0.5)}),
}
WIDTHS = (784, 20, 12)


def assert_steps_are_the_learners(data, batch, changes, options, steps=4):
    """Train two replicas for some steps, and compare every parameter."""
    options = dict(options)
    kept = options.pop("masks", (1.0, 1.0, 1.0))
    trials = trials_of(LEARNING, len(data.x_train), [*changes, f"training.batch={batch}"])
    training = loop.Training(trials, data, engine="cpu")
    network, inputs = training.engine.replicas.network, training.engine.inputs
    starts = [[linear.W.array[i].copy() for linear in network.linears] for i in range(2)]
    advance(training, steps)
    network = training.engine.replicas.network
    for i, trial in enumerate(trials):
        learner = ArticleLearner(starts[i], rate=0.1, **options)
        for step in range(steps):
            ranks = dropout.ranks(trial.seed, step, WIDTHS)
            masks = [rank < round(share * width) for rank, share, width in zip(ranks, kept, WIDTHS, strict=True)]
            indices = batch_at(inputs.sampler, trial.seed, step)
            learner.step(inputs.images[indices].astype(float), inputs.labels[indices], masks)
        for depth, linear in enumerate(network.linears):
            assert np.abs(learner.w[depth] - starts[i][depth]).max() > 1e-3
            assert_allclose(linear.W.array[i], learner.w[depth], rtol=1e-4, atol=2e-5)
            assert_allclose(linear.b.array[i, 0], learner.b[depth], rtol=1e-4, atol=2e-5)
        if options.get("norm", "N") != "N":
            for depth, norm in enumerate(network.norms):
                assert_allclose(norm.affine.gamma.array[i, 0], learner.gamma[depth], rtol=1e-4)
                assert_allclose(norm.affine.beta.array[i, 0], learner.beta[depth], rtol=1e-4, atol=2e-5)
