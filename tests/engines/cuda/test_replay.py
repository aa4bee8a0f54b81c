"""Steps that are recorded and made again: the same tables, and the same bits as steps taken one by one."""

import numpy as np
import pytest

from bnrenorm.engines import device as devices
from bnrenorm.engines.cuda.reference import Reference
from bnrenorm.engines.cuda.replay import Replay
from bnrenorm.engines.cuda.spans import Span
from tests.engines.groups import FULL, SETTINGS, SMALL, WITHOUT_AND_WITH_GPU, coarse_digits, group, training_of

STEPS = 9


@pytest.fixture(scope="module")
def few():
    return coarse_digits(500, 50)


def span_of(random, counts=(20,) * STEPS):
    def table(*shape):
        return random.integers(0, 1000, (len(counts), *shape), np.int32)

    return Span(7, list(counts), table(2, 20), table(2, 5), table(3, 4).astype(np.float32))


def test_a_recorded_step_reads_its_own_tables():
    random, seen = np.random.default_rng(0), []

    def take(span, s):
        assert set(span.counts) == {20}
        ends = s == 0, s == len(span.counts) - 1
        index = span.index[s : s + 2 - ends[1]]
        seen.append((s % 2, ends, index.copy(), span.ranks[s].copy(), span.schedule[s].copy()))

    replay = Replay(Reference())
    for _ in range(2):
        span = span_of(random)
        del seen[:]
        steps = [s for s in range(STEPS) if replay.suits(span, s)]
        for s in steps:
            replay.take(take, span, s)
        assert steps == list(range(STEPS))
        for s, (parity, ends, index, ranks, schedule) in zip(steps, seen, strict=True):
            assert parity == s % 2
            assert ends == (s == 0, s == STEPS - 1)
            assert np.array_equal(index, span.index[s : s + 2])
            assert np.array_equal(ranks, span.ranks[s])
            assert np.array_equal(schedule, span.schedule[s])


def test_tables_that_a_training_lacks_are_left_out():
    span = span_of(np.random.default_rng(0))._replace(index=None, ranks=None)
    seen = []
    Replay(Reference()).take(lambda span, s: seen.append((span.index, span.ranks, span.schedule[s].copy())), span, 3)
    ((index, ranks, schedule),) = seen
    assert (index, ranks) == (None, None)
    assert np.array_equal(schedule, span.schedule[3])


def test_only_steps_among_their_like_are_replayed():
    """Another size before, behind or at a step changes what it has to prepare."""
    span = span_of(np.random.default_rng(0), (20, 20, 20, 20, 10, 20, 20, 20, 20))
    replay = Replay(Reference())
    assert [s for s in range(STEPS) if replay.suits(span, s)] == [0, 1, 2, 6, 7, 8]


def test_the_ends_of_a_span_have_recordings_of_their_own():
    taken, replay = [], Replay(Reference())

    def take(span, s):
        taken.append((s, len(span.counts)))

    for many in (1, 2, 3, 4):
        span = span_of(np.random.default_rng(0), (20,) * many)
        for s in range(many):
            replay.take(take, span, s)
    only, first, odd, odd_last, even, even_last = (0, 1), (0, 2), (1, 3), (1, 2), (2, 4), (2, 3)
    assert taken == [only, first, odd_last, first, odd, even_last, first, odd, even, odd_last]
    assert len(replay.again) == 6


def test_a_step_is_recorded_once_for_even_and_odd_numbers(few, monkeypatch):
    """And once for the first and the last one. An observed one, the last of these nine, is two recordings."""
    engine = training_of(group("norm: {kind: batch}", SMALL), few, "reference").engine
    recorded, taken = [], []
    monkeypatch.setattr(
        engine.ops, "recorded", lambda step: recorded.append(step) or step() or (lambda: taken.append(1))
    )
    engine.advance(0, STEPS, observe=True)
    assert (len(recorded), len(taken)) == (3 + 2, 5)
    engine.reload()  # to arrays that may be others
    engine.advance(STEPS, STEPS, observe=False)
    assert (len(recorded), len(taken)) == (3 + 2 + 4, 5 + 5)


@pytest.mark.parametrize(("settings", "batch"), [("BRN", "{kind: iid, size: 250}"), ("dropout", SMALL)])
def test_batches_of_a_size_lie_in_one_place(few, monkeypatch, settings, batch):
    """Whatever steps are recorded: more places were more memory."""
    engine, places = training_of(group(SETTINGS[settings], batch), few, "reference").engine, set()
    for name in ("gather", "gather_pixels"):
        real = getattr(engine.ops, name)
        monkeypatch.setattr(engine.ops, name, lambda *rest, real=real: places.add(rest[2].ctypes.data) or real(*rest))
    engine.advance(0, STEPS, observe=False)
    assert len(places) == 1


BATCHES = {
    "small": SMALL,
    "rest": "{kind: iid, size: 90, remainder: keep}",  # 5 of 90 images and one of 50
    "sweep": "{kind: iid, size: 120}",
    "large": "{kind: iid, size: 250}",
    "full": FULL,
}


@pytest.mark.parametrize("engine", WITHOUT_AND_WITH_GPU)
@pytest.mark.parametrize("hidden", ["[30]", "[30, 20]"])
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("settings", ["BRN", "adam", "layer", "dropout"])
def test_replayed_steps_give_the_bits_of_single_ones(few, engine, settings, batch, hidden):
    """The observed ones and their diagnosis, too."""
    trials, states = group(SETTINGS[settings], BATCHES[batch], model__hidden=hidden), []
    for replays in (True, False):
        training = training_of(trials, few, engine)
        if not replays:
            training.engine.replay.suits = lambda span, s: False
        diagnoses = []
        with devices.using("cuda:0" if engine == "cuda" else "cpu"):
            for first in (0, STEPS):
                training.engine.advance(first, STEPS, observe=True)
                diagnoses += training.engine.diagnosis().items()
        assert bool(training.engine.replay.again) == replays
        assert engine == "reference" or training.engine.ops.no_graph == ""
        states.append([*diagnoses, *training.state_dict().items()])
    layers = (1 + ("," in hidden)) * (settings in ("BRN", "dropout"))
    assert len(diagnoses) == 2 * (2 + 12 * layers) * bool(layers)
    for (name, one), (other_name, other) in zip(*states, strict=True):
        assert name == other_name
        assert one.tobytes() == other.tobytes(), name
