"""The description of this machine, and what is stored with every result."""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from bnrenorm import environment

VERSIONS = {"python": "3.13.0", "bnrenorm": "0.1.0", "numpy": "2", "chainer": "7", "numba": "0.6", "pandas": "3", "cupy-cuda12x": "14"}  # fmt: skip


def test_versions_are_those_of_the_installed_packages():
    import numpy as np

    versions = environment.versions()
    assert versions["python"] == platform.python_version()
    assert (versions["numpy"], versions["chainer"]) == (np.__version__, "7.8.1")
    assert set(versions) <= {"python", *environment._PACKAGES}
    assert all(versions.values())


@pytest.mark.parametrize(
    ("engine", "device", "used"),
    [
        ("cpu", "cpu", {"bnrenorm", "numpy", "chainer", "numba"}),
        ("chainer", "cpu", {"bnrenorm", "numpy", "chainer"}),
        ("chainer", "cuda:1", {"bnrenorm", "numpy", "chainer", "cupy-cuda12x"}),
    ],
)
def test_the_provenance_has_the_versions_that_the_engine_uses(monkeypatch, engine, device, used):
    monkeypatch.setattr(environment, "versions", lambda: VERSIONS)
    monkeypatch.setattr(environment, "gpu", lambda name: None if name == "cpu" else f"H100 behind {name}")
    cuda = {} if device == "cpu" else {"cublas": "13.1.0"}
    monkeypatch.setattr(environment, "cuda_versions", lambda name: cuda if name == device else None)
    monkeypatch.setattr(environment, "commit", lambda: "0123456789ab-dirty")
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/bnrenorm", "compare", "--set", "a=b c"])
    provenance = environment.provenance(engine, device)
    date = datetime.fromisoformat(provenance.pop("date"))
    assert abs(datetime.now(UTC) - date) < timedelta(minutes=1)
    assert provenance == {
        "engine": engine,
        "device": device,
        "gpu": None if device == "cpu" else "H100 behind cuda:1",
        "processor": environment.processor(),
        "blas": environment.blas(),
        "threads": environment.threads(),
        "versions": {name: VERSIONS[name] for name in VERSIONS if name in used} | cuda,
        "commit": "0123456789ab-dirty",
        "command": "bnrenorm compare --set 'a=b c'",
    }


def test_the_versions_of_cuda_are_those_of_the_device(monkeypatch):
    """As CUDA writes them: 13020 is 13.2, and cuBLAS's 130002 is 13.0.2."""
    current = []

    class Device:
        def __init__(self, index):
            self.index = index

        def __enter__(self):
            current.append(self.index)

        def __exit__(self, *_):
            current.pop()

    def handle():
        return f"of {current[-1]}"

    runtime = SimpleNamespace(driverGetVersion=lambda: 13020, runtimeGetVersion=lambda: 12090)
    cublas = SimpleNamespace(getVersion=lambda handle: {"of 1": 130002}[handle])
    device = SimpleNamespace(get_cublas_handle=handle)
    cuda = SimpleNamespace(Device=Device, runtime=runtime, cublas=cublas, device=device)
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=cuda))
    assert environment.cuda_versions("cuda:1") == {"cuda driver": "13.2", "cuda runtime": "12.9", "cublas": "13.0.2"}
    assert environment.cuda_versions("cpu") == {}


@pytest.mark.parametrize(
    ("program", "command"),
    [("/lib/bnrenorm/__main__.py", "bnrenorm quick"), ("./train.py", "train.py quick"), ("-c", "-c quick")],
)
def test_the_command_of_a_package_that_is_run_as_a_module_is_its_name(monkeypatch, program, command):
    monkeypatch.setattr(environment, "commit", lambda: "")
    monkeypatch.setattr(sys, "argv", [program, "quick"])
    assert environment.provenance("chainer", "cpu")["command"] == command


@pytest.mark.parametrize("state", ["clean", "changed", "no checkout", "no git"])
def test_the_commit_is_that_of_the_source(tmp_path, monkeypatch, state):
    source = tmp_path / "source"
    (source / "package").mkdir(parents=True)
    file = source / "package" / "environment.py"
    file.write_text("one")
    git = ["git", "-C", str(source), "-c", "user.name=a", "-c", "user.email=a@b"]
    if state != "no checkout":
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
            subprocess.run([*git, *command], check=True)
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    if state == "changed":
        file.write_text("two")
    if state == "no git":
        monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(environment, "__file__", str(file))
    want = {"clean": lambda: commit[:12], "changed": lambda: f"{commit[:12]}-dirty"}.get(state, lambda: None)()
    assert environment.commit.__wrapped__() == want


@pytest.mark.parametrize(
    ("limit", "bounded"), [("1", True), ("0", False), ("", False), ("many", False), ("²", False), ("100000", False)]
)
def test_threads_are_the_cores_unless_openmp_is_bounded(monkeypatch, limit, bounded):
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    monkeypatch.setattr(environment.control_groups, "processors", list)
    assert environment.threads() == (1 if bounded else cores)


@pytest.mark.parametrize(("quotas", "want"), [([0.5], 1), ([1.5, 6], 2), ([3], 3), ([8, 100], 4), ([], 4)])
def test_threads_are_what_a_container_has_of_the_cores_rounded_up(monkeypatch, quotas, want):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(environment.os, "sched_getaffinity", lambda process: range(4), raising=False)
    monkeypatch.setattr(environment.control_groups, "processors", lambda: quotas)
    assert environment.threads() == want


def test_the_description_is_plain_data():
    described = environment.describe("cpu")
    assert json.loads(json.dumps(described)) == described
    assert list(described) == ["versions", "system", "processor", "threads", "blas", "device", "gpu", "gpus"]
    assert (described["device"], described["gpu"]) == ("cpu", None)
    assert described["processor"]
    assert described["blas"].split()[0] != "unknown"


def test_the_processor_has_a_name_where_the_system_does_not_tell_it(monkeypatch):
    def nowhere(*arguments, **options):
        raise OSError

    monkeypatch.setattr("builtins.open", nowhere)
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert environment.processor() == platform.machine()
