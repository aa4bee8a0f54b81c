"""NumPy's formats: one array (.npy), or named arrays in a zip archive (.npz)."""

import zipfile
from collections.abc import Callable

import numpy as np

from bnrenorm.data.content import DEFLATE_RATIO, Content
from bnrenorm.errors import InputError

_RATIOS = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: DEFLATE_RATIO}
"""Largest ratio of sizes of the compressions that np.savez and np.savez_compressed write."""


def read(content: Content) -> np.ndarray:
    """Read an .npy file. Raises InputError if it holds anything but numbers, or more than it announces."""
    version = np.lib.format.read_magic(content.file)  # pyright: ignore[reportArgumentType]
    if version not in ((1, 0), (2, 0)):
        raise InputError(f"{content.name}: has version {'.'.join(map(str, version))} of .npy, expected 1.0 or 2.0")
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = header(content.file)  # pyright: ignore[reportArgumentType]
    if dtype.kind not in "biuf":
        what = "pickled Python objects" if dtype.hasobject else f"data of type {dtype}"
        raise InputError(f"{content.name}: holds {what}, expected numbers")
    return content.array(shape, dtype, order="F" if is_fortran else "C")


def read_archive(content: Content, choose: Callable[[list[str]], dict[str, str]]) -> dict[str, np.ndarray]:
    """Read arrays of an .npz archive; `choose` maps all the arrays' names to {key of the result: name}."""
    with zipfile.ZipFile(content.file) as archive:
        members = {info.filename[:-4]: info for info in archive.infolist() if info.filename.endswith(".npy")}
        if not members:
            raise InputError(f"{content.name}: is a zip archive without .npy files; unpack it")
        return {key: _member(archive, members[name], content) for key, name in choose(list(members)).items()}


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, content: Content) -> np.ndarray:
    name = f"{content.name}: {info.filename.removesuffix('.npy')}"
    if info.compress_type not in _RATIOS:
        raise InputError(f"{name}: is compressed by method {info.compress_type}, expected what np.savez writes")
    capacity = min(info.file_size, info.compress_size * _RATIOS[info.compress_type])
    with archive.open(info) as file:
        return read(Content(name, file, capacity))
