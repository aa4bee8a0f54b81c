"""Whether the compiled kernels can be used here."""

import importlib


def problem() -> str | None:
    """Say why the CPU engine cannot be used here; None if it can."""
    try:
        importlib.import_module("numba")
    except ImportError as error:
        return f"numba cannot be imported ({error})"
    return None
