"""Tables in narrow terminals, where Rich would cut off columns: as lists."""

from rich.table import Column, Table
from rich.text import Text

_GAP = 2  # blanks between columns
_FOLDED = 12  # columns that a longer name may be folded to


def fitted(table: Table, width: int) -> Table | Text:
    """Return a table of texts that fits so many columns, or else its rows as lists of "heading value" lines.

    A column that may wrap can be as narrow as its longest word, and one that may fold narrower than that.
    """
    cells = [[str(column.header), *map(str, column.cells)] for column in table.columns]
    if sum(map(_least_width, table.columns, cells)) + _GAP * (len(cells) - 1) <= width:
        return table
    headings, *rows = zip(*cells, strict=True)
    lines = [str(table.title)]
    for row in rows:
        named = [f"{heading} {cell}".strip() if cell else "" for heading, cell in zip(headings, row, strict=True)]
        lines += [f"  {text}" if i else text for i, text in enumerate(named) if text]
    return Text("\n".join(lines))


def _least_width(column: Column, texts: list[str]) -> int:
    least = max(len(part) for text in texts for part in ([text] if column.no_wrap else text.split() or [""]))
    return min(least, _FOLDED) if column.overflow == "fold" else least
