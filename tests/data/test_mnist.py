import hashlib

import numpy as np
import pytest

import bnrenorm
from bnrenorm.data import files, idx, mnist


def test_the_digits_are_the_originals_bit_for_bit():
    found = {files.idx_name(name, array): idx.encode(array) for name, array in mnist.digits().items()}
    assert {name: hashlib.md5(content).hexdigest() for name, content in found.items()} == mnist.MD5


def test_the_digits_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        mnist.digits()["x_train"][0] = 0


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:5000] + bytes([b[5000] ^ 1]) + b[5001:]])
def test_a_truncated_or_tampered_file_is_refused(tmp_path, monkeypatch, damage):
    path = tmp_path / "mnist.npz"
    path.write_bytes(damage(mnist.FILE.read_bytes()))
    monkeypatch.setattr(mnist, "FILE", path)
    with pytest.raises(bnrenorm.InputError, match=r"mnist.npz: sha256 .* reinstall bnrenorm"):
        mnist.digits.__wrapped__()


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "FILE", tmp_path / "mnist.npz")
    with pytest.raises(bnrenorm.InputError, match=r"mnist.npz: No such file"):
        mnist.digits.__wrapped__()


def test_chainers_get_mnist_returns_them_with_its_own_types():
    import chainer

    train, test = chainer.datasets.get_mnist()
    assert (len(train), len(test)) == (60_000, 10_000)
    image, label = train[0]
    assert image.shape == (784,)
    assert image.dtype == np.float32
    assert (image.min(), image.max()) == (0, 1)
    assert (label, type(label)) == (5, np.int32)
    planes = chainer.datasets.get_mnist(withlabel=False, ndim=3, scale=255.0)[1]
    assert planes.shape == (10_000, 1, 28, 28)
    assert (planes[:, 0] == mnist.digits()["x_test"]).all()
