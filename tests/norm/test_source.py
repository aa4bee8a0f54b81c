"""What of a file or notebook decides what a factory makes, and what does not."""

import functools
import linecache

import numpy as np
import pytest

from bnrenorm.norm.source import text_of
from tests.helpers import fresh
from tests.norm.test_registry import from_cell

FILE = """
import functools
import numpy as np
from numpy import exp
FACTOR = 0.1
LIMITS = {"low": [1, 2]}
KINDS = {"a", "b"}
MANY = np.array([1, 2], "f4")
ONE = np.int64(3)
SPAN = range(4)
RATE = 7
SHIFT = 9
LATE = 11
UNUSED = 5

def helper(x):
    return other(x) * FACTOR

def other(x):
    return helper(x) if x else LIMITS if x in SPAN else exp(MANY * ONE)

class Slotted:
    __slots__ = ("set_", "unset")

    def __init__(self, value):
        self.set_ = value

SLOTTED = Slotted(13)

class Base:
    start = 3

    def shifted(self, by):
        return self.start + by

    by_two = functools.partialmethod(shifted, 2)

class Norm(Base):
    factor = 0.5

    def __init__(self, width, rate=RATE, *, shift=SHIFT):
        self.width = width

    @property
    def scale(self):
        return helper(self.width)

    @scale.setter
    def scale(self, value):
        self.width = value + 1

    @functools.cached_property
    def late(self):
        return LATE if self.scale else SLOTTED

    @staticmethod
    def twice(x):
        return [inner for inner in map(lambda y: thrice(y), x)]

def scaled(function):
    @functools.wraps(function)
    def wrapper(x):
        return 7 * function(x)
    return wrapper

@scaled
def thrice(x):
    return 3 * x if x in KINDS else x

def unused(x):
    return UNUSED

def made(value):
    return lambda width: Norm(width, value)

norm = lambda width: Norm(width)
with_seven = made(7)
with_rate = __import__("functools").partial(Norm, rate=7)
of_an_object = Norm(4)
"""


@pytest.mark.parametrize("name", ["norm", "Norm", "with_seven", "with_rate", "of_an_object"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("FACTOR = 0.1", "FACTOR = 0.2"),
        ('"low": [1, 2]', '"low": [1, 3]'),
        ('"low": [1, 2]', '"high": [1, 2]'),
        ("if x else LIMITS", "if x else FACTOR"),
        ('[1, 2], "f4"', '[1, 3], "f4"'),
        ('[1, 2], "f4"', '[1, 2], "f8"'),
        ('[1, 2], "f4"', '[[1, 2]], "f4"'),
        ("int64(3)", "int64(4)"),
        ("int64(3)", "int32(3)"),
        ("range(4)", "range(5)"),
        ("start = 3", "start = 4"),
        ("factor = 0.5", "factor = 1.5"),
        ("RATE = 7", "RATE = 8"),
        ("SHIFT = 9", "SHIFT = 8"),
        ("LATE = 11", "LATE = 12"),
        ("Slotted(13)", "Slotted(14)"),
        ("(shifted, 2)", "(shifted, 3)"),
        ("return helper(self.width)", "return helper(-self.width)"),
        ("value + 1", "value + 2"),
        ("thrice(y), x", "thrice(-y), x"),
        ("return 3 * x", "return 4 * x"),
        ("return 7 * function", "return 8 * function"),
        ('{"a", "b"}', '{"a", "c"}'),
    ],
)
def test_whatever_a_factory_uses_is_in_its_text(name, old, new):
    assert FILE.count(old) == 1
    before, again, after = (text_of(from_cell(text, name)) for text in (FILE, FILE, FILE.replace(old, new)))
    assert before == again != after


@pytest.mark.parametrize("kind", ["list", "tuple", "set", "dict", "partial", "deque", "cached_property"])
def test_the_methods_of_a_container_of_ones_own_class_are_too(kind):
    text = f"from collections import deque\nfrom functools import *\nclass Own({kind}):\n    def eps(self): return 1\n"
    text += f"USED = Own({'print' * (kind in ('partial', 'cached_property'))})\nnorm = lambda width: USED.eps()\n"
    assert text_of(from_cell(text, "norm")) != text_of(from_cell(text.replace("return 1", "return 2"), "norm"))


def test_a_set_has_one_text_in_whatever_order_it_is_kept():
    """That of strings differs from process to process, and each would train all over again."""
    one, other = (FILE.replace('{"a", "b"}', numbers) for numbers in ("{0, 8}", "{8, 0}"))
    assert list({0, 8}) != list({8, 0})
    assert text_of(from_cell(one, "norm")) == text_of(from_cell(other, "norm"))


def test_what_it_does_not_use_is_not():
    before, after = (text_of(from_cell(text, "norm")) for text in (FILE, FILE.replace("UNUSED = 5", "UNUSED = 6")))
    assert before == after


