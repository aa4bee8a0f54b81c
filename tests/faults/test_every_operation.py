"""Each operation on files fails in turn: the command goes on or ends in one line, and given again, in the same bits."""

import itertools

import pytest

from tests.faults.operations import OPERATIONS, Faulty


@pytest.mark.parametrize(
    ("name", "how"),
    [*itertools.product(OPERATIONS, ("error", "the disk is gone")), ("create", "torn")],
)
@pytest.mark.slow
def test_whichever_call_fails_the_command_given_again_ends_in_the_same_bits(command, left, tmp_path, name, how):
    with Faulty(name) as counted:
        assert command("whole") == (0, "")
    want, count = left("whole"), 10**6 if how == "the disk is gone" else 1
    for number in range(1, counted.calls + 1):
        out = f"{name}{number}"
        with Faulty(name, number, count, "torn" if how == "torn" else "error"):
            code, errors = command(out)
        assert code in (0, 1, 2), (number, errors)
        assert errors.count("\n") == (code != 0), (number, errors)
        assert errors.startswith("bnrenorm: ") or not errors
        assert command(out) == (0, ""), number
        assert left(out) == want, number
