"""Every check of the installation: that a fault is found, and that its fix is one for that fault."""

import os
import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from bnrenorm import _compat
from bnrenorm.cli import installation
from bnrenorm.data import mnist
from bnrenorm.engines.cpu import support
from bnrenorm.norm import formulas


def test_a_sound_installation_has_no_fault():
    checked = installation.examine()
    assert list(checked) == ["Python", "NumPy", "Chainer", "BLAS", "kernels", "GPU", "digits", "links"]
    assert all(finding.ok for finding in checked.values())
    assert checked["kernels"].detail.startswith("CPU engine with numba ")


def test_without_numba_the_chainer_engine_trains(monkeypatch):
    monkeypatch.setattr(support, "problem", lambda: "numba cannot be imported (no such module)")
    finding = installation._kernels()
    assert finding.ok
    assert finding.detail == (
        "not available: numba cannot be imported (no such module); the Chainer engine trains instead, several times slower"
    )
    assert finding.fix == "pip install --upgrade numba"


def test_kernels_without_a_cache_are_mentioned(monkeypatch):
    from bnrenorm.engines.cpu.codegen import decorators

    monkeypatch.setattr(decorators, "cache_folder", lambda: None)
    assert "compiled again in every process" in installation._kernels().detail


def test_missing_digits_are_fixed_by_the_source_of_the_installation(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "FILE", tmp_path / "missing.npz")
    mnist.digits.cache_clear()
    finding = installation.examine()["digits"]
    mnist.digits.cache_clear()
    assert not finding.ok
    assert finding.fix.startswith("reinstall bnrenorm: pip install --force-reinstall --no-deps ")


@pytest.mark.parametrize("name", ["corrections", "forward", "moments"])
@pytest.mark.parametrize("factor", [1.001, float("nan")])
def test_wrong_arithmetic_is_a_fault(monkeypatch, name, factor):
    real = getattr(formulas, name)

    def wrong(*arguments):
        result = real(*arguments)
        return (result[0] * factor, *result[1:]) if isinstance(result, tuple) else result * factor

    monkeypatch.setattr(formulas, name, wrong)
    finding = installation._links()
    assert not finding.ok
    assert finding.detail.startswith("cpu: off by ")
    assert "pip install --no-build-isolation chainer==7.8.1" in finding.fix


def test_a_chainer_that_does_not_import_is_a_finding_and_not_a_crash(monkeypatch):
    monkeypatch.setitem(sys.modules, "chainer", None)
    finding = installation.examine()["Chainer"]
    assert not finding.ok
    assert finding.detail.startswith("ModuleNotFoundError: ")
    assert "pip install --no-build-isolation chainer==7.8.1" in finding.fix


@pytest.mark.parametrize(
    ("installed", "flags"),
    [("7.8.0", ""), ("7.8.1", " --force-reinstall --no-deps && pip install chainer==7.8.1"), (None, "")],
)
def test_a_wrong_chainer_is_replaced(monkeypatch, installed, flags):
    monkeypatch.setattr(_compat.chainer, "__version__", "7.8.0")
    monkeypatch.setattr(installation.environment, "versions", lambda: {"chainer": installed} if installed else {})
    finding = installation._chainer()
    assert not finding.ok
    assert finding.fix.endswith(f"pip install --no-build-isolation chainer==7.8.1{flags}")


def test_the_fix_for_chainer_is_one_line_of_shell_that_needs_no_file(tmp_path):
    """Chainer's build wants pkg_resources, which setuptools 82 has not."""
    pip = tmp_path / "pip"
    pip.write_text('#!/bin/sh\necho "$@"\n')
    pip.chmod(0o755)
    (command,) = installation._INSTALL_CHAINER.splitlines()
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "install setuptools<81 wheel\ninstall --no-build-isolation chainer==7.8.1\n"


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 2)
    monkeypatch.setattr(installation.environment, "gpu", lambda device: "H200")
    monkeypatch.setattr(installation.device, "problem", lambda index: None)
    monkeypatch.setattr(installation.device, "using", lambda name: nullcontext())
    monkeypatch.setattr(installation.environment, "versions", lambda: {"python": "3.13.0", "cupy-cuda12x": "14.2.0"})


