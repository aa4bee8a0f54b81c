"""Laws that hold for every combination of settings, asked of combinations that are drawn at random."""

import numpy as np
import pytest

from bnrenorm.engines.cpu.required import required_kernels
from bnrenorm.training import loop
from tests.engines.groups import assert_same_bits, distance, group, training_of
from tests.helpers import ENGINES, some_digits

IMAGES, VALIDATION, STEPS = 200, 40, 6

NORMS = (
    "{kind: none}",
    "{kind: layer}",
    "{kind: batch}",
    "{kind: batch, semantics: paper, affine: none}",
    "{kind: batch, affine: layer, affine_gradient: mean, affine_lr: 0.3}",
    "{kind: renorm, r_max: 1.5, d_max: 0.5}",
    "{kind: renorm, semantics: paper, warmup: 1, ramp_r: 3, ramp_d: 2}",
)
BATCHES = (
    "full",
    "{kind: iid, size: 1}",
    "{kind: iid, size: 8}",
    "{kind: iid, size: 60, remainder: keep}",
    "{kind: sorted, size: 20}",
    "{kind: non_iid, classes: 2, size: 16}",
)
OPTIMIZERS = (
    "{kind: sgd, lr: 0.1}",
    "{kind: momentum_sgd, lr: 0.05}",
    "{kind: adam, lr: 0.01, eps: 0.001}",
    "{kind: rmsprop, lr: 0.01, eps: 0.001}",
)
DROPOUTS = (
    "{}",
    "{}",
    "{form: exact, keep_input: 0.7, keep_hidden: 0.5}",
    "{form: exact, keep_hidden: 0.8}",
)


@pytest.fixture(scope="module")
def digits():
    return some_digits(IMAGES, 100)


def choose(rng, values):
    return values[rng.integers(len(values))]


def training_settings(rng):
    """Draw settings of a training: all that may decide its weights."""
    batch = choose(rng, BATCHES)
    divisible = "size: 20" in batch or "size: 60" in batch or batch == "full"
    return {
        "norm": choose(rng, NORMS),
        "training__batch": batch,
        "training__micro_batch": choose(rng, ("null", "null", "20")) if divisible else "null",
        "training__steps": STEPS,
        "training__optimizer": choose(rng, OPTIMIZERS),
        "training__weight_decay": choose(rng, ("0", "0.01")),
        "training__l1_decay": choose(rng, ("0", "0.001")),
        "model__order": choose(rng, ("linear-activation-norm", "linear-norm-activation")),
        "model__dropout": choose(rng, DROPOUTS),
        "data__validation": VALIDATION,
    }


def evaluation_settings(rng):
    """Draw settings of what is evaluated, how and how often: what may not decide any weight."""
    return {
        "evaluation__every": choose(rng, (1, 2, 4)),
        "evaluation__statistics": choose(rng, ("running", "batch", "population")),
        "evaluation__average": choose(rng, ("null", "0.5")),
        "evaluation__training_set": choose(rng, ("true", "false")),
        "evaluation__penalty": choose(rng, ("true", "false")),
        "training__early_stopping": choose(rng, ("null", "{patience: 100}", "{patience: 100, watch: accuracy}")),
    }


def trials_of(settings):
    chosen = dict(settings)
    norm, batch = chosen.pop("norm"), chosen.pop("training__batch")
    return group(f"norm: {norm}", batch, IMAGES, **chosen)


def trained(training):
    """Train to the end and return the state of the last step, before early stopping restores the best weights."""
    for _ in training:
        if training.step == training.total:
            break
    return training.state_dict()


def learned(state):
    """The part of a state that decides later steps, without what evaluation keeps for itself."""
    own = ("average", "best", "since", "sums")
    return {name: value for name, value in state.items() if not name.startswith(own)}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.slow
def test_no_way_of_evaluating_changes_a_bit_of_the_training(digits, engine, seed):
    rng = np.random.default_rng(seed)
    settings = training_settings(rng)
    left_alone = loop.Training(trials_of({**settings, "evaluation__every": STEPS}), digits, engine=engine)
    want = learned(trained(left_alone))
    for _ in range(3):
        evaluation = evaluation_settings(rng)
        got = trained(loop.Training(trials_of({**settings, **evaluation}), digits, engine=engine))
        assert_same_bits(learned(got), want)


def perturb(training, rng, size):
    """Change the initial weights by a share of themselves."""
    for linear in training.engine.replicas.network.linears:
        linear.W.array *= 1 + size * rng.uniform(-1, 1, linear.W.shape).astype(np.float32)
    training.engine.reload()


@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize("seed", range(100, 110))
@pytest.mark.slow
def test_the_engines_differ_by_no_more_than_rounding_of_the_initial_weights(digits, seed, engine):
    """Trainings with few images a batch amplify rounding, so that the measure is what rounding does to each."""
    rng = np.random.default_rng(seed)
    trials = trials_of({**training_settings(rng), **evaluation_settings(rng)})
    assert required_kernels(trials[0].settings)
    specification, kernels = (learned(trained(training_of(trials, digits, name))) for name in ("chainer", engine))
    spread = 0.0
    for _ in range(3):
        perturbed = loop.Training(trials, digits)
        perturb(perturbed, rng, 2e-7)
        spread = max(spread, distance(specification, learned(trained(perturbed))))
    assert distance(specification, kernels) <= 10 * spread + 1e-6


@pytest.mark.parametrize("engine", [*ENGINES, "reference"])
@pytest.mark.parametrize("seed", range(200, 210))
@pytest.mark.slow
def test_a_training_goes_on_from_any_step_with_the_same_bits(digits, seed, engine):
    rng = np.random.default_rng(seed)
    trials = trials_of({**training_settings(rng), **evaluation_settings(rng), "evaluation__every": 1})
    stop = rng.integers(1, STEPS)
    whole = training_of(trials, digits, engine)
    for _ in whole:
        if whole.step == stop:
            break
    state = {name: value.copy() for name, value in whole.state_dict().items()}
    resumed = training_of(trials, digits, engine)
    next(iter(resumed))
    resumed.load_state_dict(state)
    assert_same_bits(trained(resumed), trained(whole))
