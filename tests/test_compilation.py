"""The kernels of a new machine, compiled by processes of their own."""

import subprocess
import sys

import pytest

from bnrenorm import compilation
from bnrenorm.errors import InputError
from bnrenorm.fused import compiled


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty folder for kernels."""
    monkeypatch.setattr(compiled, "cache_folder", lambda: tmp_path)
    return tmp_path


def test_a_new_machine_wants_kernels_until_all_are_there(cache, monkeypatch):
    assert compilation.wanted()
    monkeypatch.setattr(compilation, "_PROCESSES", [["small"], ["of no such sort"]])
    monkeypatch.setattr(sys, "executable", "false")
    compilation.compile_kernels()
    assert compilation.wanted()  # one failed
    monkeypatch.setattr(sys, "executable", "true")
    compilation.compile_kernels()
    assert not compilation.wanted()


def test_where_they_cannot_be_kept_they_are_not_compiled_beforehand(monkeypatch):
    monkeypatch.setattr(compiled, "cache_folder", lambda: None)
    assert not compilation.wanted()


@pytest.mark.parametrize("sorts", compilation._PROCESSES)
def test_every_sort_trains(sorts):
    compilation.main(sorts)
    with pytest.raises(InputError, match=r"medium: expected some of small, full, deep"):
        compilation.main(["medium"])


def test_the_processes_need_nothing_but_the_package(tmp_path):
    code = "import sys; from bnrenorm import compilation; sys.exit('numba' in sys.modules and 3)"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 0
