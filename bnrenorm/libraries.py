"""Which code is of libraries, and not the user's: ours, Python's, and that of installed packages."""

import os
import site
import sysconfig
from functools import cache


def is_library(file: str) -> bool:
    """Tell whether a file of Python, or a name that stands for one in a traceback, is a library's."""
    return os.path.abspath(file).startswith(_folders())


@cache
def _folders() -> tuple[str, ...]:
    folders = {os.path.dirname(__file__), site.getusersitepackages(), *site.getsitepackages()}
    folders.update(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    return tuple(os.path.join(os.path.abspath(folder), "") for folder in folders)
