"""What is said of an exception."""

import pytest

from bnrenorm.errors import InputError, one_line


@pytest.mark.parametrize("message", ["run.yaml: name: a\nb", "run.yaml: name: a\r\nb"])
def test_bad_input_is_one_line(message):
    assert str(InputError(message)) == "run.yaml: name: a b"


def test_a_message_is_one_line_without_a_full_stop_and_cut_if_it_is_long():
    assert one_line(MemoryError("out of\nmemory (1 GiB).")) == "MemoryError: out of memory (1 GiB)"
    line = one_line(RuntimeError("what\n" * 1000))
    assert len(line) == 303
    assert line.startswith("RuntimeError: what what ")
    whole = "RuntimeError: " + "a" * 286
    assert one_line(RuntimeError("a" * 286)) == whole
    assert one_line(RuntimeError("a" * 287)) == f"{whole}..."
