"""YAML 1.2 within limits, and what is written is read back."""

import decimal
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from bnrenorm.config import limits, reader
from bnrenorm.errors import InputError

SCALARS = [
    ("1e-3", 0.001), ("1E+5", 1e5), ("-.5", -0.5), ("+2.", 2.0), ("1.0e-3", 0.001), (".inf", math.inf), ("-.INF", -math.inf), ("0x1F", 31),
    ("0o17", 15), ("017", 17), ("-12", -12), ("", None), ("~", None), ("null", None), ("true", True), ("True", True), ("FALSE", False), ("no", "no"), ("on", "on"),
    ("y", "y"), ("off", "off"), ("1_000", "1_000"), ("2026-01-01", "2026-01-01"), ("12:30:45", "12:30:45"), ("nan", "nan"), ("inf", "inf"),
    ("1e", "1e"), ("e5", "e5"), (".", "."), ("'1'", "1"), ('"true"', "true"), ("!!str 5", "5"), ("!!int '5'", 5), ("tRue", "tRue"), ("=", "="),
]  # fmt: skip


@pytest.mark.parametrize(("text", "want"), SCALARS)
def test_scalars_are_those_of_yaml_1_2(text, want):
    for value in (reader.read(f"a: {text}", "x.yaml")[0]["a"], reader.read_value(text, "--set a")):
        assert (value, type(value)) == (want, type(want))


def test_nan_is_a_number():
    assert math.isnan(reader.read_value(".nan", "--set a"))


def test_every_key_and_item_has_its_line():
    _, locations = reader.read("a: 1\nb:\n  c: [1,\n    2]\n", "x.yaml")
    assert locations == {
        (): "x.yaml:1", ("a",): "x.yaml:1", ("b",): "x.yaml:2", ("b", "c"): "x.yaml:3", ("b", "c", 0): "x.yaml:3", ("b", "c", 1): "x.yaml:4"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "x.yaml:3: a: duplicate key"),
        ("a: {b: 1, b: 2}", "x.yaml:1: a.b: duplicate key"),
        ("a: [", "x.yaml:1: not YAML"),
        ("a: 1\nb: *c", "x.yaml:2: not YAML: found undefined alias"),
        ("a: !!python/object:os.system {}", "x.yaml:1: a: unknown tag"),
        ("a: !!timestamp 2026-01-01", "x.yaml:1: a: unknown tag"),
        ("a: !!set {b}", "x.yaml:1: a: unknown tag"),
        ("a: !!int ''", "x.yaml:1: a: '' is no int"),
        ("a: !!bool x", "x.yaml:1: a: 'x' is no bool"),
        ("a: !!float 1_0", "x.yaml:1: a: '1_0' is no float"),
        ("a: 1e999", "x.yaml:1: a: '1e999' is too large for a number"),
        ("a: -1e999", "x.yaml:1: a: '-1e999' is too large for a number"),
        (f"a: {'9' * 5000}", "x.yaml:1: a: a number of 5000 characters, expected at most 100"),
        ("a: {[b]: 1}", "x.yaml:1: a has a key that is no name"),
        (r'a: "\0"', "x.yaml:1: a: .* has a line break, a control character"),
        ('{"B\\u202eN": 1}', "x.yaml:1: .* has a character that reorders text, expected none in a name"),
        ('a: {"B\\u2067N\\u2069": 1}', "x.yaml:1: .* has a character that reorders text, expected none in a name"),
        (r'a: {"b\nc": 1}', "x.yaml:1: .* has a line break"),
        (r'a: "\ud800"', "x.yaml:1: a: .* half a character"),
        (r'a: "\UFFFFFFFF"', "x.yaml:1: not YAML"),
        ("a: \x07", "x.yaml:1: not YAML"),
    ],
)
def test_bad_yaml_is_one_line_with_its_location(text, message):
    with pytest.raises(InputError, match=message) as caught:
        reader.read(text, "x.yaml")
    assert "\n" not in str(caught.value)


BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"b{i}: &b{i} [{','.join([f'*b{i - 1}' if i else '*a'] * 9)}]\n" for i in range(8)
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "a: &a [*a]",
        "a: &a {b: *a}",
        "a: " + "[" * 400,
        "a: " + "{a: " * 400,
        "- " * 400,
        "a: [" + "1," * 3000 + "]",
    ],
    ids=["bomb", "a list in itself", "a group in itself", "lists", "groups", "items", "values"],
)
def test_a_document_beyond_the_limits_is_refused_while_it_is_read(text, monkeypatch):
    monkeypatch.setattr(limits, "VALUES", 2000)
    tracemalloc.start()
    with pytest.raises(InputError, match="x.yaml:[0-9]+: expected at most 2,000 keys and values"):
        reader.read(text, "x.yaml")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * 2**20


def test_a_document_may_be_as_deep_as_the_limit():
    text = "a: " + "[" * (limits.DEPTH - 1) + "]" * (limits.DEPTH - 1)
    assert reader.read(text, "x.yaml")
    with pytest.raises(InputError):
        reader.read(text.replace("[]", "[[1]]"), "x.yaml")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a=b #1.npz", "a=b #1.npz"),
        ("#1.npz", "#1.npz"),
        (" 3 ", 3),
        ("'a #1'", "a #1"),
        ("[1, 2] # both", [1, 2]),
        ("!!str 5", "5"),
        ("&five 5", 5),
    ],
)
def test_text_on_the_command_line_has_no_comments(text, want):
    assert reader.read_value(text, "--set a") == want


def test_a_bad_value_on_the_command_line_has_no_line():
    with pytest.raises(InputError, match="^--set a=.: not YAML"):
        reader.read_value("[", "--set a=[")


VALUES = [0.1, 1e-5, 1e300, -0.0, 3, True, None, "1e-3", "0o17", "1_0", "no", "12:30", "2026-01-01", "", "~", "null", "a #b", "a: b", "学習", "x" * 200, "  ", "'", "- a", "[1]"]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_is_written_is_read_back(value):
    again, _ = reader.read(reader.dump({"a": [value], f"{value}": value}), "x.yaml")
    assert again == {"a": [value], f"{value}": value}
    assert type(again["a"][0]) is type(value)


def test_python_values_become_plain_data():
    value = {
        "a": (1, np.int64(2)),
        "b": np.array([0.5, 1.0]),
        "c": Path("x/y"),
        "d": {1: np.float32(0.5)},
        "e": range(2),
    }
    plain = reader.plain(value, "a=...")
    assert plain == {"a": [1, 2], "b": [0.5, 1.0], "c": "x/y", "d": {"1": 0.5}, "e": [0, 1]}
    assert [type(item) for item in (*plain["a"], *plain["b"])] == [int, int, float, float]


def endless():
    while True:
        yield 1


CYCLE: list = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize("value", [object(), 1j, decimal.Decimal(1), "a\0b", 10**200, CYCLE, endless(), len], ids=lambda value: type(value).__name__)  # fmt: skip
def test_other_python_values_are_refused(value):
    with pytest.raises(InputError, match=r"^key=\.\.\.: "):
        reader.plain(value, "key=...")


def test_python_truth_values_stay_truth_values():
    assert [reader.plain(value, "x") for value in (True, False, np.True_, None)] == [True, False, True, None]
    assert type(reader.plain(True, "x")) is type(reader.plain(np.True_, "x")) is bool


@pytest.mark.parametrize("name", ["バッチ正規化", "שיטה", "طريقة", "e\u0301", "👩\u200d🔬", "a\u200fb"])
def test_names_of_all_scripts_are_read(name):
    assert reader.read(f'{{"{name}": 1}}', "x.yaml")[0] == {name: 1}


def test_text_that_is_no_name_may_reorder():
    assert reader.read('a: "x\\u2068y\\u2069"', "x.yaml")[0] == {"a": "x\u2068y\u2069"}
