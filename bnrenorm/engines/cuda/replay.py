"""Steps differ in little but their tables: a step is recorded, and those that are like it are repeated."""

from collections.abc import Callable
from typing import Any

from bnrenorm.engines.cuda.spans import Span

Part = Callable[[Span, int], None]
"""Takes a part of step s of a span, or all of it."""

_PLACES = 3  # of a step in a span: the first, and behind it those of odd and of even numbers
_TABLES = {"index": 2, "ranks": 1, "schedule": 1}
"""Tables of a `Span`, and the rows of each that a step reads."""


class Replay:
    """Takes steps, or parts of them, of spans.

    A recording reads its step's tables, and the next step's indices, at fixed places of the device. Steps of odd and of
    even numbers have their own, so that they may use the halves of a double buffer in turn; so have a span's first and
    last step, which have nothing from a step before them, or prepare nothing for one behind.
    """

    def __init__(self, ops: Any):
        self.ops = ops
        self.tables: Span | None = None
        self.again: dict[tuple[Part, int, int, bool], Callable[[], None]] = {}

    def suits(self, span: Span, s: int) -> bool:
        """Tell whether the batches before and behind a step have its size: else it prepares something of its own."""
        return set(span.counts[max(0, s - 1) : s + 2]) == {span.counts[s]}

    def take(self, part: Part, span: Span, s: int) -> None:
        """Take a part of step s of a span, recorded or repeated if the step suits."""
        if not self.suits(span, s):
            part(span, s)
            return
        n, place, goes_on = span.counts[s], 2 - s % 2 if s else 0, s + 1 < len(span.counts)
        if self.tables is None:
            self.tables = span._replace(**{name: self._empty(getattr(span, name)) for name in _TABLES})
        tables = self.tables._replace(counts=[n] * (place + 1 + goes_on))
        for name, rows in _TABLES.items():
            source, target = getattr(span, name), getattr(tables, name)
            if source is not None:
                source = source[s : s + rows]
                self.ops.copy(source, target[place : place + len(source)])
        again = self.again.get((part, n, place, goes_on))
        if again is None:
            self.again[part, n, place, goes_on] = self.ops.recorded(lambda: part(tables, place))
        else:
            again()

    def _empty(self, table: Any) -> Any:
        return None if table is None else self.ops.xp.empty((_PLACES + 1, *table.shape[1:]), table.dtype)
