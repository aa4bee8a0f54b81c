"""The command `bnrenorm`, which is `python -m bnrenorm` too."""

import atexit
import gc
import os
import sys

from bnrenorm.cli import main

_TURN = 1e-4  # seconds until a thread that comes out of compiled code has Python's turn; fifty times less than usual


def run() -> None:
    """Run the command line and leave at once: to take apart all that was imported would cost another half second.

    What is registered for the exit is done: Matplotlib removes its temporary folder, where it has to have one.
    """
    gc.disable()  # while modules are imported nothing is garbage
    sys.setswitchinterval(_TURN)
    code = 1
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(code)  # Python's own way out says what is wrong with the output
    os._exit(code)


if __name__ == "__main__":
    run()
