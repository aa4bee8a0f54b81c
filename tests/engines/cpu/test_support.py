"""An unsuitable numba is noticed at start-up, said in one line, and the Chainer engine takes its place."""

import subprocess
import sys

import numba
import pytest

from bnrenorm.engines import backend
from bnrenorm.engines.backend import Backend
from bnrenorm.engines.cpu import support
from bnrenorm.errors import InputError
from tests.helpers import fresh

SABOTAGE = {
    "a module that moved": (
        "import numba; sys.modules['numba.core.compiler_machinery'] = None",
        "ModuleNotFoundError: import of numba.core.compiler_machinery halted",
    ),
    "a class that is gone": (
        "import numba.core.codegen as c; del c.JITCodeLibrary",
        "ImportError: cannot import name 'JITCodeLibrary'",
    ),
    "a helper that is gone": (
        "import numba.core.cgutils as c; del c.for_range_slice",
        "AttributeError: ",
    ),
    "an option that is gone": (
        "from numba.core.cpu import CPUTargetOptions as c; c._nrt = None",
        "KeyError: \"Unrecognized options: {'_nrt'}",
    ),
    "another signature": (
        "import numba.np.arrayobj as a; a.populate_array = lambda array, data: None",
        "TypeError: ",
    ),
    "a wrong result": (
        "import numba.core.cgutils as c; real = c.for_range_slice; "
        "c.for_range_slice = lambda b, i, j, k: real(b, i, i, k)",
        "ArithmeticError: expected ",
    ),
    "numba's own refusal": ("sys.modules['numba'] = None", "numba cannot be imported ("),
}
CODE = """
import sys
{sabotage}
from bnrenorm.engines import backend
from bnrenorm.engines.cpu import support
from bnrenorm.errors import InputError
print(support.problem())
chosen = backend.choose("auto", "cpu")
print(chosen.engine)
print(chosen.note)
try:
    backend.choose("cpu", "cpu")
except InputError as error:
    print(error)
"""


def test_this_numba_suits():
    assert support.problem() is None
    assert backend.choose("auto", "cpu") == Backend("cpu", "cpu")


@pytest.mark.slow
@pytest.mark.parametrize("kind", SABOTAGE)
def test_an_unsuitable_numba_is_told_in_one_line_and_the_chainer_engine_chosen(tmp_path, monkeypatch, kind):
    """An empty cache folder, because code that is compiled already does not need all of numba."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    sabotage, message = SABOTAGE[kind]
    code = CODE.format(sabotage=sabotage)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    problem, engine, note, error = run.stdout.splitlines()
    if kind != "numba's own refusal":
        assert problem.startswith(f"numba {numba.__version__} does not suit (")
    assert message in problem
    assert engine == "chainer"
    assert note.startswith(problem)
    assert error == f"--engine cpu: {problem}"


def test_without_a_suitable_numba_the_cpu_engine_is_refused(monkeypatch):
    monkeypatch.setattr(support, "problem", lambda: "numba 0.1 does not suit (KeyError: x)")
    chosen = backend.choose("auto", "cpu")
    assert chosen.engine == "chainer"
    assert chosen.note == "numba 0.1 does not suit (KeyError: x); the Chainer engine trains, several times slower"
    with pytest.raises(InputError, match="--engine cpu: numba 0.1 does not suit"):
        backend.choose("cpu", "cpu")


def test_a_compiler_that_is_turned_off_is_said(monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    assert support.problem() == "NUMBA_DISABLE_JIT is set, which turns numba's compiler off"
    assert backend.choose("auto", "cpu").engine == "chainer"


@pytest.mark.parametrize(("wanted", "disabled"), [(None, 1), ("0", 0)])
def test_functions_of_intels_library_have_other_bits_and_are_not_used_unless_wanted(monkeypatch, wanted, disabled):
    monkeypatch.delenv("NUMBA_DISABLE_INTEL_SVML", raising=False)
    if wanted is not None:
        monkeypatch.setenv("NUMBA_DISABLE_INTEL_SVML", wanted)
    code = "from bnrenorm.engines.cpu import support; support.problem(); import numba; print(numba.config.DISABLE_INTEL_SVML)"
    assert int(fresh(code)) == disabled
