"""Code that a user brought along: what it raises is told in one line, with its place in that code."""

import inspect
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from bnrenorm.errors import InputError, is_of_cupy


def reason(error: BaseException) -> str:
    """Return an error as "NameError: name 'x' is not defined"; an InputError says enough by itself."""
    text = error.msg if isinstance(error, SyntaxError) else error  # which would say its line again
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {text}"


def line(error: BaseException, file: str) -> int | None:
    """Return the line of a file at which an error was raised, or which is no Python; None if it is not of that file."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno or 1
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return lines[-1] if lines else None


@contextmanager
def guarded(what: str, factory: Callable[..., Any]) -> Iterator[None]:
    """Context in which what a factory or its Link raises is an InputError that says `what` failed, and at which line.

    Full memory, and what CuPy raises, are not the norm's mistakes: they pass.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, MemoryError) or is_of_cupy(error):
            raise
        location = ""
        with suppress(TypeError, OSError):  # neither written in C nor an object without a file
            file = inspect.getfile(inspect.unwrap(factory))
            at = line(error, file)
            location = f"{file}:{at}: " if at else ""
        raise InputError(f"{location}{what}: {reason(error)}") from error
