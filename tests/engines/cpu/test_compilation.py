"""The kernels of a new machine, compiled by processes of their own."""

import subprocess
import sys

import pytest

from bnrenorm import config
from bnrenorm.engines.cpu import compilation, engine
from bnrenorm.engines.cpu.codegen import decorators
from bnrenorm.errors import InputError


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty folder for kernels."""
    monkeypatch.setattr(decorators, "cache_folder", lambda: tmp_path)
    return tmp_path


def groups(*changes):
    return [config.load("compare", ["seeds=1", *change]).trials(100) for change in changes]


FULL = ()
DEEP = ("model.hidden=[8, 8]",)
SMALL = ("training.batch={spec: iid, size: 10}",)
VERSION = f"{sys.version_info.major}{sys.version_info.minor}"
ROWS = ("variants={LN: {norm: {spec: layer}}}",)
PARTS = ("training.micro_batch=10",)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((), []),
        ((FULL,), ["large", "judge"]),
        ((DEEP, SMALL), ["small", "large", "judge", "deep"]),
        ((("model.order=linear-norm-activation",),), ["large", "judge", "deep"]),
        ((ROWS,), ["small", "judge"]),
        ((PARTS,), ["small", "judge"]),
    ],
)
def test_what_an_experiment_needs_is_missing_on_a_new_machine(cache, changes, expected):
    assert compilation.missing(groups(*changes)) == expected


def test_what_could_be_compiled_is_missing_no_more(cache, monkeypatch):
    true = [sys.executable, "-c", "import sys; sys.exit('judge' in sys.argv)"]
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **how: popen([*true, *command[3:]], **how))
    compilation.compile_kernels(["small", "judge", "deep"])
    assert compilation.missing(groups(DEEP, SMALL)) == ["large", "judge", "deep"]  # the second process failed
    compilation.compile_kernels(["large"])
    assert compilation.missing(groups(FULL)) == ["judge"]


def test_where_they_cannot_be_kept_they_are_not_compiled_beforehand(monkeypatch):
    monkeypatch.setattr(decorators, "cache_folder", lambda: None)
    assert compilation.missing(groups(FULL)) == []


def test_every_sort_calls_its_kernels(monkeypatch):
    called = []
    for name in ("_one_by_one", "_side_by_side", "judge"):
        method = getattr(engine.Engine, name)
        monkeypatch.setattr(engine.Engine, name, lambda *a, n=name, f=method: called.append(n) or f(*a))
    compilation.main(["small", "large", "judge", "deep"])
    assert called == ["_side_by_side", "_one_by_one", "judge", "_one_by_one"]
    with pytest.raises(InputError, match=r"medium: expected some of small, large, judge, deep"):
        compilation.main(["medium"])


def test_what_is_compiled_beside_the_small_kernel_is_what_it_asks_for():
    compilation.main(["small", "parts"])
    for part in ("propagate.loss", "propagate.backward", "step.learn_first"):
        kept = [path.parent for path in decorators.cache_folder().glob(f"*/{part}-*.py{VERSION}.*.nbc")]
        assert kept, f"{part} was not compiled"
        assert len(kept) == len(set(kept)), f"{part} was compiled for different types"


def test_the_processes_need_nothing_but_the_package(tmp_path):
    code = "import sys; from bnrenorm import compilation; sys.exit('numba' in sys.modules and 3)"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 0
