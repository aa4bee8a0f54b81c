"""The CPU engine against the Chainer engine: every setting, one step at a time from the same state, and whole runs."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose
from threadpoolctl import threadpool_limits

from bnrenorm.engines.cpu import required
from bnrenorm.training import loop
from tests.engines.groups import (
    FULL,
    SETTINGS,
    SMALL,
    advance,
    assert_same_numbers,
    distance,
    group,
    records,
)
from tests.helpers import some_digits, trials_of

pytestmark = pytest.mark.slow

BATCHES = {
    "small": SMALL,
    "rest": "{kind: iid, size: 170, remainder: keep}",
    "skewed": "{kind: non_iid, classes: 2, size: 20}",
    "full": FULL,
    "large": "{kind: iid, size: 300, remainder: keep}",
    "large, skewed": "{kind: non_iid, classes: 9, size: 270}",
}


@pytest.fixture(scope="module")
def digits():
    return some_digits(500, 100)


@pytest.fixture(autouse=True)
def small_ones_are_large(monkeypatch):
    """There are not thousands of digits here: minibatches from 256 on are large."""
    monkeypatch.setattr(required, "LEAST", 256)


@pytest.fixture(scope="module")
def negatives():
    """Digits with hardly a black pixel."""
    data = some_digits(500, 100)
    return dataclasses.replace(data, x_train=255 - data.x_train, x_test=255 - data.x_test)


def both_engines(trials, data):
    """Return the same training by the Chainer engine and by the CPU engine."""
    return (loop.Training(trials, data, engine=engine) for engine in ("chainer", "cpu"))


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("settings", SETTINGS)
def test_a_step_is_the_chains(digits, settings, batch):
    if settings == "micro" and batch == "rest":
        pytest.skip("micro-batches of 10 do not divide the batch of 160")
    chain, compiled = both_engines(group(SETTINGS[settings], BATCHES[batch], training__steps=6), digits)
    for _ in range(5):
        advance(chain, 1)
        advance(compiled, 1)
        want = chain.state_dict()
        assert distance(want, compiled.state_dict()) < 3e-5
        compiled.load_state_dict(want)


OWN = """{A: {norm: {kind: batch, affine_lr: 0.3}, training: {l1_decay: 0.01}, evaluation: {average: 0.5}},
B: {norm: {kind: renorm, r_max: 1.2, d_max: 0.3, decay: 0.5, eps: 0.1},
training: {weight_decay: 0.1, optimizer: {lr: 0.05, momentum: 0.5}}, evaluation: {average: 0.9}}}"""


@pytest.mark.parametrize("statistics", ["running", "batch"])
@pytest.mark.parametrize("batch", BATCHES)
def test_replicas_with_settings_of_their_own_are_the_chains(digits, batch, statistics):
    """Rates, limits, decays, eps and averages; the first two replicas differ from the others in all of them."""
    more = {"variants": OWN, "training__steps": 4, "evaluation__statistics": statistics}
    chain, compiled = both_engines(group("training.optimizer.lr: 0.03", BATCHES[batch], **more), digits)
    for _ in range(3):
        advance(chain, 1)
        advance(compiled, 1)
        want = chain.state_dict()
        assert distance(want, compiled.state_dict()) < 3e-5
        assert_same_numbers(compiled.engine.evaluate(), chain.engine.evaluate())
        compiled.load_state_dict(want)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("settings", ["BN after", "BRN before, paper", "adam", "dropout"])
def test_a_step_on_images_without_black_pixels_is_the_chains(negatives, settings, batch):
    trials = group(SETTINGS[settings], BATCHES[batch], training__steps=3, training__optimizer__lr=0.001)
    chain, compiled = both_engines(trials, negatives)
    for _ in range(3):
        advance(chain, 1)
        advance(compiled, 1)
        assert distance(chain.state_dict(), compiled.state_dict()) < 1e-4
        assert_same_numbers(compiled.engine.evaluate(), chain.engine.evaluate(), rtol=1e-4)
        compiled.load_state_dict(chain.state_dict())


@pytest.mark.parametrize("average", ["null", "0.5"])
@pytest.mark.parametrize("statistics", ["running", "batch", "population"])
@pytest.mark.parametrize(
    "settings", ["BN after", "BN before", "BRN before, paper", "none", "layer", "one gamma a layer", "dropout"]
)
def test_evaluation_is_the_chains(digits, settings, statistics, average):
    more = {"training__steps": 3, "evaluation__statistics": statistics, "evaluation__average": average}
    chain, compiled = both_engines(group(SETTINGS[settings], SMALL, evaluation__training_set=True, **more), digits)
    advance(chain, 3)
    compiled.load_state_dict(chain.state_dict())
    assert_same_numbers(compiled.engine.evaluate(), chain.engine.evaluate(), rtol=1e-5)


def test_the_mode_gap_with_dropout_is_the_chains(digits):
    settings = "norm: {kind: batch}\nmodel.dropout: {form: exact, keep_hidden: 0.5}"
    trials = group(settings, SMALL, training__steps=6, evaluation__every=3)
    for (_, got), (_, want) in zip(records(trials, digits, "cpu"), records(trials, digits, "chainer"), strict=True):
        assert_allclose(got["training_mode_accuracy"], want["training_mode_accuracy"], atol=0.0051)


@pytest.mark.parametrize("order", ["linear-activation-norm", "linear-norm-activation"])
@pytest.mark.parametrize(
    "batch", ["{kind: iid, size: 100}", "{kind: iid, size: 250}", FULL]
)  # 200 images show the mode gap
def test_records_and_diagnosis_are_the_chains(digits, batch, order):
    """Limits so close that they clip some nodes, and leave others alone."""
    trials = group(
        f"norm: {{kind: renorm, r_max: 1.1, d_max: 0.2}}\nmodel.order: {order}", batch, training__steps=12,
        evaluation__every=4, data__validation=50,
    )  # fmt: skip
    pairs = zip(records(trials, digits, "cpu"), records(trials, digits, "chainer"), strict=True)
    for (values, seen), (want_values, want_seen) in pairs:
        assert_same_numbers(values, want_values)
        assert_same_numbers(seen, want_seen)


def test_the_diagnosis_of_a_smaller_last_batch_in_micro_batches_is_the_chains(digits):
    more = {"training__micro_batch": 100, "training__steps": 3, "evaluation__every": 3}
    trials = group("norm: {kind: renorm}", "{kind: iid, size: 200, remainder: keep}", **more)  # 200, 200, 100
    ((values, seen),), ((want_values, want_seen),) = (records(trials, digits, name) for name in ("cpu", "chainer"))
    assert_same_numbers(values, want_values)
    assert_same_numbers(seen, want_seen)


@pytest.mark.parametrize("statistics", ["running", "batch"])
@pytest.mark.parametrize("batch", [FULL, SMALL])
def test_a_replica_that_has_diverged_is_left_alone(digits, batch, statistics):
    """All that is recorded of it is NaN; the others' bits are those without it."""
    base = {"training__steps": 12, "evaluation__every": 3, "evaluation__statistics": statistics}
    variants = "{A: {training: {optimizer: {lr: 1.0e+20}}}, B: {}}"
    pair = group("norm: {kind: batch}", batch, **base, variants=variants, seeds=1)
    training = loop.Training(pair, digits, engine="cpu")
    found = [record.values for record in training if record is not None]
    assert not np.isfinite(found[0]["train_loss"][0])
    assert list(training.engine.idle) == [True, False]
    assert np.isnan([values[name][0] for values in found[1:] for name in values]).all()
    alone = records([pair[1]], digits, "cpu")
    assert len(found) == 4
    for name in found[0]:
        assert [values[name][1] for values in found] == [values[name][0] for values, _ in alone]


