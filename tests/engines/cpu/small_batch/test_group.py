"""How steps are cut into spans and gathered."""

import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cpu.small_batch import steps as kernels
from bnrenorm.engines.cpu.sparse import minibatch
from bnrenorm.engines.select import make_engine
from tests.engines.groups import assert_same_bits
from tests.helpers import batch_at, some_digits, trials_of


def engine_of(size, seeds=2):
    trials = trials_of(f"model: {{hidden: [6]}}\ntraining: {{batch: {size}}}\nseeds: {seeds}", 200)
    return make_engine("cpu", trials, some_digits(200, 50), "cpu")


@pytest.mark.parametrize("seeds", [1, 3, 100])
@pytest.mark.parametrize("size", [1, 20, 200])
@pytest.mark.parametrize("steps", [1, 7, 1000])
def test_spans_cover_all_steps_and_gather_no_more_than_fits(steps, size, seeds):
    spans = engine_of(size).batches._spans(steps, seeds)
    assert [step for begin, end in spans for step in range(begin, end)] == list(range(steps))
    longest = max(end - begin for begin, end in spans)
    assert longest == 1 or (longest * size <= 1600 and longest * size * seeds <= 12_800)


SETTINGS = {
    "momentum": "norm: {kind: batch}",
    "whatever differs from step to step": """
norm: {kind: renorm, r_max: 2, d_max: 1, warmup: 1, ramp_r: 7, ramp_d: 6}
model: {hidden: [6], dropout: {form: exact, keep_input: 0.7, keep_hidden: 0.5}}
training: {optimizer: {kind: adam, lr: 0.01}, batch: {kind: iid, size: 90, remainder: keep}}
variants: {A: {}, B: {model: {dropout: {keep_input: 0.4}}}}
""",
}


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_spans_change_no_bit(monkeypatch, settings):
    """Nor does a second call: batches, masks and the rows of the schedule are those of the step's own number."""
    text = "model: {hidden: [6]}\ntraining: {batch: 20}\nseeds: 2\n" if settings == "momentum" else ""
    trials = trials_of(text + SETTINGS[settings], 200)
    whole, cut = (make_engine("cpu", trials, some_digits(200, 50), "cpu") for _ in range(2))
    thirds = [(0, 3), (3, 6), (6, 7)]
    monkeypatch.setattr(cut.batches, "_spans", lambda steps, seeds: thirds if steps == 7 else [(0, 1), (1, steps)])
    real = minibatch.gather

    def gather(images, labels, drawn, counts, memory):
        assert len(memory[1].batches) > len(counts)  # kernels check no bounds
        return real(images, labels, drawn, counts, memory)

    monkeypatch.setattr(minibatch, "gather", gather)
    cut.advance(0, 2, observe=False)
    cut.advance(2, 7, observe=False)
    whole.advance(0, 9, observe=False)
    assert_same_bits(cut.replicas.state_dict(), whole.replicas.state_dict())
    assert np.array_equal(cut.last_step.logits[1], whole.last_step.logits[1])


def test_a_replica_drops_its_own_share_whatever_that_of_its_companions():
    trials = trials_of(SETTINGS["whatever differs from step to step"], 200)
    together, alone = (make_engine("cpu", some, some_digits(200, 50), "cpu") for some in (trials, trials[1:]))
    for engine in (together, alone):
        engine.advance(0, 3, observe=False)
    assert np.array_equal(together.rows.p[1], alone.rows.p[0])
    assert not np.array_equal(together.rows.p[0], together.rows.p[1])


