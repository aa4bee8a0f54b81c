"""What is said of an exception."""

from bnrenorm.errors import one_line


def test_a_message_is_one_line_without_a_full_stop_and_cut_if_it_is_long():
    assert one_line(MemoryError("out of\nmemory (1 GiB).")) == "MemoryError: out of memory (1 GiB)"
    line = one_line(RuntimeError("what\n" * 1000))
    assert len(line) == 303
    assert line.startswith("RuntimeError: what what ")