@pytest.mark.parametrize("batch", [FULL, SMALL])
def test_an_idle_replica_takes_no_steps_until_reload(digits, batch):
    training = loop.Training(group("norm: {kind: batch}", batch), digits, engine="cpu")
    engine = training.engine
    advance(training, 1)
    before = engine.rows.p.copy()
    engine.idle[0] = True
    advance(training, 2)
    changed = (engine.rows.p != before).any(axis=1)
    assert list(changed) == [False, True]
    engine.replicas.training_means()
    engine.reload()
    advance(training, 1)
    assert (engine.rows.p != before).any(axis=1).all()


def test_six_hundred_steps_are_the_chains_within_a_ten_thousandth():
    """With batches of 100, as the second article has them."""
    data = some_digits(6000, 500)
    more = {"training__steps": 600, "evaluation__every": 100, "seeds": 1}
    trials = group("norm: {kind: batch}", "{kind: iid, size: 100}", 6000, **more)
    compiled, chain = (
        np.array([values["train_loss"] for values, _ in records(trials, data, name)]) for name in ("cpu", "chainer")
    )
    assert_allclose(compiled, chain, rtol=1e-4)


def test_evaluation_by_the_populations_statistics_does_not_depend_on_the_threads_of_blas():
    text = (
        "model: {hidden: [64, 64]}\ntraining: {batch: 20, steps: 20}\nevaluation: {statistics: population, every: 20}"
    )
    training = loop.Training(trials_of(f"{text}\nseeds: 2", 2000), some_digits(2000, 100), engine="cpu")
    list(training)
    losses = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            losses.append(training.engine.evaluate()["test_loss"])
    assert (losses[0] == losses[1]).all()


LOADING = """
import _ctypes, threading
from importlib.util import find_spec
from pathlib import Path
from bnrenorm.engines.cpu.engine import ThreadpoolController
library = str(next(Path(find_spec("psutil").origin).parent.glob("_psutil*.so")))
is_over = threading.Event()
def load():
    while not is_over.is_set():
        _ctypes.dlclose(_ctypes.dlopen(library, 0))
loader = threading.Thread(target=load, daemon=True)
loader.start()
for _ in range(100):
    ThreadpoolController()
is_over.set()
loader.join()
"""


def test_the_blas_is_found_while_another_thread_loads_libraries():
    # as `cli.startup.import_analysis` does; threadpoolctl before 3.7 held the linker's lock and waited for the GIL
    assert subprocess.run([sys.executable, "-c", LOADING], timeout=60).returncode == 0