def test_a_gpu_is_named_with_its_cupy(two_gpus):
    assert installation._gpu().detail == "H200 (2 in all), cupy-cuda12x 14.2.0"


@pytest.mark.parametrize("fault", ["exception", "wrong"])
def test_the_fault_of_a_gpu_is_not_answered_with_chainer(two_gpus, monkeypatch, fault):
    def link_error(device):
        if device == "cuda:1" and fault == "exception":
            raise RuntimeError("no nvrtc\nhere")
        return 1e-7 if device != "cuda:1" else 1.0

    monkeypatch.setattr(installation, "_link_error", link_error)
    finding = installation._links()
    assert not finding.ok
    assert finding.detail.startswith(
        "cuda:1: RuntimeError: no nvrtc here" if fault == "exception" else "cuda:1: off by"
    )
    assert finding.fix == "pip install --upgrade 'cupy-cuda12x[ctk]'"


def test_a_gpu_that_cannot_be_asked_is_fixed_by_cupy(two_gpus, monkeypatch):
    def gpu(device):
        raise RuntimeError("cudaErrorInsufficientDriver")

    monkeypatch.setattr(installation.environment, "gpu", gpu)
    finding = installation.examine()["GPU"]
    assert (finding.ok, finding.detail) == (False, "RuntimeError: cudaErrorInsufficientDriver")
    assert finding.fix == "pip install --upgrade 'cupy-cuda12x[ctk]'"


@pytest.mark.parametrize(
    ("package", "fix"),
    [
        ("cupy-cuda13x", "pip install --upgrade 'cupy-cuda13x[ctk]'"),
        ("cupy", installation._INSTALL_CUPY),  # built from source
    ],
)
def test_a_gpu_that_does_not_compute_says_what_is_missing_and_the_links_are_those_of_the_others(
    two_gpus, monkeypatch, package, fix
):
    monkeypatch.setattr(installation.environment, "versions", lambda: {"python": "3.13.0", package: "14.2.0"})
    monkeypatch.setattr(
        installation.device, "problem", lambda index: "ImportError: libcublasLt.so.12" if index else None
    )
    monkeypatch.setattr(installation, "_link_error", lambda name: {"cpu": 1e-7, "cuda:0": 2e-7}[name])
    checked = installation.examine()
    gpu, links = checked["GPU"], checked["links"]
    assert (gpu.ok, gpu.detail) == (False, "cuda:1 (H200) does not compute: ImportError: libcublasLt.so.12")
    assert gpu.fix == fix
    assert (links.ok, links.detail) == (True, "largest error against scalar arithmetic: cpu 1.0e-07, cuda:0 2.0e-07")


@pytest.mark.parametrize(
    "cupy", [None, SimpleNamespace(cuda=SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=lambda: 0)))]
)
def test_a_driver_without_a_usable_gpu_is_explained(monkeypatch, cupy):
    monkeypatch.setattr(installation.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(_compat, "gpu_count", lambda: 0)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    finding = installation._gpu()
    assert finding.ok
    assert ("ModuleNotFoundError" if cupy is None else "it counts 0") in finding.detail
    assert finding.fix == installation._INSTALL_CUPY
    assert "'cupy-cuda12x[ctk]'" in finding.fix


def test_doctor_prints_a_line_per_check(call):
    code, out, _ = call("doctor")
    assert code == 0
    assert "BAD" not in out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("ok")][-2:] == ["digits", "links"]


def test_doctor_prints_the_fix_of_a_fault_and_fails(call, monkeypatch):
    results = {
        "GPU": installation.Finding(True, "none", "buy one"),
        "Chainer": installation.Finding(False, "7.8.0", "pip ..."),
    }
    monkeypatch.setattr(installation, "examine", lambda: results)
    code, out, _ = call("doctor")
    assert code == 1
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "ok GPU none",
        "to improve: buy one",
        "BAD Chainer 7.8.0",
        "to fix: pip ...",
    ]
