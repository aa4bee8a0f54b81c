"""MNIST, shipped in the package: Y. LeCun and C. Cortes, CC BY-SA 3.0.

`mnist.npz` holds the contents of the four original files, bit for bit. `MD5` lists the checksums of the original files
(decompressed), which the tests compare.
"""

import hashlib
from functools import cache
from pathlib import Path

import numpy as np

from bnrenorm.errors import InputError

FILE = Path(__file__).with_name("mnist.npz")
SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"
LICENCE = "MNIST, Y. LeCun and C. Cortes, CC BY-SA 3.0"

MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


@cache
def digits() -> dict[str, np.ndarray]:
    """Read x_train (60000, 28, 28), y_train (60000,), x_test (10000, 28, 28), y_test (10000,), all uint8, read-only.

    Raises InputError if the shipped file is missing or damaged.
    """
    try:
        sha256 = hashlib.sha256(FILE.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{FILE}: {error.strerror}; reinstall bnrenorm") from error
    if sha256 != SHA256:
        raise InputError(f"{FILE}: sha256 {sha256[:12]}... is not the shipped {SHA256[:12]}...; reinstall bnrenorm")
    with np.load(FILE, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def retrieve(name: str) -> dict[str, np.ndarray]:
    """Replace Chainer's download: map "train.npz" or "test.npz" to x (N, 784) and y (N,), uint8."""
    split = name.removesuffix(".npz")
    arrays = digits()
    return {"x": arrays[f"x_{split}"].reshape(-1, 784), "y": arrays[f"y_{split}"]}
