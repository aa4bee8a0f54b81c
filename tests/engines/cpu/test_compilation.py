"""The kernels of a new machine, compiled by processes of their own."""

import os
import signal
import subprocess
import sys
import time

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
    assert compilation.is_cached()
    assert compilation.missing(settings(*texts)) == expected


def test_what_could_be_compiled_is_missing_no_more(cache, monkeypatch):
    fake = [sys.executable, "-c", "import sys; sys.exit('inference' in sys.argv)"]
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: popen([*fake, *command[4:]], **options))
    compilation.compile_kernels(["small", "inference", "deep"])
    assert compilation.missing(settings(DEEP, SMALL)) == ["large", "inference", "deep"]  # the second process failed
    compilation.compile_kernels(["large"])
    assert compilation.missing(settings(FULL)) == ["inference"]


@pytest.mark.parametrize(
    ("wanted", "shares"),
    [
        (["small", "inference", "deep"], [["small"], ["subroutines", "inference", "deep"]]),
        (["small"], [["small"], ["subroutines"]]),
        (["large", "inference", "deep"], [["large"], ["inference", "deep"]]),
        (["deep"], [["deep"]]),
    ],
)
def test_two_processes_share_the_work_and_print_nothing(cache, monkeypatch, capfd, wanted, shares):
    popen, started = subprocess.Popen, []

    def start(command, **options):
        started.append(command[4:])
        return popen([sys.executable, "-c", "import sys; print(1), print(2, file=sys.stderr)"], **options)

    monkeypatch.setattr(subprocess, "Popen", start)
    compilation.compile_kernels(wanted)
    assert started == shares
    assert capfd.readouterr() == ("", "")
    assert decorators.complete() == set(wanted)


def test_an_interrupt_ends_the_processes(cache, monkeypatch):
    popen, started = subprocess.Popen, []

    def start(command, **options):
        process = popen([sys.executable, "-c", "import time; time.sleep(60)"], **options)
        started.append(process)
        process.wait = interrupted
        return process

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(KeyboardInterrupt):
        compilation.compile_kernels(["small", "inference"])
    assert [popen.wait(process, timeout=30) for process in started] == [-signal.SIGTERM] * 2
    assert decorators.complete() == set()


def test_temporary_files_that_killed_processes_left_are_removed(cache):
    """numba writes every file under another name first."""
    folder = cache / "codegen_0123"
    folder.mkdir()
    old, new = (folder / f"probe._probe-12.py311.1.nbc.tmp.{name}" for name in ("3f2a", "4b1c"))
    for path in (old, new):
        path.touch()
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    compilation.compile_kernels([])
    assert list(folder.iterdir()) == [new]


def test_the_processes_import_what_this_one_would_but_nothing_from_the_working_directory(cache, monkeypatch, tmp_path):
    """Images of somebody else's may come with a yaml.py; a notebook searches its folder first."""
    folder, own = tmp_path / "images", tmp_path / "own"
    for module, text in ((folder / "yaml.py", "raise SystemExit(1)"), (own / "module_of_this_process.py", "")):
        module.parent.mkdir()
        module.write_text(text)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", ["", *sys.path, str(own)])
    popen, code = subprocess.Popen, "import yaml, bnrenorm.config, module_of_this_process"
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: popen([*command[:3], code], **options))
    compilation.compile_kernels(["small"])
    assert decorators.complete() == {"small"}


def test_without_a_cache_folder_nothing_is_compiled_beforehand(monkeypatch):
    monkeypatch.setattr(decorators, "cache_folder", lambda: None)
    assert compilation.missing(settings(FULL)) == []
    assert not compilation.is_cached()


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


BLOCKS = ("forward_first", "forward_hidden", "output", "backward_sums", "backward_hidden", "backward_first")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wanted", "kernels"),
    [
        (["subroutines", "small"], ["network.mean_loss", "network.backward", "steps.update_first"]),
        (["large", "deep"], [f"blocks.{name}" for name in BLOCKS]),
    ],
)
def test_every_kernel_of_a_set_is_compiled_and_for_one_kind_of_arguments(tmp_path, wanted, kernels):
    """In an empty cache folder: were subroutines of other types, `train` would compile its own, and leave two."""
    code = f"from bnrenorm.engines.cpu.compilation import main; main({wanted})"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)})
    for name in kernels:
        assert len(list(tmp_path.glob(f"bnrenorm/kernels-*/*/{name}-*.nbc"))) == 1, name
