"""Networks with one hidden layer and small batches, two launches a step: which they are, and the Chainer engine's numbers."""

import numpy as np
import pytest

from bnrenorm.data.sampling import Sampler
from bnrenorm.engines.cuda import small_launches
from bnrenorm.engines.cuda.small_batch import suits
from bnrenorm.engines.spec import spec_of
from tests.engines.groups import (
    WITHOUT_AND_WITH_GPU,
    advance,
    assert_same_bits,
    assert_same_training,
    coarse_digits,
    group,
    pair,
    presences,
    training_of,
)
from tests.helpers import some_digits, trials_of

LABELS = np.arange(100, dtype=np.int32) % 10
BY_ENGINE = pytest.mark.parametrize("engine", WITHOUT_AND_WITH_GPU)

SETTINGS = {
    "BN": "norm: {kind: batch}",
    "BRN": "norm: {kind: renorm, r_max: 1.5, d_max: 0.5, warmup: 1, ramp_r: 4, ramp_d: 2}",
    "paper": "norm: {kind: renorm, semantics: paper}",
    "norm first": "norm: {kind: renorm}\nmodel.order: linear-norm-activation",
    "none": "norm: {kind: none}",
    "none first": "norm: {kind: none}\nmodel.order: linear-norm-activation",
    "no gamma": "norm: {kind: batch, affine: none}",
    "sgd": "norm: {kind: batch, affine_lr: 0.3}\ntraining.optimizer.kind: sgd",
    "both decays": "norm: {kind: batch}\ntraining.weight_decay: 0.1\ntraining.l1_decay: 0.01",
    "two norms": "variants: {A: {norm: {kind: batch}}, B: {norm: {kind: renorm}}}",
    "skewed": "norm: {kind: renorm}\ntraining.batch: {kind: non_iid, classes: 2, size: 8}",
}
SIZES = [(1, 30), (4, 37), (20, 300), (32, 37)]
"""Images of a batch and nodes; with double precision they fit into the shared memory of any GPU."""

PAIRS = [
    pytest.param(name, *sizes, marks=() if i % len(SIZES) == j else pytest.mark.slow)
    for i, name in enumerate(SETTINGS)
    for j, sizes in enumerate(SIZES)
]


@pytest.fixture(scope="module")
def few():
    return coarse_digits(500, 100)


def trials(settings, n, width, **more):
    batch = f"{{kind: iid, size: {n}}}"
    if "training.batch" in settings:
        settings, batch = (part.removeprefix("training.batch: ") for part in settings.split("\n"))
    return group(settings, batch, model__hidden=f"[{width}]", **more)


@BY_ENGINE
@pytest.mark.parametrize(("settings", "n", "width"), PAIRS)
def test_a_training_is_the_chains(few, engine, settings, n, width):
    """In spans of three steps, as the last of a span multiplies no following batch."""
    chosen = trials(SETTINGS[settings], n, width, training__steps=11, evaluation__every=5)
    chain, compiled = pair(chosen, few, engine)
    assert compiled.engine.small is not None
    compiled.engine.spans.length = 3
    assert_same_training(chain, compiled)


@BY_ENGINE
def test_a_training_on_whole_digits_is_the_chains(engine):
    """Of 784 pixels, which are no multiple of what a block takes at a time."""
    chosen = trials("norm: {kind: renorm}", 4, 30, training__steps=3, evaluation__every=3)
    assert_same_training(*pair(chosen, some_digits(500, 20), engine))


@BY_ENGINE
@pytest.mark.parametrize("settings", ["norm: {kind: renorm}", "norm: {kind: none}"])
@pytest.mark.parametrize(("size", "width", "seeds"), [(4, 37, 2), (12, 300, 7)])
def test_company_changes_no_bit(few, engine, settings, size, width, seeds):
    """On a GPU neither: a replica has blocks of its own, which compute the same for any number of replicas.

    Also where warps take two rows of the first layer at a time, as they do in the larger group alone.
    """
    chosen = trials(settings, size, width, grid="{training.optimizer.lr: [0.01, 0.1]}", seeds=seeds)
    together = training_of(chosen, few, engine)
    at_once = [small_launches.rows_at_once(replicas, width, size) for replicas in (len(chosen), 1)]
    assert at_once == [2 if size > small_launches.FEW else 1, 1]
    advance(together, 5)
    for replica in (0, 1, len(chosen) - 1):
        trial = chosen[replica]
        alone = training_of([trial], few, engine)
        advance(alone, 5)
        for got, want in zip(together.engine.layers, alone.engine.layers, strict=True):
            assert (got.weight.value[replica] == want.weight.value[0]).all()
            assert (got.bias.value[replica] == want.bias.value[0]).all()
        assert (together.engine.replicas.sums[replica] == alone.engine.replicas.sums[0]).all()


