"""Signals: the first asks for an orderly end, a second Ctrl-C ends at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_NOTICES = ("SIGUSR1", "SIGUSR2", "SIGXCPU")
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", *_NOTICES)
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
"""Ctrl-C, `kill`, a terminal that is closed, and what batch systems send some time before they kill a job."""

_ours: list[Any] = []  # the handlers that are set by `handled_by`


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
    """Yield a `Request` that any of `SIGNALS` sets; a Ctrl-C after it raises KeyboardInterrupt.

    Batch systems send SIGTERM to the processes of a job one by one and together, so that some get it twice at once.
    """
    request = Request()

    def ask(number: int, frame: FrameType | None) -> None:
        if request.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.asked = True

    with handled_by(ask):
        yield request


@contextmanager
def handled_by(handler: Callable[[int, FrameType | None], None], *, notices: bool = False) -> Iterator[None]:
    """Have a handler called by `SIGNALS` in this context.

    A signal that the command was told to ignore, as by nohup, stays ignored. notices: a batch system's signals too, as
    in a process of ours; in another program's they are its own, and Python does not know all handlers. Python handles
    signals in the main thread only: in any other nothing is changed.
    """
    is_main = threading.current_thread() is threading.main_thread()
    former = {number: signal.getsignal(number) for number in SIGNALS if is_main}
    former = {number: before for number, before in former.items() if _is_free(number, before, notices=notices)}
    _ours.append(handler)
    for number in former:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, before in former.items():
            signal.signal(number, before)
        _ours.remove(handler)


def _is_free(number: int, before: Any, *, notices: bool) -> bool:
    if signal.Signals(number).name in _NOTICES:
        return before in _ours or (notices and before == signal.SIG_DFL)
    return before not in (signal.SIG_IGN, None)
