"""What a user's own code raises, in one line with its place; faults of memory and of GPUs pass."""

import pytest

from bnrenorm.errors import InputError
from bnrenorm.norm import user_code


def failing(error):
    raise error


def test_an_error_is_told_with_its_file_and_line():
    with pytest.raises(InputError) as info, user_code.guarded("norm 'a'", failing):
        failing(KeyError("x"))
    at = failing.__code__.co_firstlineno + 1
    assert str(info.value) == f"{__file__}:{at}: norm 'a': KeyError: 'x'"
    assert isinstance(info.value.__cause__, KeyError)


def test_the_place_is_left_out_where_there_is_none():
    with pytest.raises(InputError, match="^norm 'a': ValueError: wrong$"), user_code.guarded("norm 'a'", len):
        failing(ValueError("wrong"))


def test_mistakes_in_the_input_need_no_name():
    assert user_code.reason(InputError("x: expected y")) == "x: expected y"


def cupys():
    return type("OutOfMemoryError", (Exception,), {"__module__": "cupy.cuda.memory"})("full")


@pytest.mark.parametrize("error", [MemoryError(), cupys(), KeyboardInterrupt()])
def test_faults_that_are_not_the_norms_pass(error):
    with pytest.raises(type(error)), user_code.guarded("norm 'a'", failing):
        failing(error)
