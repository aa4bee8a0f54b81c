"""The exceptions that a user sees as one line, mistakes to fix and devices that fail, and the warning that advises."""

import itertools
import traceback

from bnrenorm.libraries import is_library

_CUPY = ("cupy", "cupy_backends", "cupyx")


class InputError(ValueError):
    """Bad input: one line that names the file, the key, the value and what was expected.

    The command line prints it and exits with code 2. Nothing has been written by then, except where a norm of the
    user's own fails while it trains: trials that had ended before are kept.
    """

    def __init__(self, message: str):
        super().__init__(" ".join(message.splitlines()))  # a value that is repeated may have several lines

    def _render_traceback_(self) -> list[str]:
        """Return what IPython prints below a cell in place of a traceback: the user's own lines, and the message.

        Those are the lines that called us, and those of a norm of the user's own that failed.
        """
        tracebacks = [error.__traceback__ for error in (self, self.__cause__) if error]
        frames = itertools.chain.from_iterable(map(traceback.extract_tb, tracebacks))
        own = [frame for frame in frames if not is_library(frame.filename)]
        return [*dict.fromkeys(map(str.rstrip, traceback.format_list(own))), f"{type(self).__name__}: {self}"]


class DeviceError(OSError):
    """A GPU that failed while it was working: one line that names the device and what it said.

    The command line prints it and exits with code 1; finished trials are kept, as with a disk that fails.
    """


class OutOfMemory(DeviceError):
    """A GPU whose memory is full."""


class ClusterError(OSError):
    """A cluster that was lost while it was working. The command line prints it like a `DeviceError`."""


def one_line(error: BaseException) -> str:
    """Return type and message of an exception in one line without a full stop, cut after 300 characters."""
    return cut(f"{type(error).__name__}: {' '.join(str(error).split()).rstrip('.')}")


def cut(text: str, longest: int = 300) -> str:
    """Return a text, cut after so many characters: what a message repeats may be of any length."""
    return text if len(text) <= longest else f"{text[:longest]}..."


def is_of_cupy(error: Exception) -> bool:
    """Tell whether CuPy raised an error: a GPU's, such as full memory, or of a driver or library."""
    return type(error).__module__.partition(".")[0] in _CUPY


class Hint(UserWarning):
    """Advice on something that is not wrong but could be better. The command line prints it on one line."""
