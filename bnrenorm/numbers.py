"""How numbers are written, so that a mean reads the same wherever it stands.

The mean of whole images is often a tie, such as 1.325 for two digits, which the noise of a mean would decide one way on
a terminal and another way in a report.
"""

import math
from collections.abc import Sequence

_NOISE = 1e-12  # relative, of a mean
_LARGE = 1e3  # larger numbers, those of networks that explode, have an exponent


def number(value: float, style: str) -> str:
    """Format a number, its exponent short: 1.5e14 and 2e-5. Ties are rounded away from 0."""
    digits, e, exponent = f"{value * (1 + _NOISE):{style}}".partition("e")
    return f"{digits}e{int(exponent)}" if e else digits


def points(value: float) -> str:
    """Write a difference of fractions in percentage points: "+1.33"."""
    return number(100 * value, "+.2f")


def within(margin: float) -> str:
    """Write a fraction that differences are below in percentage points: "0.2 points", "1 point"."""
    return f"{100 * margin:g} point{'s' * (100 * margin != 1)}"


def mean_and_spread(mean: float, spread: float, digits: int) -> str:
    """Return a mean and a standard deviation as "0.2795 ± 0.0012"; the mean alone if there is no other; "" for NaN."""
    if math.isnan(mean):
        return ""
    largest = max(abs(mean), spread)  # the mean where the spread is NaN
    is_large, is_small = largest >= _LARGE, 0 < abs(mean) < 0.5 * 10**-digits
    style = ".1e" if is_large or is_small else f".{digits}f"
    return number(mean, style) + (f" ± {number(spread, style)}" if math.isfinite(spread) else "")


def counted(count: int, noun: str) -> str:
    """Return a number of things in words: "1 seed", "2 seeds"."""
    return f"{count} {noun}{'s' * (count != 1)}"


def from_to(counts: Sequence[int]) -> str:
    """Return the range of some counts: "6 to 8", or "8" where all are the same."""
    fewest, most = min(counts), max(counts)
    return f"{fewest} to {most}" if fewest < most else f"{most}"


def listed(texts: Sequence[str]) -> str:
    """Return texts in a row: "2, 4 and 8"."""
    return " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))


def size(count: float) -> str:
    """Write bytes in the unit that makes a small number of them: "311 MiB"."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if count < 999.5:  # more would be written as 1e+03
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} EiB"
