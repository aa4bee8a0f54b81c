import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cpu.codegen import decorators


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    decorators.cache_folder.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    decorators.cache_folder.cache_clear()


def _double(x):
    for i in range(len(x)):
        x[i] *= 2


def test_a_kernel_is_kept_in_the_users_folder(folder):
    kernel, x = decorators.kernel(_double), np.ones(3, np.float32)
    kernel(x)
    assert list(x) == [2, 2, 2]
    assert list(folder.glob("bnrenorm/kernels-*/**/*.nbc"))
    again = decorators.kernel(_double)
    again(x)
    assert sum(again.stats.cache_hits.values()) == 1


def test_without_a_folder_kernels_are_compiled_all_the_same(monkeypatch):
    monkeypatch.setattr(decorators, "cache_folder", lambda: None)
    kernel, x = decorators.kernel(_double), np.ones(3, np.float32)
    kernel(x)
    assert list(x) == [2, 2, 2]
    assert not sum(kernel.stats.cache_hits.values())
    assert not decorators.is_complete("small")
    decorators.note_complete("small")  # does nothing
    assert not decorators.is_complete("small")


def test_a_folder_that_cannot_be_written_is_none(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    decorators.cache_folder.cache_clear()
    assert decorators.cache_folder() is None
    monkeypatch.undo()
    decorators.cache_folder.cache_clear()


def test_what_is_complete_is_noted_in_the_folder(folder):
    assert not decorators.is_complete("small")
    decorators.note_complete("small")
    assert decorators.is_complete("small")
    assert not decorators.is_complete("large")


@decorators.formula
def _mean(total, count):
    return total / count


def test_a_formula_is_for_kernels_and_for_arrays(monkeypatch):
    monkeypatch.setattr(decorators, "cache_folder", lambda: None)
    kernel = decorators.kernel(lambda total, count: _mean(total, count))
    assert kernel(6.0, 4.0) == 1.5
    assert_allclose(_mean.py_func(np.array([6.0, 2.0]), 4.0), [1.5, 0.5])


def test_only_strict_subroutines_keep_the_order_of_sums(monkeypatch):
    """1e8 + (1 - 1e8) is 0 in float32, one number after the other; LLVM may not turn it into 1."""
    monkeypatch.setattr(decorators, "cache_folder", lambda: None)
    strict = decorators.strict_subroutine(lambda a, b: (a + b) - b)
    kernel = decorators.kernel(lambda a, b: strict(a, b))
    assert kernel(np.float32(1), np.float32(1e8)) == 0
