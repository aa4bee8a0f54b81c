"""Whether the compiled kernels can be used here."""

import importlib

DISABLED = "NUMBA_DISABLE_JIT is set, which turns numba's compiler off"


def problem() -> str | None:
    """Say in one line why the CPU engine cannot be used here; None if it can.

    Runs `codegen.probe`, because the kernels use parts of numba that any of its versions may change.
    """
    try:
        numba = importlib.import_module("numba")
    except Exception as error:  # numba refuses a NumPy that is too new by errors of several types
        return f"numba cannot be imported ({_line(error)})"
    if numba.config.DISABLE_JIT:
        return DISABLED
    try:
        importlib.import_module("bnrenorm.engines.cpu.codegen.probe").run()
    except Exception as error:
        return f"numba {numba.__version__} does not suit ({type(error).__name__}: {_line(error)})"
    return None


def _line(error: Exception) -> str:
    """Return the first line of an error's message; numba's have dozens."""
    return next(iter(str(error).splitlines()), "")
