"""The IDX format, in which MNIST is distributed: reading and writing arrays of all its types."""

import struct

import numpy as np

from bnrenorm.data.content import Content
from bnrenorm.errors import InputError

_TYPES = {  # type code -> dtype in the file, and what file names call it
    0x08: (np.dtype("u1"), "ubyte"),
    0x09: (np.dtype("i1"), "byte"),
    0x0B: (np.dtype(">i2"), "short"),
    0x0C: (np.dtype(">i4"), "int"),
    0x0D: (np.dtype(">f4"), "float"),
    0x0E: (np.dtype(">f8"), "double"),
}


def read(content: Content) -> np.ndarray:
    """Read an array of any type and number of dimensions. Raises InputError if the file is not valid."""
    magic = content.file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or magic[3] == 0:
        raise InputError(f"{content.name}: starts with the bytes {magic.hex(' ')}, expected IDX, such as 00 00 08 03")
    dtype, dimensions = _TYPES[magic[2]][0], magic[3]
    shape = content.file.read(4 * dimensions)
    if len(shape) < 4 * dimensions:
        raise InputError(f"{content.name}: truncated in the header")
    return content.array(struct.unpack(f">{dimensions}I", shape), dtype)


def encode(array: np.ndarray) -> bytes:
    """Return the file of an array; its dtype must be one of IDX's types."""
    code = _code(array)
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return header + array.astype(_TYPES[code][0]).tobytes()


def suffix(array: np.ndarray) -> str:
    """Return how the name of an array's file ends: idx3-ubyte for MNIST's images, idx1-ubyte for its labels."""
    return f"idx{array.ndim}-{_TYPES[_code(array)][1]}"


def _code(array: np.ndarray) -> int:
    native = array.dtype.newbyteorder("=")
    return next(code for code, (dtype, _) in _TYPES.items() if dtype.newbyteorder("=") == native)