def test_outer_variables_and_arguments_are():
    assert text_of(from_cell(FILE, "with_seven")) != text_of(
        from_cell(FILE.replace("made(7)", "made(8)"), "with_seven")
    )
    partial = from_cell(FILE, "with_rate")
    assert text_of(partial) != text_of(functools.partial(partial.func, rate=8))


def test_a_bound_method_is_that_of_its_object():
    one, other = from_cell(FILE, "of_an_object"), from_cell(FILE.replace("Norm(4)", "Norm(5)"), "of_an_object")
    assert text_of(one.__init__) != text_of(other.__init__)


@pytest.mark.parametrize(
    "constant",
    [
        "threading.Lock()",
        "np.exp",
        "pathlib.Path(__file__ if '__file__' in globals() else '.')",
        "np.random.default_rng()",
        "chainer.links.BatchNormalization(3)",
        "np.array([print])",
        "vars(np.ndarray)",
        "type('Odd', (), {'__module__': 'of_others', '__getattr__': lambda self, name: {}[name]})()",
        "type('Odd', (), {'__module__': 'of_others', '__reduce__': lambda self: exit()})()",
    ],
)
def test_of_what_may_differ_by_process_or_folder_nothing_is_in_the_text(constant):
    """Another digest on a worker, or in a run folder's copy, would be another norm."""
    text = "norm = lambda width: USED if width else 3\n"
    used = f"import chainer, pathlib, threading\nimport numpy as np\nUSED = {constant}\n"
    assert text_of(from_cell(f"{used}{text}", "norm")) == text_of(from_cell(text, "norm"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "np.array([(1, 2)], [('eps', 'f8'), ('decay', 'f8')])",
            "np.array([(1, 2)], [('decay', 'f8'), ('eps', 'f8')])",
        ),
        ("np.array([(1, 2)], [('a', 'i1'), ('b', 'i8')])", "np.array([(1, 3)], [('a', 'i1'), ('b', 'i8')])"),
        ("np.longdouble(1)", "np.longdouble(2)"),
        ("np.zeros((2, 3))", "np.zeros((3, 2))"),
        ("Fraction(1, 3)", "Fraction(2, 3)"),
        ("SimpleNamespace(kinds={'alpha', 'beta'})", "SimpleNamespace(kinds={'alpha', 'gamma'})"),
        ("chainer.initializers.Constant(2)", "chainer.initializers.Constant(3)"),
        ("np.dtype('f4')", "np.dtype('f8')"),
        ("deque([1, 2])", "deque([1, 3])"),
        ("deque([1, 2])", "deque([1, 2], 5)"),
        ("MappingProxyType({'low': 1})", "MappingProxyType({'low': 2})"),
    ],
)
def test_constants_of_others_types_are_in_the_text(old, new):
    text = (
        "import chainer\nimport numpy as np\nfrom collections import deque\nfrom fractions import Fraction\n"
        "from types import MappingProxyType, SimpleNamespace\n"
    )
    one, again, other = (
        text_of(from_cell(f"{text}USED = {value}\nnorm = lambda width: USED if width else 3\n", "norm"))
        for value in (old, old, new)
    )
    assert one == again != other


@pytest.mark.skipif(np.finfo(np.longdouble).nmant != 63, reason="a long double has no bytes that mean nothing")
def test_bytes_that_mean_nothing_are_not_in_the_text():
    """Of a long double of x86, the last bytes are whatever was in memory."""
    one = np.array([1], np.longdouble).tobytes()[:10]
    first, second = (
        text_of(
            from_cell(
                f"import numpy as np\nUSED = np.frombuffer({one + rest!r}, 'g')\nnorm = lambda width: USED if width else 3\n",
                "norm",
            )
        )
        for rest in (b"\0" * 6, b"\1" * 6)
    )
    assert first == second


def test_no_process_gives_another_text():
    """Python orders the sets of each anew."""
    code = (
        "import linecache\nfrom types import SimpleNamespace\nfrom bnrenorm.norm.source import text_of\n"
        "text = 'norm = lambda width: KINDS if width else 3\\n'\n"
        "linecache.cache['cell'] = (len(text), None, [text], 'cell')\n"
        "names = {'KINDS': SimpleNamespace(kinds=set('abcdefgh'))}\n"
        "exec(compile(text, 'cell', 'exec'), names)\nprint(text_of(names['norm']))"
    )
    assert len({fresh(code) for _ in range(4)}) == 1


def test_without_source_there_is_no_text(monkeypatch):
    of_c = (7, None, ["import x\n"], "<string>")  # what Python 3.13 keeps in a process of `python -c`
    monkeypatch.setitem(linecache.cache, "<string>", of_c)
    assert text_of(eval("lambda width: None")) == text_of(len) == text_of(type("Empty", (), {"a": 1})) == ""
