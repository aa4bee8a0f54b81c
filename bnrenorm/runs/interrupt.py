"""Signals: the first Ctrl-C asks for an orderly end, the second ends at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C, `kill`, and a terminal that is closed."""


class Interrupted(Exception):
    """The user asked to stop; `saved` says what is saved: everything, unless workers could not."""

    def __init__(self, saved: str = "everything is saved") -> None:
        super().__init__(f"{saved}; run the same again, and it goes on from here")
        self.saved = saved

    def __reduce__(self) -> tuple[type["Interrupted"], tuple[str]]:
        """Pickle by what is saved."""
        return type(self), (self.saved,)

    def _render_traceback_(self) -> list[str]:
        """Return what IPython prints below a cell in place of a traceback: nothing has gone wrong."""
        return [f"Interrupted: {self}."]


class Request:
    """What a signal sets: whether the user has asked to stop."""

    asked = False


@contextmanager
def requests() -> Iterator[Request]:
    """Yield a `Request` that any of `SIGNALS` sets; a second one raises KeyboardInterrupt."""
    request = Request()

    def ask(number: int, frame: FrameType | None) -> None:
        if request.asked:
            raise KeyboardInterrupt
        request.asked = True

    with handled_by(ask):
        yield request


@contextmanager
def handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Have a handler called by `SIGNALS` in this context.

    A signal that the command was told to ignore, as by nohup, stays ignored. Python handles signals in the main thread
    only: in any other thread nothing is changed.
    """
    is_main = threading.current_thread() is threading.main_thread()
    former = {number: signal.getsignal(number) for number in SIGNALS if is_main}
    former = {number: before for number, before in former.items() if before not in (signal.SIG_IGN, None)}
    for number in former:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, before in former.items():
            signal.signal(number, before)
