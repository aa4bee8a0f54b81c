"""Memory that is used again."""

from bnrenorm.engines.cpu.small_batch.spare import Spare


def test_what_was_given_back_is_taken_before_more_is_made():
    made = []
    spare = Spare(lambda: made.append(None) or [len(made)])
    first, second = spare.take(), spare.take()
    assert first != second
    spare.give_back(first)
    assert spare.take() is first
    assert spare.take() == [3]
