"""The text of a lambda, and of a function whose file has changed."""

import importlib
import inspect
import linecache
import sys
from types import SimpleNamespace

import pytest

from bnrenorm.norm import source
from bnrenorm.norm.source import text_of
from tests.helpers import fresh
from tests.norm.test_registry import from_cell


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("lambda width: Norm(1)", "lambda width: Norm(2)"),
        ("lambda width: Norm(1)", "lambda width: Base(1)"),
        ("lambda width: 1.0", "lambda width: 2.0"),
        ("lambda width: width in Norm", "lambda width: not width in Norm"),
        ("lambda width: '%s' % (width,)", "lambda width: width"),
        ("lambda *width: len(width)", "lambda **width: len(width)"),
        ("lambda width, f=len: f(width)", "lambda width, f=abs: f(width)"),
        ("lambda a, b=1: Norm(a)", "lambda b, a=1: Norm(a)"),
        ("lambda width: Norm((lambda x: x)(1))", "lambda width: Norm((lambda x: -x)(1))"),
        ("lambda width: Norm(\nwidth + 1\n)", "lambda width: Norm(\nwidth + 2\n)"),
        ("lambda é: Norm('é', 1)", "lambda é: Norm('é', 2)"),
    ],
)
def test_lambdas_of_one_line_have_texts_of_their_own(one, other):
    text = f"Norm = Base = None\nboth = [{one}, {other}, {one}]\n"
    texts = [text_of(factory) for factory in (*from_cell(text, "both"), *from_cell(text, "both"))]
    assert texts[0] == texts[2] == texts[3] != texts[1] == texts[4]


def test_a_lambda_whose_place_is_not_known_has_its_first_line():
    """As in a process of `python -X no_debug_ranges`."""
    text = "norm = [lambda width: abs(width)][0]\n"
    code = from_cell(text, "norm").__code__
    assert source._of_function(code) == "lambda width: abs(width)\n"
    assert source._of_function(code.replace(co_linetable=b"")) == "lambda width: abs(width)\n", "the only one there"
    text = "one = lambda width: 1; norm = lambda width: abs(width)\n"
    code = from_cell(text, "norm").__code__
    assert source._of_function(code) == "lambda width: abs(width)\n"
    unknown = code.replace(co_linetable=b"")
    assert source._of_function(unknown) == text + source._instructions(code)


@pytest.mark.parametrize(
    "lines", ["(\n  lambda width:\n    1 + {})", "f(lambda width: (\n  {}),\n lambda x: 2)", "lambda width: [\n {}]"]
)
def test_every_line_of_a_lambda_is_in_its_text(lines):
    text = f"f = lambda one, other=None: one\nnorm = {lines}\n"
    first, again, other = (text_of(from_cell(text.format(value), "norm")) for value in (3, 3, 4))
    assert first == again != other


@pytest.mark.parametrize(
    "edited",
    [
        "class Norm:\n    def forward(self, x):\n        return 20 * x\n",
        "import sys\n\nclass Norm:\n    def forward(self, x):\n        return x\n",
        "class Norm:\n    def forward(self, x):\n",
        "",
    ],
)
def test_code_that_is_not_what_its_file_says_by_now_is_neither_the_old_nor_the_new_one(tmp_path, edited):
    """Python goes on with what was imported, and a process that imports the file again has the new text."""
    path = tmp_path / "links.py"

    def imported():
        scope = {"__name__": "links"}
        exec(compile(path.read_text(), str(path), "exec"), scope)
        return SimpleNamespace(**scope)

    path.write_text("class Norm:\n    def forward(self, x):\n        return x\n")
    first, again = imported(), imported()
    before = text_of(first.Norm.forward)
    assert before == text_of(again.Norm.forward)
    assert source._of_function(first.Norm.forward.__code__) == "def forward(self, x):\n    return x\n"
    path.write_text(edited)
    now = text_of(first.Norm.forward)
    assert now != before
    if "return" in edited:
        assert now != text_of(imported().Norm.forward)
        assert now == text_of(again.Norm.forward)
    path.write_text("class Norm:\n    def forward(self, x):\n        return x\n")
    assert text_of(first.Norm.forward) == before


def test_instructions_have_one_text_in_every_process():
    code = (
        "from bnrenorm.norm.source import _instructions\n"
        "def norm(x):\n    return [y in {'a', 'b', 'c'} for y in x], lambda: 3\n"
        "print(_instructions(norm.__code__))"
    )
    assert len({fresh(code) for _ in range(4)}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(x): return x + 1", "def f(x): return x - 1"),
        ("def f(x): return x + 1.5", "def f(x): return x + 2.5"),
        ("def f(x): return x.real", "def f(x): return x.imag"),
        ("def f(a, b): return a", "def f(b, a): return b"),
        ("def f(x): return lambda: x + 1.5", "def f(x): return lambda: x + 2.5"),
        ("def f(x): return x in {1, 2}", "def f(x): return x in {1, 3}"),
    ],
)
def test_functions_that_do_something_else_have_other_instructions(one, other):
    first, again, second = (source._instructions(from_cell(text, "f").__code__) for text in (one, one, other))
    assert first == again != second


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The folder of two modules of the user's own that can be imported."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "shifts.py").write_text("SHIFT = 1\nUNUSED = 1\n")
    (folder / "links.py").write_text(
        "from package import shifts\nK = 3\nclass Norm:\n    def forward(self, x):\n        return K * x if x else shifts.SHIFT\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return folder


@pytest.mark.parametrize("names", ["links.Norm(width)", "package.links.Norm(width)", "Norm(width)", "made(width)"])
@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [
        ("K = 3", "K = 4", False),
        ("return K * x", "return -K * x", False),
        ("SHIFT = 1", "SHIFT = 2", False),
        ("UNUSED = 1", "UNUSED = 2", True),
    ],
)
def test_what_a_factory_uses_of_the_users_own_modules_is_in_its_text(package, monkeypatch, names, old, new, is_same):
    """A notebook's lambda names a class of a file next to it."""
    cell = "import package.links\nfrom package import links\nfrom package.links import Norm\n"
    cell += f"def made(width):\n    return links.Norm(width)\nnorm = lambda width: {names}\n"

    def text():
        for name in [name for name in sys.modules if name.partition(".")[0] == "package"]:
            monkeypatch.delitem(sys.modules, name)
        importlib.invalidate_caches()
        return text_of(from_cell(cell, "norm"))

    before = text()
    for file in (package / "links.py", package / "shifts.py"):
        file.write_text(file.read_text().replace(old, new))
        linecache.checkcache(str(file))
    assert (text() == before) is is_same


def test_a_helper_without_source_text_is_known_by_its_instructions():
    """Such are those of a notebook's cell that is timed."""

    def text(helper):
        norm = from_cell("def norm(width):\n    return helper(width)\n", "norm")
        exec(compile(helper, "<timed exec>", "exec"), norm.__globals__)
        return text_of(norm)

    for kind in ("def helper(x):\n    return {} * x\n", "helper = lambda x: {} * x\n"):
        first, again, other = (text(kind.format(factor)) for factor in (3, 3, 4))
        assert first == again != other


def test_a_long_chain_of_functions_has_a_text():
    """Longer than Python's calls may be nested here."""
    chain = "".join(f"def f{i}(x):\n    return f{i + 1}(x)\n" for i in range(300))
    factories = [from_cell(f"{chain}f300 = {end}\n", "f0") for end in (3, 4)]
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 200)
    try:
        first, second = map(text_of, factories)
    finally:
        sys.setrecursionlimit(limit)
    assert first != second
    assert first.count("return") == 300
