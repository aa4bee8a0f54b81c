"""What is said of an exception."""

import pytest

import bnrenorm
from bnrenorm.errors import InputError, one_line
from bnrenorm.norm.user_code import guarded


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


def test_below_a_cell_stand_the_users_own_lines_and_the_message(tmp_path):
    """Neither ours nor those of libraries: a student reads from the bottom, and stops after a screen."""
    config, plugin, scope = tmp_path / "a.yaml", tmp_path / "plugin.py", {}
    plugin.write_text("def forward(x):\n    return x @ x\n")
    exec(compile(plugin.read_text(), str(plugin), "exec"), scope)
    config.write_text("name: a b\n")
    with pytest.raises(InputError) as raised:
        bnrenorm.load(config)
    (mine, message), text = raised.value._render_traceback_(), str(raised.value)
    assert mine.startswith(f'  File "{__file__}", line ')
    assert mine.splitlines()[1] == "    bnrenorm.load(config)"
    assert message == f"InputError: {text}"
    with pytest.raises(InputError) as raised, guarded("norm 'mine'", scope["forward"]):
        scope["forward"](3)
    *_, mine, called, message = raised.value._render_traceback_()
    assert mine.splitlines()[1] == '    scope["forward"](3)'
    assert called.startswith(f'  File "{plugin}", line 2, in forward\n    return x @ x')
    assert message == f"InputError: {raised.value}"
