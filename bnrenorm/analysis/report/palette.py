"""How variants are told apart in the report's charts: by colour and by dashes."""

from dataclasses import dataclass

GREYS = ("#6E6E6E", "#949494")
# The figures' colours, told apart with any colour vision; greys in the place of black, which a dark page would hide.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", *GREYS)
_DASHES = ([], [7, 3], [2, 2], [10, 3, 2, 3], [5, 5])


@dataclass(frozen=True)
class Style:
    """A line's colour, and the lengths of its dashes and gaps in pixels, none for a solid line."""

    colour: str
    dash: list[int]


def style(index: int) -> Style:
    """Return the style of a variant by its place: 40 different ones, then they repeat."""
    count = len(_COLOURS)
    return Style(_COLOURS[index % count], list(_DASHES[(index + index // count) % len(_DASHES)]))
