"""Names of a user's own normalisations, and the digests that tell their versions apart."""

import linecache

import pytest

import bnrenorm
from bnrenorm._compat import L
from bnrenorm.errors import InputError
from bnrenorm.norm import registry


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    for name, empty in (("_registered", {}), ("_digests", {}), ("_settled", set()), ("_before", {})):
        monkeypatch.setattr(registry, name, empty)


def from_cell(source, name, number=1):
    """Define a function or class as a notebook does: its source is known to `linecache` alone."""
    file = f"<cell {number}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    scope = {"L": L, "__name__": "__notebook__"}
    exec(compile(source, file, "exec"), scope)
    return scope[name]


def digest(factory, **version):
    registry.register_norm("mine", factory, **version)
    return registry.digest_of("mine")


def one(width):
    return L.BatchNormalization(width)


def other(width):
    return L.BatchNormalization(width, decay=0.5)


def test_a_name_stands_for_the_factory_that_was_registered_last():
    assert registry.names() == []
    registry.register_norm("b", one)
    registry.register_norm("a", other)
    assert registry.names() == ["a", "b"]
    registry.register_norm("b", other)
    assert registry.find("b").factory is other
    with pytest.raises(KeyError):
        registry.find("c")


def test_the_public_name_is_this_one():
    assert bnrenorm.register_norm is registry.register_norm


def test_a_version_is_text():
    """The number 1 and the text 1 would stand for the same results."""
    with pytest.raises(InputError, match="version is 1, expected text, such as '1'$"):
        registry.register_norm("mine", one, version=1)


def test_the_digest_is_of_the_source_text():
    assert digest(one) == digest(one)
    assert digest(one) != digest(other)
    assert len(digest(one)) == 16


def test_a_digest_is_of_the_values_when_it_is_read_again():
    factory = from_cell("FACTOR = {'a': 1}\ndef norm(width):\n    return FACTOR['a']\n", "norm")
    before = digest(factory)
    factory.__globals__["FACTOR"]["a"] = 2
    assert registry.digest_of("mine") == before, "while a training goes on"
    registry.reread()
    assert before != registry.digest_of("mine") == digest(factory)
    factory.__globals__["FACTOR"]["a"] = 1
    registry.reread()
    assert registry.digest_of("mine") == before


def test_a_factory_whose_source_text_is_gone_is_what_it_was():
    before = digest(from_cell("def norm(width):\n    return width\n", "norm", 9))
    del linecache.cache["<cell 9>"]
    registry.reread()
    assert registry.digest_of("mine") == before


def test_what_a_training_has_changed_of_what_a_factory_uses_makes_no_other_one():
    factory = from_cell("CALLS = [0]\ndef norm(width):\n    CALLS[0] += 1\n", "norm")
    before = digest(factory)
    for _ in range(3):
        factory(1)
        registry.keep()
        registry.reread()
        assert registry.digest_of("mine") == digest(factory) == before
    factory(1)
    registry.reread()
    assert registry.digest_of("mine") != before


def test_what_is_settled_is_not_read_again_until_it_is_registered_again():
    factory = from_cell("FACTOR = [1]\ndef norm(width):\n    return FACTOR[0]\n", "norm")
    digest(factory)
    factory.__globals__["FACTOR"][0] = 2
    registry.settle(["mine"])
    two = registry.digest_of("mine")
    factory.__globals__["FACTOR"][0] = 3
    registry.reread()
    assert registry.digest_of("mine") == two != digest(factory)
    factory.__globals__["FACTOR"][0] = 2
    registry.reread()
    assert registry.digest_of("mine") == two


def test_an_indented_function_has_the_digest_of_the_same_text_at_the_margin():
    text = "def norm(width):\n    return L.BatchNormalization(width)\n"
    nested = "if True:\n" + "".join(f"    {line}\n" for line in text.splitlines())
    assert digest(from_cell(text, "norm", 1)) == digest(from_cell(nested, "norm", 2))


def test_of_a_notebooks_class_the_methods_are_looked_at():
    text = "class Norm(L.BatchNormalization):\n    def forward(self, x):\n        return super().forward(x){}\n"
    first, second = (from_cell(text.format(more), "Norm", number) for number, more in ((3, ""), (4, " * 2")))
    assert digest(first) != digest(second)


def test_a_version_takes_the_place_of_the_source():
    assert digest(one, version="1") == digest(other, version="1") == "version 1"
    assert digest(one, version="1") != digest(one, version="2")


def test_a_factory_without_a_signature_is_taken_as_it_is(monkeypatch):
    """Not every function that is written in C has one."""

    def signature(function):
        raise ValueError("no signature found")

    monkeypatch.setattr(registry.inspect, "signature", signature)
    registry.register_norm("built", one)
    assert registry.names() == ["built"]


def test_what_cannot_be_registered_says_so():
    with pytest.raises(InputError, match="name is 'not a name'"):
        registry.register_norm("not a name", one)
    with pytest.raises(InputError, match="name is None"):
        registry.register_norm(None, one)
    with pytest.raises(InputError, match="factory is 3"):
        registry.register_norm("three", 3)
    with pytest.raises(
        InputError, match="factory is a Link, BatchNormalization, expected a function of the width, such as"
    ):
        registry.register_norm("made", L.BatchNormalization(100))
    for factory in (lambda: None, lambda width, depth: None, object):
        with pytest.raises(InputError, match="'wrong' cannot be called with the width alone: "):
            registry.register_norm("wrong", factory)
    with pytest.raises(InputError, match="no source text"):
        registry.register_norm("built", eval("lambda width: None"))
    assert registry.names() == []
    registry.register_norm("built", eval("lambda width: None"), version="1")
    assert registry.names() == ["built"]
