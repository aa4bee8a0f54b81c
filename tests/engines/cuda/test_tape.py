"""Calls of a recording, made again."""

import pytest

from bnrenorm.engines.cuda.tape import Tape, play


def test_a_recording_holds_the_calls_of_its_step_alone():
    tape, seen = Tape(), []

    def kernel(*arguments, shared=0):
        seen.append((*arguments, shared))

    def step():
        tape(kernel, 1, 2, shared=3)
        tape(kernel, "x")

    tape(kernel, "before")
    calls = tape.recorded(step)
    tape(kernel, "behind")
    assert seen == [("before", 0), (1, 2, 3), ("x", 0), ("behind", 0)]
    play(calls)
    play(calls)
    assert seen[4:] == [(1, 2, 3), ("x", 0)] * 2


def test_a_step_that_fails_ends_its_recording():
    tape = Tape()

    def step():
        tape(len, "")
        raise MemoryError

    with pytest.raises(MemoryError):
        tape.recorded(step)
    assert tape.calls is None


def test_a_call_that_fails_is_none_of_a_recording():
    tape = Tape()

    def step():
        tape(len, "")
        with pytest.raises(TypeError):
            tape(len, 1)

    assert len(tape.recorded(step)) == 1
