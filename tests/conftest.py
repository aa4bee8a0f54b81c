import numpy as np
import pytest

from bnrenorm.data import mnist
from bnrenorm.data.dataset import Dataset

COMPARED = """
name: compared
model: {hidden: [20]}
variants:
  BN: {norm: {kind: batch}}
  BRN: {norm: {kind: renorm, r_max: 3, d_max: 5}}
training: {steps: 4, optimizer: {lr: 0.1}}
seeds: 2
"""


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def some_digits(train=2000, test=500):
    """The first real digits, as a data set."""
    x = mnist.digits()
    return Dataset(x["x_train"][:train], x["y_train"][:train], x["x_test"][:test], x["y_test"][:test], "some digits")


@pytest.fixture(scope="session")
def digits():
    return some_digits()


@pytest.fixture
def few_digits_file(tmp_path):
    """An .npz of 300 + 100 real digits, for commands that read data.path."""
    data = some_digits(300, 100)
    path = tmp_path / "few.npz"
    np.savez(path, x_train=data.x_train, y_train=data.y_train, x_test=data.x_test, y_test=data.y_test)
    return path


@pytest.fixture
def config_file(tmp_path):
    """A function that writes a config and returns its path."""

    def write(text=COMPARED):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return path

    return write


def pytest_collection_modifyitems(items):
    """Tests marked gpu run where there is a GPU."""
    from bnrenorm import _compat

    if _compat.gpu_count() == 0:
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no CUDA GPU here"))
