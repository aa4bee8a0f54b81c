"""The comment at the top of a config."""

from bnrenorm.config.header import Header, read


def test_fields_continue_where_lines_are_indented_and_end_at_a_remark():
    text = (
        "# Question: does it\n#           work?\n# Expected: yes: always.\n# Command:  bnrenorm compare a\n"
        "# Time:     1 minute\n# A remark.\n#   More of it.\nname: a\n# Time: never\n"
    )
    assert read(text) == Header("does it work?", "yes: always.", "bnrenorm compare a", "1 minute")


def test_a_config_without_a_header_has_none():
    assert read("name: a\n") == Header()
