"""The kernels of a new machine, compiled by processes of their own."""

import os
import subprocess
import sys

import pytest

from bnrenorm.engines.cpu import compilation, engine
from bnrenorm.engines.cpu.codegen import decorators
from bnrenorm.engines.cpu.large_batch.group import LargeBatches
from bnrenorm.engines.cpu.small_batch.group import SmallBatches
from bnrenorm.errors import InputError
from tests.helpers import trials_of


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty folder for kernels."""
    monkeypatch.setattr(decorators, "cache_folder", lambda: tmp_path)
    return tmp_path


FULL = ""
DEEP = "model: {hidden: [8, 8]}"
SMALL = "training: {batch: {kind: iid, size: 10}}"


def settings(*texts):
    return [trials_of(text, 100)[0].settings for text in texts]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ((), []),
        ((FULL,), ["large", "inference"]),
        ((DEEP, SMALL), ["small", "large", "inference", "deep"]),
        (("model: {activation: tanh}",), []),
    ],
)
def test_what_an_experiment_needs_is_missing_on_a_new_machine(cache, texts, expected):
    assert compilation.missing(settings(*texts)) == expected


def test_what_could_be_compiled_is_missing_no_more(cache, monkeypatch):
    fake = [sys.executable, "-c", "import sys; sys.exit('inference' in sys.argv)"]
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: popen([*fake, *command[4:]], **options))
    compilation.compile_kernels(["small", "inference", "deep"])
    assert compilation.missing(settings(DEEP, SMALL)) == ["large", "inference", "deep"]  # the second process failed
    compilation.compile_kernels(["large"])
    assert compilation.missing(settings(FULL)) == ["inference"]


def test_the_processes_import_nothing_from_the_working_directory(cache, monkeypatch, tmp_path):
    """Images of somebody else's may come with a yaml.py; a notebook searches its folder first."""
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "yaml.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    popen, code = subprocess.Popen, "import yaml, bnrenorm.config"
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: popen([*command[:3], code], **options))
    compilation.compile_kernels(["small"])
    assert decorators.complete() == {"small"}


def test_without_a_cache_folder_nothing_is_compiled_beforehand(monkeypatch):
    monkeypatch.setattr(decorators, "cache_folder", lambda: None)
    assert compilation.missing(settings(FULL)) == []


def test_every_set_calls_its_kernels(monkeypatch):
    called = []

    def spy(owner, name):
        method, of = getattr(owner, name), owner.__name__
        monkeypatch.setattr(owner, name, lambda *args, **options: called.append(of) or method(*args, **options))

    spy(engine.CpuEngine, "evaluate")
    spy(LargeBatches, "advance")
    spy(SmallBatches, "advance")
    compilation.main(["small", "large", "inference", "deep"])
    assert called == ["SmallBatches", "LargeBatches", "CpuEngine", "LargeBatches"]
    with pytest.raises(InputError, match=r"medium: expected some of small, large, inference, deep"):
        compilation.main(["medium"])


@pytest.mark.slow
def test_the_subroutines_compiled_beside_the_small_kernel_are_those_it_calls(tmp_path):
    """In an empty cache folder: were they of other types, `train` would compile its own, and leave two."""
    code = "from bnrenorm.engines.cpu.compilation import main; main(['subroutines', 'small'])"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)})
    for name in ("network.mean_loss", "network.backward", "steps.update_first"):
        assert len(list(tmp_path.glob(f"bnrenorm/kernels-*/*/{name}-*.nbc"))) == 1, name
