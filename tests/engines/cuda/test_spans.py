"""The tables of spans: those of the sampler, of dropout and of the schedule, whatever the spans are."""

import threading

import numpy as np
import pytest

from bnrenorm.data.sampling import Sampler
from bnrenorm.engines.cuda import spans as module
from bnrenorm.engines.cuda.spans import Spans
from bnrenorm.network.dropout import Dropout, ranks
from bnrenorm.network.schedule import Schedule
from tests.helpers import trials_of

LABELS = np.arange(50, dtype=np.int32) % 10
BATCH = "{kind: iid, size: 20, remainder: keep}"  # 20, 20 and 10 images
VARIANTS = "variants: {A: {norm: {kind: batch}}, B: {norm: {kind: renorm, ramp_r: 7, ramp_d: 9}}}\nseeds: [3, 8]"


def spans_of(batch=BATCH, text="", dtype=np.float32):
    trials = trials_of(f"{VARIANTS}\ntraining: {{batch: {batch}, optimizer: {{kind: adam}}}}\n{text}", 50)
    sampler = Sampler(trials[0].settings.training.batch, LABELS)
    return Spans(trials, sampler, Schedule(trials), Dropout(trials, (7, 5)), dtype)


def test_replicas_share_the_tables_of_their_seeds():
    spans = spans_of()
    assert spans.seeds == [3, 8]
    assert (spans.seed_of.tolist(), spans.seed_of.dtype) == ([0, 1, 0, 1], np.int32)


@pytest.mark.parametrize("batch", [BATCH, "{kind: non_iid, classes: 2, size: 4}", "{kind: sorted, size: 25}"])
@pytest.mark.parametrize("length", [1, 3, 4, 100])
def test_spans_have_the_samplers_and_the_schedules_tables(batch, length):
    spans = spans_of(batch)
    spans.length = length
    got = list(spans.ahead(2, 10, lambda array: array.copy()))
    want, counts = spans.sampler.table(spans.seeds, 2, 10)
    assert [span.first for span in got] == list(range(2, 12, length))
    assert [count for span in got for count in span.counts] == counts.tolist()
    assert all(type(count) is int for span in got for count in span.counts)
    index = np.concatenate([span.index for span in got])
    assert index.dtype == np.int32
    assert (index == want).all()
    schedule = np.concatenate([span.schedule for span in got])
    assert (schedule == spans.schedule.table(2, 10)).all()
    assert all(span.ranks is None for span in got)


def test_the_whole_training_set_needs_no_index():
    spans = spans_of("full")
    (span,) = spans.ahead(0, 5, np.array)
    assert span.index is None
    assert span.counts == [50] * 5
    assert span.schedule.shape == (5, 4, 4)


@pytest.mark.parametrize("batch", [BATCH, "full"])
def test_ranks_are_dropouts_of_all_layers_side_by_side(batch):
    spans = spans_of(batch, "model: {hidden: [5], dropout: {form: exact, keep_hidden: 0.5}}")
    spans.length = 2
    got = np.concatenate([span.ranks for span in spans.ahead(4, 5, np.array)])
    assert got.dtype == np.int32
    assert got.shape == (5, 2, 12)
    for step in range(5):
        for place, seed in enumerate((3, 8)):
            inputs, hidden = ranks(seed, 4 + step, (7, 5))
            assert (got[step, place, :7] == inputs).all()
            assert (got[step, place, 7:] == hidden).all()


def test_the_schedule_is_of_the_parameters_dtype():
    (span,) = spans_of(dtype=np.float64).ahead(0, 3, np.array)
    assert span.schedule.dtype == np.float64
    (span,) = spans_of().ahead(0, 3, np.array)
    assert span.schedule.dtype == np.float32


def test_a_span_is_as_long_as_its_tables_are_small(monkeypatch):
    """Two seeds: 20 images a step, with dropout 12 ranks besides."""
    dropout = "model: {hidden: [5], dropout: {form: exact, keep_hidden: 0.5}}"
    assert spans_of().length == module._STEPS
    monkeypatch.setattr(module, "_ENTRIES", 1000)
    assert spans_of().length == 25
    assert spans_of(text=dropout).length == 1000 // 64
    assert spans_of("full").length == module._STEPS
    assert spans_of("full", dropout).length == 1000 // 24
    monkeypatch.setattr(module, "_ENTRIES", 1)
    assert spans_of().length == 1


def test_the_next_span_is_drawn_while_one_is_used(monkeypatch):
    spans, drawn, begun = spans_of(), [], threading.Event()
    spans.length, draw = 2, spans.draw

    def spy(first, steps):
        drawn.append((first, steps))
        if first == 2:
            begun.set()
        return draw(first, steps)

    monkeypatch.setattr(spans, "draw", spy)
    ahead = spans.ahead(0, 5, np.array)
    next(ahead)
    assert begun.wait(60)  # without asking for the next span
    assert [span.first for span in ahead] == [2, 4]
    assert drawn == [(0, 2), (2, 2), (4, 1)]


def test_a_fault_while_drawing_is_the_callers(monkeypatch):
    spans = spans_of()
    spans.length = 2

    def fail(seeds, first, steps):
        raise MemoryError

    ahead = spans.ahead(0, 5, np.array)
    next(ahead)
    monkeypatch.setattr(spans.sampler, "table", fail)
    with pytest.raises(MemoryError):
        list(ahead)


def test_the_estimate_holds_the_schedules_of_two_spans():
    spans = spans_of("2")
    tables = [span.schedule for span in spans.ahead(0, 2 * spans.length, np.copy)]
    assert len(tables) == 2
    assert sum(table.nbytes for table in tables) == len(spans.seed_of) * module.SCHEDULE