def test_a_spans_last_step_has_room_for_its_own_statistics(monkeypatch):
    """It may have more micro-batches, and more logits, than the last step of all."""
    batch = "{kind: iid, size: 80, remainder: keep}"  # 80, 80, 40
    text = f"model: {{hidden: [6]}}\ntraining: {{batch: {batch}, micro_batch: 20}}"
    engine = make_engine("cpu", trials_of(text, 200), some_digits(200, 50), "cpu")
    monkeypatch.setattr(engine.batches, "_spans", lambda steps, seeds: [(step, step + 1) for step in range(steps)])
    real, shapes = kernels.train, []

    def train(batches, *others):
        statistics, logits = others[-3:-1]
        shapes.append((statistics.shape[1], len(logits)))
        real(batches, *others)

    monkeypatch.setattr(kernels, "train", train)
    engine.advance(0, 3, observe=False)
    assert shapes == [(4, 80), (4, 80), (2, 40)]


def test_memory_is_made_anew_for_longer_spans():
    batches, longest = engine_of(20).batches, 0
    for steps in (1, 5, 3, 9):
        longest = max(longest, steps)
        batches._keep_memory(steps)
        images, pixels = batches.memory.take()
        assert (len(images.indptr), len(pixels.batches)) == (longest * 5 + 1, longest + 1)


def test_what_a_replica_trains_on_stays_until_it_has_passed_it(monkeypatch):
    """One of a seed waits in its first span until the other one has passed all of them."""
    text = "model: {hidden: [6]}\ntraining: {batch: 20}\nvariants: {A: {}, B: {norm: {kind: renorm}}}"
    calm, waiting = (make_engine("cpu", trials_of(text, 200), some_digits(200, 50), "cpu") for _ in range(2))
    for engine in (calm, waiting):
        monkeypatch.setattr(engine.batches, "_spans", lambda steps, seeds: [(step, step + 1) for step in range(steps)])
        engine.batches.workers = 2
    calm.advance(0, 8, observe=False)
    real, spans, scratch = kernels.train, [], {True: set(), False: set()}
    waits, has_passed = threading.Event(), threading.Event()
    first, second = waiting.batches.hyper

    def train(batches, spec, hyper, *others):
        scratch[hyper is second].add(id(others[4].flat))
        if hyper is first:
            waits.set()
        assert (has_passed if hyper is first else waits).wait(60)
        real(batches, spec, hyper, *others)
        spans.append(hyper is second)
        if sum(spans) == 8:
            assert not scratch[True] & scratch[False]
            has_passed.set()

    monkeypatch.setattr(kernels, "train", train)
    waiting.advance(0, 8, observe=False)
    assert spans == [True] * 8 + [False] * 8
    assert_same_bits(waiting.replicas.state_dict(), calm.replicas.state_dict())


def test_the_moving_average_is_that_of_every_step_in_one_call():
    """Under momentum, where the weights of black pixels wait for their steps; against its closed form."""
    text = "model: {hidden: [6]}\ntraining: {batch: 5}\nevaluation: {average: 0.5}"
    at_once, one_by_one = (make_engine("cpu", trials_of(text, 200), some_digits(200, 50), "cpu") for _ in range(2))
    one_by_one._load()
    want = one_by_one.rows.average[0].astype(float)
    for step in range(9):
        one_by_one.advance(step, 1, observe=False)
        want = 0.5 * want + 0.5 * one_by_one.rows.p[0]
    at_once.advance(0, 9, observe=False)
    assert_allclose(at_once.rows.average[0], want, rtol=1e-5, atol=1e-6)


def test_the_logits_are_those_of_every_image_of_the_last_step():
    text = "model: {hidden: [6]}\nnorm: {kind: none}\ntraining: {batch: 20}"
    engine = make_engine("cpu", trials_of(text, 200), some_digits(200, 50), "cpu")
    engine.advance(0, 2, observe=False)
    first, last = engine.replicas.network.linears
    x = engine.inputs.images[batch_at(engine.inputs.sampler, 0, 2)].astype(float)
    hidden = np.maximum(x @ first.W.array[0].T + first.b.array[0, 0], 0)
    want = hidden @ last.W.array[0].T + last.b.array[0, 0]
    engine.advance(2, 1, observe=False)
    assert_allclose(engine.last_step.logits[0], want, rtol=1e-4, atol=1e-5)
