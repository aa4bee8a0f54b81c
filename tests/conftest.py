import gc
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tests.fake_cupy import FakeCuPy
from tests.helpers import COMPARED, save_digits, some_digits

# Kernels that tests compile, in this process and in others, are kept here and not among the user's.
os.environ["NUMBA_CACHE_DIR"] = str(Path(__file__).parents[1] / ".pytest_cache" / "kernels")
# A shell has what it runs in the background ignore Ctrl-C, and nohup a closed terminal; tests send both.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


if "PYTEST_XDIST_WORKER" in os.environ:  # threads of BLAS, which wait by spinning, would take the other workers' cores
    threadpool_limits(1)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def digits():
    return some_digits()


@pytest.fixture
def fake_cupy(monkeypatch):
    """A CuPy without a GPU, in the place of the real one."""
    from bnrenorm.norm import formulas

    module = FakeCuPy()
    monkeypatch.setitem(sys.modules, "cupy", module)
    formulas._fused_sum.cache_clear()
    yield module
    formulas._fused_sum.cache_clear()


@pytest.fixture
def few_digits_file(tmp_path):
    """An .npz of 300 + 100 real digits, for commands that read data.path."""
    return save_digits(tmp_path / "few.npz")


@pytest.fixture
def config_file(tmp_path):
    """A function that writes a config and returns its path."""

    def write(text=COMPARED):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def no_pictures(monkeypatch):
    """What this process runs leaves its tables, but no figure and no report: these take seconds."""
    from bnrenorm.analysis import outputs
    from bnrenorm.analysis.report import write

    monkeypatch.setattr(outputs, "figures", lambda results, axes: {})
    monkeypatch.setattr(write, "write", lambda results: [])


def pytest_collection_modifyitems(items):
    """Tests marked gpu run where there is a GPU."""
    from bnrenorm import _compat

    if _compat.gpu_count() == 0:
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no CUDA GPU here"))  # it runs where there is one


def pytest_collection_finish():
    """Hypothesis looks once for what refers to NumPy's generator, and would not find it among what is frozen."""
    if hypothesis := sys.modules.get("hypothesis"):
        hypothesis.find(hypothesis.strategies.none(), lambda value: True)


def pytest_runtest_setup():
    """What is in memory before a test is not searched for garbage in it: that took a third of the time of all tests."""
    gc.collect()
    gc.freeze()
