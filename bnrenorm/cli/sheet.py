"""Tables of text that fit a terminal of any width: no word is cut, and keys and verdicts are never left out."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from rich.box import SIMPLE_HEAD, Box
from rich.cells import cell_len
from rich.table import Table

_GAP = 2  # blanks between columns
_ASCII_HEAD = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)  # SIMPLE_HEAD without its line


@dataclass(frozen=True)
class Column:
    """A column's heading and texts. `rank`: columns of a lower rank are left out first; None: never left out.

    Numbers are aligned at the right and are not wrapped.
    """

    heading: str
    texts: tuple[str, ...]
    rank: int | None
    is_number: bool

    @property
    def natural(self) -> int:
        """Width, in cells of the terminal, of the longest text."""
        return max(map(cell_len, (self.heading, *self.texts)))

    @property
    def least(self) -> int:
        """Width of the longest word: narrower, a word would be cut."""
        words = self.texts if self.is_number else [word for text in self.texts for word in text.split()]
        return max(map(cell_len, (*self.heading.split(), *words)), default=0)


@dataclass
class Sheet:
    """A table under construction, which `fitted` lays out.

    `about`: by a column's heading, what the title says of it where it is shown. By the index of a row: `styles`, and
    `ends`, where a section ends, below which a line is left blank.
    """

    title: str
    about: dict[str, str] = field(default_factory=dict)
    columns: list[Column] = field(default_factory=list)
    styles: dict[int, str] = field(default_factory=dict)
    ends: set[int] = field(default_factory=set)

    def add(self, heading: str, texts: Iterable[str], *, rank: int | None = None, is_number: bool = False) -> None:
        """Add a `Column`."""
        self.columns.append(Column(heading, tuple(texts), rank, is_number))

    def translated(self, translate: Callable[[str], str]) -> "Sheet":
        """Return the sheet with another text in place of each."""
        columns = [
            replace(column, heading=translate(column.heading), texts=tuple(map(translate, column.texts)))
            for column in self.columns
        ]
        about = {translate(heading): translate(text) for heading, text in self.about.items()}
        return replace(self, title=translate(self.title), columns=columns, about=about)

    def titled(self, out: Collection[str] = ()) -> str:
        """Return the title of the table without the columns `out`."""
        shown = [column.heading for column in self.columns if any(column.texts) and column.heading not in out]
        return self.title + "".join(text for heading, text in self.about.items() if heading in shown)

    def fitted(self, width: int, *, is_ascii: bool = False) -> tuple[Table | list[str], list[str]]:
        """Return the table for a terminal of so many columns, and the headings of the columns that were left out.

        The title is not in it. Texts are wrapped between words. If that is not enough, columns are left out by rank; if
        that is not enough either, the rows become "heading text" lines.
        """
        columns = [column for column in self.columns if column.rank is None or any(column.texts)]
        dropped = sorted((c for c in columns if c.rank is not None), key=lambda c: c.rank or 0)
        for count in range(len(dropped) + 1):
            out = dropped[:count]
            kept = [column for column in columns if column not in out]
            widths = _widths(kept, width)
            if widths is not None:
                return self._table(kept, widths, is_ascii), [column.heading for column in columns if column in out]
        return self._lines(columns), []

    def _table(self, columns: Sequence[Column], widths: list[int], is_ascii: bool) -> Table:
        table = Table(
            box=_ASCII_HEAD if is_ascii else SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            collapse_padding=True,
        )
        for column, width in zip(columns, widths, strict=True):
            justify = "right" if column.is_number else "left"
            table.add_column(column.heading, justify=justify, width=width, overflow="fold")
        for i, row in enumerate(zip(*(column.texts for column in columns), strict=True)):
            table.add_row(*row, style=self.styles.get(i), end_section=i in self.ends)
        return table

    def _lines(self, columns: Sequence[Column]) -> list[str]:
        lines = []
        for row in zip(*(column.texts for column in columns), strict=True):
            named = [f"{c.heading} {text}".strip() for c, text in zip(columns, row, strict=True) if text]
            lines += [f"  {text}" if i else text for i, text in enumerate(named)]
        return lines


def _widths(columns: Sequence[Column], width: int) -> list[int] | None:
    """Return the columns' widths in a table of at most that width, the widest narrowed first; None if none is."""
    widths, least = [column.natural for column in columns], [column.least for column in columns]
    available = width - _GAP * (len(columns) - 1)
    while sum(widths) > available:
        narrowable = [i for i in range(len(columns)) if widths[i] > least[i]]
        if not narrowable:
            return None
        widths[max(narrowable, key=lambda i: widths[i])] -= 1
    return widths


def wrapped(text: str, width: int) -> str:
    """Break a text between words to lines of at most that width, indented like the first; a longer word stays whole."""
    if cell_len(text) <= width:
        return text
    first, *others = re.findall(r"\s*\S+", text)  # words, with the blanks before them
    lines = [first]
    for word in others:
        if cell_len(lines[-1] + word) > width:
            lines.append(first[: -len(first.lstrip())] + word.lstrip())
        else:
            lines[-1] += word
    return "\n".join(lines)