@BY_ENGINE
def test_a_replica_that_diverges_leaves_the_others_untouched(few, engine):
    (_, healthy) = trials("norm: {kind: batch}", 4, 37)
    variants = "{A: {}, B: {training: {optimizer: {lr: 1.0e+20}}}}"
    together = training_of(trials("norm: {kind: batch}", 4, 37, variants=variants), few, engine)
    alone = training_of([healthy], few, engine)
    for training in (together, alone):
        with np.errstate(all="ignore"):
            advance(training, 12)
    losses, (want,) = (training.engine.replicas.training_means()[0] for training in (together, alone))
    assert losses[1] == want
    assert not np.isfinite(losses[2:]).any()


@BY_ENGINE
def test_a_new_span_begins_from_the_weights_that_there_are_now(few, engine):
    """The first batch's products are computed anew: they are not of weights from before a `load_state_dict`."""
    chosen = trials("norm: {kind: batch}", 4, 37)
    changed, fresh = (training_of(chosen, few, engine) for _ in range(2))
    start = fresh.state_dict()
    advance(changed, 2)
    changed.load_state_dict(start)
    for training in (changed, fresh):
        advance(training, 2)
    assert_same_bits(changed.state_dict(), fresh.state_dict())


def suited(*overrides, inputs=64, itemsize=4, shared_memory=200_000):
    """Ask of 100 images, batches of 20 and 30 nodes, unless the overrides say otherwise."""
    chosen = trials_of("", 100, ["training.batch=20", "model.hidden=[30]", *overrides])[0].settings
    widths = (inputs, *chosen.model.hidden, 10)
    return suits(chosen, spec_of(chosen), widths, Sampler(chosen.training.batch, LABELS), itemsize, shared_memory)


@pytest.mark.parametrize(
    "override",
    [
        "seeds=1",  # nothing else
        "norm={kind: none}",
        "norm={kind: renorm, affine: none}",
        "training.batch=32",
        "training.batch=1",
        "training.batch={kind: iid, size: 20, remainder: keep}",  # there is no rest
        "training.batch={kind: iid, size: 32, remainder: drop}",
        "training.batch={kind: iid, size: 32, remainder: keep}",
        "training.batch={kind: non_iid, classes: 2, size: 20}",
        "training.optimizer={kind: sgd}",
        "model.order=linear-norm-activation",
    ],
)
def test_what_small_batches_suit(override):
    assert suited(override)


@pytest.mark.parametrize(
    "override",
    [
        "training.batch=full",
        "training.batch=33",
        "training.micro_batch=10",
        "training.optimizer={kind: adam}",
        "training.optimizer={kind: rmsprop}",
        "model.hidden=[30, 20]",
        "model.dropout={form: exact, keep_hidden: 0.5}",
        "norm={kind: layer}",
        "norm={kind: batch, affine: layer}",
        "evaluation.average=0.9",
    ],
)
def test_what_small_batches_do_not_suit(override):
    assert not suited(override)


@pytest.mark.parametrize(("itemsize", "needed"), [(4, 2 * 20 * 64 * 4), (8, 2 * 20 * 64 * 8)])
def test_a_block_must_have_enough_shared_memory_for_two_batches(itemsize, needed):
    assert suited("model.hidden=[5]", itemsize=itemsize, shared_memory=needed + 2048)
    assert not suited("model.hidden=[5]", itemsize=itemsize, shared_memory=needed + 2047)


def test_a_block_must_have_enough_shared_memory_for_the_hidden_layer():
    needed = 20 * (400 + 10) * 4
    assert suited("model.hidden=[400]", shared_memory=needed + 2048)
    assert not suited("model.hidden=[400]", shared_memory=needed + 2047)


def test_images_are_read_four_pixels_at_a_time():
    assert suited(inputs=784)
    assert not suited(inputs=783)


def test_a_batch_behind_a_smaller_one_is_multiplied_anew_and_the_smaller_one_not_at_all():
    """Of 100 images: 30, 30, 30, 10, and so on."""
    settings = "{kind: iid, size: 30, remainder: keep}"
    trials = group("norm: {kind: batch}", settings, 100, model__hidden="[30]")
    engine = training_of(trials, coarse_digits(100, 50), "reference").engine
    asked = presences(engine.ops, "first", 1)
    engine.advance(0, 6, observe=False)
    assert asked == [(False, True), (True, True), (True, True), (True, False), (False, True), (True, True), (True, False)]  # fmt: skip
