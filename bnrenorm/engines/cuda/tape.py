"""What a step asks of the GPU, kept so that it can be asked again without Python's share of the work."""

from collections.abc import Callable
from functools import partial
from typing import Any


class Tape:
    """Makes calls of CuPy, and keeps those of a recording."""

    def __init__(self):
        self.calls: list[partial[Any]] | None = None

    def __call__(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        """Call a function that does nothing but launch."""
        function(*arguments, **options)
        if self.calls is not None:
            self.calls.append(partial(function, *arguments, **options))

    def recorded(self, step: Callable[[], None]) -> list[partial[Any]]:
        """Take a step, and return its calls."""
        self.calls = calls = []
        try:
            step()
        finally:
            self.calls = None
        return calls


def play(calls: list[partial[Any]]) -> None:
    """Make calls again."""
    for call in calls:
        call()
