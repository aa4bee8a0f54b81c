import pytest

from bnrenorm.config import document
from bnrenorm.errors import InputError


def test_every_key_has_its_line():
    parsed = document.parse("a: 1\nb:\n  c: [1, 2]\n", "x.yaml")
    assert parsed.data == {"a": 1, "b": {"c": [1, 2]}}
    assert parsed.location(("b", "c")) == "x.yaml:3"
    assert parsed.location(("b", "missing")) == "x.yaml:2"


def test_an_override_replaces_a_whole_value_and_names_itself():
    parsed = document.parse("a: {b: {c: 1, d: 2}}", "x.yaml")
    parsed.override("a.b={c: 3}")
    parsed.override("a.e=text")
    assert parsed.data == {"a": {"b": {"c": 3}, "e": "text"}}
    assert parsed.location(("a", "b", "c")) == "--set a.b={c: 3}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", r"x.yaml:3: a: duplicate key"),
        ("a: {b: 1, b: 2}", r"x.yaml:1: a.b: duplicate key"),
        ("a: [", r"x.yaml:1: not YAML"),
        ("", r"x.yaml: expected settings"),
        ("[1, 2]", r"x.yaml: expected settings"),
        ("a: &a [*a]", r"too many or too deep"),
        ("a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(f"b{i}: &b{i} [{','.join([f'*b{i - 1}' if i else '*a'] * 9)}]\n" for i in range(8)), "too many"),
        ("a: 2026-99-99", r"x.yaml:1: a: cannot read"),
        ("a: !!python/object:os.system {}", r"x.yaml:1"),
    ],
)  # fmt: skip
def test_bad_yaml_is_one_line_with_its_place(text, message):
    with pytest.raises(InputError, match=message):
        document.parse(text, "x.yaml")


@pytest.mark.parametrize("assignment", ["a", "=3", "a..b=3", "a.b.c=3", "a=[", ""])
def test_a_bad_override_is_named(assignment):
    parsed = document.parse("a: {b: 1}", "x.yaml")
    with pytest.raises(InputError, match="--set"):
        parsed.override(assignment)


def test_an_axis_of_the_grid_is_overridden_whole_or_in_a_named_part():
    parsed = document.parse("grid: {training.batch.size: [2, 4], how: {so: {norm: {decay: 0.5}}}}", "x.yaml")
    parsed.override("grid.training.batch.size=[8]")
    parsed.override("grid.how.so.norm.decay=0.9")
    parsed.override("grid.norm.r_max=[1, 2]")
    assert parsed.data["grid"] == {
        "training.batch.size": [8],
        "how": {"so": {"norm": {"decay": 0.9}}},
        "norm.r_max": [1, 2],
    }
