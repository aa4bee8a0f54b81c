"""Prints lines and tables: broken between words to fit a terminal, whole in a file or a pipe."""

from typing import Any

from rich.console import Console
from rich.table import Table

from bnrenorm.cli.sheet import Sheet, wrapped

_WIDEST = 100_000  # columns of a file or a pipe, where nothing is cut


class Printer:
    """Prints on standard output, if the options for Rich's console name no other file.

    Everything is printed literally: names of variants may look like Rich's markup or emoji codes.
    """

    def __init__(self, **options: Any):
        self.console = Console(markup=False, emoji=False, highlight=False, **options)
        self.is_terminal = self.console.is_terminal
        if not self.is_terminal:
            self.console.width = _WIDEST

    def say(self, text: str) -> None:
        """Print a line; a word that is longer than a line, such as a path, stays whole."""
        lines = wrapped(self._encodable(text), self.console.width)
        self.console.print(lines, overflow="ignore", crop=False)

    def table(self, sheet: Sheet) -> None:
        """Print a table, in a terminal without the columns for which it is too narrow; in a file with all of them."""
        sheet = sheet.translated(self._encodable)
        table, out = sheet.fitted(self.console.width, is_ascii=self.console.options.ascii_only)
        self.say(sheet.titled(out))
        if isinstance(table, Table):
            self.console.print(table)
        else:
            for line in table:
                self.say(line)
        if out:
            self.say(f"Left out, for want of width: {', '.join(out)}.")

    def _encodable(self, text: str) -> str:
        """Return a text in the characters that the output's encoding has: +- for its sign, escapes for others."""
        encoding = self.console.encoding
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            return text.replace("±", "+-").encode(encoding, "backslashreplace").decode(encoding)
        return text
