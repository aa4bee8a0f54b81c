import pytest

from bnrenorm import _compat
from bnrenorm.engines import device
from bnrenorm.errors import InputError


@pytest.mark.parametrize(
    ("gpus", "name", "want"), [(0, "auto", "cpu"), (2, "auto", "cuda:0"), (2, "cuda:1", "cuda:1"), (2, "cpu", "cpu")]
)
def test_a_device_is_chosen(monkeypatch, gpus, name, want):
    monkeypatch.setattr(_compat, "gpu_count", lambda: gpus)
    assert device.choose(name) == want


@pytest.mark.parametrize(("gpus", "name"), [(0, "cuda:0"), (1, "cuda:1"), (1, "cuda"), (1, "gpu"), (1, "cuda:-1")])
def test_what_is_not_there_is_refused(monkeypatch, gpus, name):
    monkeypatch.setattr(_compat, "gpu_count", lambda: gpus)
    with pytest.raises(InputError, match=f"--device {name}"):
        device.choose(name)


def test_the_cpu_is_chainers_numpy_device():
    assert device.chainer_device("cpu").xp.__name__ == "numpy"
