"""Steps within a span differ in nothing but their tables: each after the first two is a recorded one, made again."""

from collections.abc import Callable
from typing import Any

from bnrenorm.engines.cuda.spans import Span

_STEPS = 4
"""Steps of the span that recordings take their tables from: two to record, between a first and a last one."""


class Replay:
    """Takes steps of spans as `take` does, which takes step s of a span.

    A recording reads its step's tables, and the next step's indices, at fixed places of the device. There are two of
    them, for steps of even and of odd numbers, so that a step may use another half of a double buffer than the next.
    """

    def __init__(self, ops: Any, take: Callable[[Span, int], None]):
        self.ops, self.take = ops, take
        self.tables: Span | None = None
        self.again: dict[tuple[int, int], Callable[[], None]] = {}

    def suits(self, span: Span, s: int) -> bool:
        """Tell whether a step is like a recorded one: not at an end of its span, nor beside a batch of another size."""
        return span.counts[max(0, s - 1) : s + 2] == [span.counts[s]] * 3

    def step(self, span: Span, s: int) -> None:
        """Take a step that suits."""
        n, place = span.counts[s], 2 - s % 2
        if self.tables is None:
            self.tables = span._replace(**{name: self._empty(getattr(span, name)) for name in _TABLES})
        tables = self.tables._replace(counts=[n] * _STEPS)
        for name, rows in _TABLES.items():
            source, target = getattr(span, name), getattr(tables, name)
            if source is not None:
                self.ops.copy(source[s : s + rows], target[place : place + rows])
        again = self.again.get((n, place))
        if again is None:
            self.again[n, place] = self.ops.recorded(lambda: self.take(tables, place))
        else:
            again()

    def _empty(self, table: Any) -> Any:
        return None if table is None else self.ops.xp.empty((_STEPS, *table.shape[1:]), table.dtype)


_TABLES = {"index": 2, "ranks": 1, "schedule": 1}
"""Tables of a `Span`, and the rows of each that a step reads."""
