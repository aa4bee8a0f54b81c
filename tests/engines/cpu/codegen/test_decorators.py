import builtins
import errno
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cpu.codegen import decorators, numba_private


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


def fail(path):
    raise OSError(errno.ENOSPC, "No space left on device")


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
    decorators.note_complete("small")  # does nothing
    assert decorators.complete() == set()


def fresh_folder():
    """Return what a new process would take as the cache folder."""
    decorators.cache_folder.cache_clear()
    return decorators.cache_folder()


def test_a_folder_that_cannot_be_written_is_none(folder, monkeypatch):
    (folder / "file").touch()
    with monkeypatch.context() as patch:
        patch.setenv("NUMBA_CACHE_DIR", str(folder / "file"))
        assert fresh_folder() is None
    found = fresh_folder()
    with monkeypatch.context() as patch:  # it is there, but nothing can be written to it
        patch.setattr(decorators.tempfile, "TemporaryFile", lambda dir: fail(dir))
        assert fresh_folder() is None
    assert fresh_folder() == found
    assert not list(found.iterdir())


def test_the_folder_is_where_the_user_keeps_caches(folder, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "xdg"))
    monkeypatch.setattr(Path, "home", lambda: folder / "home")
    assert fresh_folder().parents[1] == folder / "xdg"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert fresh_folder().parents[1] == folder / "home/.cache"

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert fresh_folder() is None


def test_what_is_complete_is_noted_in_the_folder(folder):
    assert decorators.complete() == set()
    decorators.note_complete("small")
    assert decorators.complete() == {"small"}


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture
def damaged(folder, request):
    """The folder with a compiled kernel and a mark, after something has happened to the files of a kind."""
    kind, damage = request.param
    decorators.kernel(_double)(np.ones(3, np.float32))
    decorators.note_complete("small")
    (path,) = folder.glob(f"bnrenorm/kernels-*/*/*.{kind}")
    damage(path)
    return path


DAMAGES = [
    (kind, damage)
    for kind in ("nbi", "nbc")
    for damage in (cut, lambda path: path.write_bytes(b""), lambda path: (path.unlink(), path.mkdir()))
]


@pytest.mark.parametrize("damaged", DAMAGES, indirect=True, ids=lambda damage: damage[0])
def test_a_damaged_cache_is_seen_and_its_kernels_are_compiled_anew(damaged):
    for _ in range(2):  # what was noted does not count any more either
        assert decorators.complete() == set()
    if damaged.is_dir():
        damaged.rmdir()
    assert not damaged.exists()
    for hits in (0, 1):
        kernel, x = decorators.kernel(_double), np.ones(3, np.float32)
        kernel(x)
        assert list(x) == [2, 2, 2]
        assert sum(kernel.stats.cache_hits.values()) == hits
    decorators.note_complete("small")
    assert decorators.complete() == {"small"}


@pytest.mark.parametrize("damaged", DAMAGES, indirect=True, ids=lambda damage: damage[0])
def test_a_kernel_is_compiled_although_its_files_in_the_cache_are_damaged_and_mends_them(damaged):
    for hits in (0, 0 if damaged.is_dir() else 1):
        kernel, x = decorators.kernel(_double), np.ones(3, np.float32)
        kernel(x)
        assert list(x) == [2, 2, 2]
        assert sum(kernel.stats.cache_hits.values()) == hits


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="nothing here that is always full")
def test_a_kernel_is_compiled_although_the_disk_is_full(folder, monkeypatch):
    """Every write, of an index or of code, fails."""
    real = builtins.open
    monkeypatch.setattr(builtins, "open", lambda path, mode="r": real("/dev/full" if mode == "wb" else path, mode))
    kernel, x = decorators.kernel(_double), np.ones(3, np.float32)
    kernel(x)
    assert list(x) == [2, 2, 2]
    assert not list(folder.glob("bnrenorm/kernels-*/*/*.nb*"))
    monkeypatch.setattr(Path, "touch", fail)
    decorators.note_complete("small")
    assert decorators.complete() == set()


def test_each_installation_has_a_folder_of_its_own(folder, monkeypatch, tmp_path):
    """What another installation has compiled is of no use, or ends the process, as calls of a library that lacks here."""
    copy = shutil.copytree(Path(decorators.__file__).parents[3], tmp_path / "copy/bnrenorm")
    others = (
        (decorators, "__file__", str(copy / "engines/cpu/codegen/decorators.py")),
        (numba_private.sys.implementation, "cache_tag", "cpython-399"),
        (numba, "__version__", "99"),
        (numba.config, "USING_SVML", True),
        (numba_private.binding, "llvm_version_info", (99, 0, 0)),
        (numba_private.binding, "get_host_cpu_name", lambda: "another"),
        (numba_private.binding, "get_host_cpu_features", lambda: SimpleNamespace(flatten=lambda: "+another")),
    )
    folders = {decorators.cache_folder()}
    for owner, name, value in others:
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, value)
            folders.add(fresh_folder())
    assert len(folders) == 1 + len(others)


def test_whatever_is_compiled_has_a_new_folder_once_its_source_has_changed(folder, monkeypatch, tmp_path):
    """numba itself looks at the file of the outermost function alone."""
    copy = shutil.copytree(Path(decorators.__file__).parents[3], tmp_path / "bnrenorm")
    monkeypatch.setattr(decorators, "__file__", str(copy / "engines/cpu/codegen/decorators.py"))
    folders = [fresh_folder()]
    for name in ("engines/cpu/ops/norm.py", "engines/cpu/codegen/simd.py", "engines/spec.py", "network/schedule.py"):
        with (copy / name).open("a") as file:
            file.write("# changed\n")
        folders.append(fresh_folder())
    assert len(set(folders)) == 5
    (copy / "engines/evaluate.py").write_text("# no kernel uses it")
    assert fresh_folder() == folders[-1]


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


def test_kernels_divide_by_zero_and_keep_what_is_no_number_as_numpy_does(monkeypatch):
    """Otherwise a replica that diverges would end the others' training, or go on as if nothing had happened."""
    monkeypatch.setattr(decorators, "cache_folder", lambda: None)
    part = decorators.subroutine(lambda x: (x / 0, x != x, abs(x) == np.inf))
    kernel = decorators.kernel(lambda x: part(x))
    assert kernel(1.0) == (np.inf, False, False)
    assert kernel(-np.inf) == (-np.inf, False, True)
    assert kernel(np.nan)[1:] == (True, False)
    kernel = decorators.kernel(lambda x: (x / 0, x != x, abs(x) == np.inf))
    assert kernel(-np.inf) == (-np.inf, False, True)
    assert kernel(np.nan)[1:] == (True, False)


def _wait(flag, most):
    for i in range(most):
        if flag[0]:
            return i
        flag[1 + i % (len(flag) - 1)] = 0  # so that the flag is read again
    return most


def test_python_goes_on_while_a_kernel_runs(monkeypatch):
    monkeypatch.setattr(decorators, "cache_folder", lambda: None)
    kernel, flag, most = decorators.kernel(_wait), np.zeros(3, np.int64), 2**31
    kernel(flag, 1)
    with ThreadPoolExecutor(1) as pool:
        waited = pool.submit(kernel, flag, most)
        flag[0] = 1
        assert waited.result() < most
