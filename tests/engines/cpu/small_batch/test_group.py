"""How steps are cut into spans and gathered."""

import numpy as np
import pytest

from bnrenorm.engines.select import make_engine
from tests.engines.groups import assert_same_bits
from tests.helpers import some_digits, trials_of


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


def test_the_spans_change_no_bit(monkeypatch):
    whole, cut = engine_of(20), engine_of(20)
    monkeypatch.setattr(cut.batches, "_spans", lambda steps, seeds: [(0, 1), (1, 4), (4, steps)])
    for engine in (whole, cut):
        engine.advance(0, 9, observe=False)
    assert_same_bits(cut.replicas.state_dict(), whole.replicas.state_dict())
    assert np.array_equal(cut.last_step.logits[1], whole.last_step.logits[1])
