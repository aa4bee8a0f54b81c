"""The names and values that a user has chosen, as text in a figure."""

from collections.abc import Iterable
from typing import Any

from bnrenorm.config.trial import value_text

_LONGEST, _BOTH = 32, 40  # characters of a name, and of two


def plain(value: Any, longest: int = _LONGEST) -> str:
    """Return a name or value as text that Matplotlib draws literally, on one line of at most `longest` characters.

    Of a longer one the middle is left out, for names often differ at their ends. Two may read the same all the same:
    trials are told apart by `cell_key`.
    Matplotlib would read $...$ as mathematics, and leave labels out of legends that are empty or begin with "_". A
    missing value, None or NaN, is "null", as in a config.
    """
    text = "".join(character if character.isprintable() else " " for character in value_text(value))
    if len(text) > longest:
        text = f"{text[: longest // 2]}…{text[1 - longest // 2 :]}"
    text = text.replace("$", r"\$")
    return text if text.strip() and not text.startswith("_") else f" {text}"


def shorter(text: str, longest: int) -> str:
    """Return a text of `plain` with at most so many characters."""
    return plain(text.replace(r"\$", "$"), longest)


def minus(b: str, a: str, both: int = _BOTH) -> str:
    """Return the name of a difference, "BRN - BN": what one name leaves of `both` names' characters, the other has."""
    longest = min(_LONGEST, max(both // 2, both - min(len(b), len(a))))
    return f"{plain(b, longest)} - {plain(a, longest)}"


def plain_list(values: Iterable[Any]) -> str:
    """Return several names or values as one text, with commas."""
    return ", ".join(map(plain, values))


def cell_key(values: Iterable[Any]) -> tuple[str, ...]:
    """Return the values of a grid point, of whichever table or verdict, as one key; `plain_list` writes it."""
    return tuple(map(value_text, values))
