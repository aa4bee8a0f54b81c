"""Signals: the first Ctrl-C asks for an orderly end, the second ends at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):
    """The user asked to stop; everything is saved."""


class Request:
    """Whether the user has asked to stop."""

    asked = False


@contextmanager
def requests() -> Iterator[Request]:
    """Yield a `Request` that SIGINT or SIGTERM sets; a second signal raises KeyboardInterrupt.

    Python handles signals in the main thread only: in any other thread nothing is changed.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if request.asked:
            raise KeyboardInterrupt
        request.asked = True

    former = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
