"""Which engine trains what, by the names that a user gave."""

import subprocess
import sys

import pytest

from bnrenorm import _compat
from bnrenorm.engines import backend
from bnrenorm.engines import device as devices
from bnrenorm.engines.backend import Backend
from bnrenorm.errors import InputError
from tests.helpers import trials_of


def settings(text):
    return trials_of(text, 100)[0].settings


@pytest.mark.parametrize(
    ("engine", "device", "want"),
    [
        ("auto", "auto", Backend("cpu", "cpu")),
        ("cpu", "cpu", Backend("cpu", "cpu")),
        ("chainer", "auto", Backend("chainer", "cpu")),
    ],
)
def test_without_a_gpu(monkeypatch, engine, device, want):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 0)
    assert backend.choose(engine, device) == want


@pytest.mark.parametrize(
    ("engine", "device", "want"),
    [
        ("auto", "auto", Backend("cuda", "cuda:0")),
        ("auto", "cuda:1", Backend("cuda", "cuda:1")),
        ("cuda", "auto", Backend("cuda", "cuda:0")),
        ("cuda", "cuda:1", Backend("cuda", "cuda:1")),
        ("chainer", "cuda:1", Backend("chainer", "cuda:1")),
        ("cpu", "auto", Backend("cpu", "cpu")),
        ("auto", "cpu", Backend("cpu", "cpu")),
    ],
)
def test_with_gpus(monkeypatch, engine, device, want):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 2)
    monkeypatch.setattr(devices, "problem", lambda index: None)
    assert backend.choose(engine, device) == want


@pytest.mark.parametrize(
    ("engine", "kind", "tf32"),
    [("auto", "cpu", False), ("auto", "cuda", False), ("auto", "cuda", True), ("chainer", "cpu", False), ("chainer", "cuda", False)],
)  # fmt: skip
def test_its_options_choose_it_again(monkeypatch, engine, kind, tf32):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 1)
    monkeypatch.setattr(devices, "problem", lambda index: None)
    chosen = backend.choose(engine, kind, tf32=tf32)
    words = chosen.options.split()
    named = {word: words[words.index(word) + 1] for word in ("--engine", "--device") if word in words}
    again = backend.choose(named["--engine"], named.get("--device", "auto"), tf32="--tf32" in words)
    assert again == chosen


def test_what_cannot_be_is_an_input_error(monkeypatch):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 1)
    monkeypatch.setattr(devices, "problem", lambda index: None)
    with pytest.raises(InputError, match="--engine fast: expected auto, cpu, cuda or chainer"):
        backend.choose("fast", "cpu")
    with pytest.raises(InputError, match="--engine cpu: it does not train on cuda:0, expected auto, cuda or chainer"):
        backend.choose("cpu", "cuda:0")
    with pytest.raises(InputError, match="--engine cuda: it does not train on cpu, expected auto, cpu or chainer"):
        backend.choose("cuda", "cpu")
    with pytest.raises(InputError, match="--device cuda:1"):
        backend.choose("auto", "cuda:1")


@pytest.mark.parametrize("engine", ["auto", "cuda"])
def test_tf32_is_an_engine_of_its_own(monkeypatch, engine):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 1)
    monkeypatch.setattr(devices, "problem", lambda index: None)
    assert backend.choose(engine, "cuda:0", tf32=True) == Backend("cuda-tf32", "cuda:0")


@pytest.mark.parametrize(("engine", "device"), [("chainer", "auto"), ("auto", "cpu"), ("cpu", "auto")])
def test_tf32_is_refused_where_no_kernels_of_a_gpu_train(monkeypatch, engine, device):
    """Rather than left aside: the results would not be what was asked for."""
    monkeypatch.setattr(_compat, "gpu_count", lambda: 1)
    monkeypatch.setattr(devices, "problem", lambda index: None)
    took = f"{engine} on {'cuda:0' if engine == 'chainer' else 'cpu'}"
    with pytest.raises(InputError, match=f"--tf32: expected --engine auto or cuda on a GPU, and this is {took}"):
        backend.choose(engine, device, tf32=True)


def test_without_a_gpu_its_engine_is_refused(monkeypatch):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 0)
    with pytest.raises(InputError, match="--engine cuda: it does not train on cpu"):
        backend.choose("cuda", "auto")


def test_a_gpus_engine_does_not_need_numba(monkeypatch):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 1)
    monkeypatch.setattr(devices, "problem", lambda index: None)
    monkeypatch.setitem(sys.modules, "numba", None)
    assert backend.choose() == Backend("cuda", "cuda:0")


def test_without_numba_the_chainer_engine_trains_and_a_note_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    chosen = backend.choose("auto", "cpu")
    assert chosen.engine == "chainer"
    assert "numba cannot be imported" in chosen.note
    with pytest.raises(InputError, match="--engine cpu: numba cannot be imported"):
        backend.choose("cpu", "cpu")


@pytest.mark.parametrize("engine", ["auto", "chainer"])
def test_a_gpu_that_cannot_compute_leaves_the_cpu_and_a_note(monkeypatch, engine):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 1)
    monkeypatch.setattr(devices, "problem", lambda index: "no libcublasLt")
    note = "the GPU is not used: no libcublasLt; `bnrenorm doctor` says what is missing"
    assert backend.choose(engine, "auto") == Backend("cpu" if engine == "auto" else "chainer", "cpu", note)
    monkeypatch.setitem(sys.modules, "numba", None)
    chosen = backend.choose(engine, "auto")
    assert chosen.engine == "chainer"
    assert chosen.note.startswith(note)
    assert ("; numba cannot be imported" in chosen.note) == (engine == "auto")
    with pytest.raises(InputError, match="--device cuda:0: no libcublasLt"):
        backend.choose(engine, "cuda:0")


@pytest.mark.parametrize(
    ("chosen", "text", "engine", "address"),
    [
        (Backend("cpu", "cpu"), "", "cpu", "cpu on cpu"),
        (Backend("cpu", "cpu"), "model: {activation: tanh}", "chainer", "chainer on cpu"),
        (Backend("chainer", "cpu"), "", "chainer", "chainer on cpu"),
        (Backend("chainer", "cuda:1"), "", "chainer", "chainer on cuda"),
        (Backend("cuda", "cuda:1"), "", "cuda", "cuda on cuda"),
        (Backend("cuda-tf32", "cuda:0"), "", "cuda-tf32", "cuda-tf32 on cuda"),
        (Backend("cuda", "cuda:0"), "model: {activation: tanh}", "chainer", "chainer on cuda"),
    ],
)
def test_the_engine_and_the_address_of_results(chosen, text, engine, address):
    assert chosen.engine_for(settings(text)) == engine
    assert chosen.address(settings(text)) == address


def test_asking_loads_neither_chainer_nor_numba_nor_cupy():
    code = "import sys; from bnrenorm.engines import backend; sys.exit(bool({'chainer', 'numba', 'cupy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
