"""What holds for every input, on inputs that Hypothesis draws: always the same ones, so that a failure can be repeated."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_allclose

from bnrenorm.analysis import stats
from bnrenorm.config.schema import ClassSorted, Full, Iid, NonIid
from bnrenorm.data.dataset import Dataset
from bnrenorm.data.sampling import Sampler
from bnrenorm.engines.backend import Backend
from bnrenorm.norm import formulas
from bnrenorm.runs.plan import plan, trial_keys
from bnrenorm.runs.shard import Shard
from bnrenorm.runs.store import Store
from bnrenorm.training.loop import Training
from tests import oracle
from tests.helpers import batch_at, experiment_of

few = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

# --- batches


@few
@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.sampled_from(["drop", "keep"]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 9),
)
def test_an_epoch_has_every_image_exactly_once(images, size, remainder, shuffle, is_sorted, seed):
    assume(size <= images)
    kind = ClassSorted if is_sorted else Iid
    batch = kind(kind="sorted" if is_sorted else "iid", size=size, remainder=remainder, shuffle=shuffle)
    sampler = Sampler(batch, np.arange(images) % 3)
    steps = sampler.steps_per_epoch
    for epoch in (0, 1):
        seen = np.concatenate([batch_at(sampler, seed, epoch * steps + step) for step in range(steps)])
        assert len(set(seen)) == len(seen) == (images if remainder == "keep" else images - images % size)
        assert set(seen) <= set(range(images))


@few
@given(
    st.sampled_from(["full", "iid", "sorted", "non_iid"]),
    st.integers(0, 30),
    st.integers(1, 20),
    st.lists(st.integers(0, 5), min_size=1, max_size=4),
)
def test_a_table_of_batches_is_the_batches_one_by_one(kind, first, steps, seeds):
    batch = {
        "full": Full(kind="full"),
        "iid": Iid(kind="iid", size=7, remainder="keep"),
        "sorted": ClassSorted(kind="sorted", size=7),
        "non_iid": NonIid(kind="non_iid", classes=2, size=6),
    }[kind]
    labels = np.arange(30) % 3
    indices, counts = Sampler(batch, labels).table(seeds, first, steps)
    alone = Sampler(batch, labels)
    for (step, count), (column, seed) in itertools.product(enumerate(counts), enumerate(seeds)):
        assert (indices[step, column, :count] == batch_at(alone, seed, first + step)).all()


# --- groups and shards

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 4, 4), dtype=np.uint8)
NOISE = Dataset(PIXELS, np.arange(40) % 10, PIXELS, np.arange(40) % 10, "noise")
SMALL = """
name: small
model: {hidden: [3]}
variants: {none: {norm: {kind: none}}, BN: {norm: {kind: batch}}, BRN: {norm: {kind: renorm, r_max: 3, d_max: 5}}}
training: {steps: 3, batch: 10}
seeds: 3
"""


def outcome(trials):
    """The records of trials that train together, each by its variant and seed."""
    columns = [record for record in Training(trials, NOISE, engine="chainer", device="cpu") if record is not None]
    return {
        (trial.variant, trial.seed): [[float(record.values[name][i]) for name in record.values] for record in columns]
        for i, trial in enumerate(trials)
    }


@settings(few, max_examples=10)
@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_no_company_and_no_order_changes_a_trial(random, size):
    trials = [trial for trial in experiment_of(SMALL).trials(40) if trial.variant != "none"]
    want = outcome(trials)
    shuffled = random.sample(trials, len(trials))
    for begin in range(0, len(shuffled), size):
        for name, records in outcome(shuffled[begin : begin + size]).items():
            assert records == want[name]


@few
@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 2**31))
def test_shards_are_disjoint_and_all_of_them_are_the_experiment(tmp_path, of, workers, seed):
    backend, store = Backend("chainer", "cpu"), Store(tmp_path)
    keys = trial_keys(experiment_of(SMALL), NOISE, backend)
    parts = [Shard(number, of).keys(keys) for number in range(1, of + 1)]
    assert sum(map(len, parts)) == len(keys) == len({trial for part in parts for trial in part})
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    memory = 2**29 + seed % 2**20
    for part in parts:
        groups = plan(part, NOISE, store, memory, backend, (), workers).groups
        assert sorted(keys[trial] for group in groups for trial in group) == sorted(part.values())


# --- the mathematics


def columns(draw, shape, low, high):
    return draw(arrays.arrays(float, shape, elements=st.floats(low, high, allow_subnormal=False)))


@st.composite
def layers(draw):
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 4)))
    row = (shape[0], 1, shape[2])
    return {
        "x": columns(draw, shape, -100, 100),
        "gy": columns(draw, shape, -10, 10),
        "gamma": columns(draw, row, -3, 3),
        "beta": columns(draw, row, -3, 3),
        "run_mean": columns(draw, row, -100, 100),
        "run_std": columns(draw, row, 0.01, 100),
        "r_max": draw(st.floats(1, 10)),
        "d_max": draw(st.floats(0, 10)),
        "eps": draw(st.floats(1e-4, 1)),
    }


@few
@given(layers())
def test_forward_and_backward_agree_with_the_oracle_on_any_shape(c):
    mean, var = formulas.moments(c["x"])
    std = np.sqrt(var + c["eps"])
    r, d = formulas.corrections(mean, std, c["run_mean"], c["run_std"], c["r_max"], c["d_max"])
    y = formulas.forward(c["x"], c["gamma"], c["beta"], mean, std, r, d)
    gx, ggamma, gbeta = formulas.backward(c["gy"], c["x"], c["gamma"], mean, std, r, d)
    for i, j in np.ndindex(c["x"].shape[0], c["x"].shape[2]):
        x, gy = list(c["x"][i, :, j]), list(c["gy"][i, :, j])
        own = {name: float(c[name][i, 0, j]) for name in ("gamma", "beta", "run_mean", "run_std")}
        want = oracle.renorm_column(x, *own.values(), c["r_max"], c["d_max"], c["eps"])
        assert_allclose(y[i, :, j], want, rtol=1e-7, atol=1e-7)
        wants = oracle.renorm_column_gradient(gy, x, own["gamma"], float(r[i, 0, j]), float(d[i, 0, j]), c["eps"])
        for got, wanted in zip((gx[i, :, j], ggamma[i, 0, j], gbeta[i, 0, j]), wants, strict=True):
            assert_allclose(got, wanted, rtol=1e-6, atol=1e-5)


@few
@given(layers())
def test_renormalisation_that_may_not_correct_is_batch_normalisation(c):
    mean, var = formulas.moments(c["x"])
    std = np.sqrt(var + c["eps"])
    r, d = formulas.corrections(mean, std, c["run_mean"], c["run_std"], 1.0, 0.0)
    assert (r == 1).all()
    assert (d == 0).all()


# --- statistics

VALUES = arrays.arrays(float, st.integers(1, 9), elements=st.floats(0, 1))


@few
@given(VALUES, st.randoms(use_true_random=False))
def test_a_verdict_does_not_depend_on_the_order_of_the_seeds(a, random):
    b = a[::-1] * 0.9 + 0.05
    order = random.sample(range(len(a)), len(a))
    first, other = stats.paired(a, b), stats.paired(a[order], b[order])
    assert first.verdict == other.verdict
    for name in ("mean", "low", "high", "p", "p_holm", "more_pairs"):
        assert_allclose(getattr(other, name), getattr(first, name), rtol=1e-9, atol=1e-12)


@few
@given(VALUES)
def test_who_is_called_a_changes_nothing_but_signs(a):
    b = a[::-1] * 0.9 + 0.05
    forth, back = stats.paired(a, b), stats.paired(b, a)
    assert {"a better": "b better", "b better": "a better"}.get(forth.verdict, forth.verdict) == back.verdict
    assert_allclose([back.mean, back.low, back.high], [-forth.mean, -forth.high, -forth.low], rtol=1e-9, atol=1e-12)
    assert math.isnan(forth.p) == math.isnan(back.p)
    if not math.isnan(forth.p):
        assert forth.p == pytest.approx(back.p)
