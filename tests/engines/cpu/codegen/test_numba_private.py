"""What numba does not document: that it does what we want of it, and that one file alone uses it."""

import ast
from pathlib import Path

import numba
import numba.extending
import numba.types
import numpy as np
import pytest

import bnrenorm.engines.cpu
from bnrenorm.engines.cpu.codegen import decorators, numba_private

PACKAGE = Path(bnrenorm.engines.cpu.__file__).parent
PUBLIC = {"numba", "numba.types", "numba.extending"}
PRIVATE_WORDS = ("_nrt", "numba_", "numba.core", "numba.np", "pipeline_class", "no_cpython_wrapper", "no_cfunc_wrapper")


@decorators.subroutine
def _total(x, begin):
    total = 0.0
    for i in range(begin, len(x)):
        total += x[i]
    return total


def _ones(n):
    return np.ones(n).sum()


def test_a_subroutine_has_no_machine_code_but_in_kernels():
    """Kernels that the same process compiles would link it, and it is not optimised."""
    _total.compile((numba.float64[::1], numba.int64))
    compiled = _total.overloads[numba.float64[::1], numba.int64]
    engine = compiled.library.codegen._engine
    assert not engine.is_symbol_defined(compiled.fndesc.mangled_name)
    assert engine.is_symbol_defined(compiled.fndesc.env_name)


@pytest.mark.parametrize("way", ["kernel", "cached_subroutine", "subroutine", "strict_subroutine"])
def test_no_kernel_counts_references(monkeypatch, way):
    """Counting took a tenth of a step. As numba does not count, it lets kernels make no array."""
    monkeypatch.setattr(decorators, "cache_folder", lambda: None)
    part = getattr(decorators, way)(_ones)
    caller = decorators.kernel(lambda n: part(n))
    with pytest.raises(numba.NumbaError, match="Only accept returning of array"):
        caller(3)


def test_the_cache_directory_is_set_for_the_context_alone(tmp_path):
    from numba.core import config

    before = config.CACHE_DIR

    def fail_within():
        with numba_private._cache_directory(tmp_path):
            assert str(tmp_path) == config.CACHE_DIR
            raise KeyError

    with pytest.raises(KeyError):
        fail_within()
    assert before == config.CACHE_DIR


def private_parts(source):
    """List what a source takes of numba besides its documented modules."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
            if node.module == "numba":
                modules += [f"numba.{alias.name}" for alias in node.names if alias.name not in dir(numba)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
            yield from (word for word in PRIVATE_WORDS if node.value.startswith(word))
            continue
        elif isinstance(node, ast.keyword):
            yield from (word for word in PRIVATE_WORDS if node.arg == word)
            continue
        else:
            continue
        yield from (name for name in modules if name.split(".")[0] == "numba" and name not in PUBLIC)


SOURCES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(PACKAGE)) for path in SOURCES])
def test_only_one_file_uses_private_parts_of_numba(path):
    found = list(private_parts(path.read_text()))
    assert bool(found) == (path.name == "numba_private.py"), found


@pytest.mark.parametrize(
    "line",
    [
        "from numba.core import cgutils", "import numba.core.types", "from numba.np.arrayobj import populate_array",
        "importlib.import_module('numba.core.config')", "numba.njit(_nrt=False)", "x = {'_nrt': True}",
        "types.ExternalFunction('numba_xxgemm', signature)",
    ],
)  # fmt: skip
def test_private_parts_are_seen_in_every_form(line):
    assert list(private_parts(line))
