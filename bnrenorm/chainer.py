"""`python -m bnrenorm.chainer SCRIPT [ARGUMENTS]` runs a Chainer script as `python SCRIPT` would with an older NumPy.

Importing the package has made Chainer work by then. The script need not name bnrenorm, and is not changed.
"""

import multiprocessing
import os
import sys
from types import ModuleType


def main() -> None:
    """Run the script that `sys.argv` names, as the module __main__; what it raises and its exit code are Python's.

    `sys.argv`, `sys.path[0]` and `__file__` are what `python SCRIPT` sets. Exits with 2 if there is no such script.
    """
    usage = "usage: python -m bnrenorm.chainer SCRIPT [ARGUMENTS]"
    if sys.argv[1:2] in (["-h"], ["--help"]):
        print(usage)
        return
    if len(sys.argv) < 2:
        _refuse(usage)
    del sys.argv[0]
    path = os.path.abspath(sys.argv[0])
    try:
        with open(path, "rb") as script:
            source = script.read()
    except OSError as error:
        _refuse(f"can't open file {path!r}: {error.strerror}")
    if not sys.flags.safe_path:
        sys.path[0] = os.path.dirname(os.path.realpath(path))
    multiprocessing.set_forkserver_preload(["bnrenorm"])  # Linux starts processes so from Python 3.14 on
    module = ModuleType("__main__")
    module.__file__ = path
    sys.modules["__main__"] = module
    exec(compile(source, path, "exec", dont_inherit=True), vars(module))


def _refuse(message: str) -> None:
    print(message, file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
