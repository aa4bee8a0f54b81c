import numpy as np
import pytest

from bnrenorm.rng import Stream, generator

STREAMS = {"WEIGHTS": 0, "BATCHES": 1, "VALIDATION": 2, "CUSTOM": 3, "DROPOUT": 4, "TEST": 5, "CUSTOM_STEP": 6}


def draw(*arguments):
    return list(generator(*arguments).integers(0, 2**32, 4))


def test_a_stream_is_a_pure_function_of_seed_stream_and_step():
    assert draw(3, Stream.WEIGHTS, 5) == draw(3, Stream.WEIGHTS, 5)
    others = [draw(4, Stream.WEIGHTS, 5), draw(3, Stream.WEIGHTS, 6), draw(3, Stream.WEIGHTS)]
    assert draw(3, Stream.WEIGHTS, 5) not in others


@pytest.mark.parametrize(
    ("stream", "value"),
    list(STREAMS.items()),
)
def test_every_stream_draws_apart_from_the_others(stream, value):
    alone = np.random.default_rng(np.random.SeedSequence(3, spawn_key=(value, 5)))
    assert draw(3, Stream[stream], 5) == list(alone.integers(0, 2**32, 4))


def test_no_stream_is_forgotten():
    now = {stream.name: stream.value for stream in Stream}
    assert now == STREAMS, "does Trial.depends_on_seed (bnrenorm/config/trial.py) know what draws from the new one?"


def test_the_numbers_are_those_of_stored_results():
    """A change here would make every stored trial wrong: raise config.trial.RESULTS with it."""
    assert draw(0, Stream.WEIGHTS) == [73979004, 2427222451, 3906231730, 4017654730]
