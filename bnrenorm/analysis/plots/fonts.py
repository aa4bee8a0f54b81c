"""Fonts for the names in a figure that Matplotlib's own font lacks, such as Japanese ones."""

import re
import warnings
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any

from matplotlib import font_manager, rcParams
from matplotlib.axis import Axis
from matplotlib.text import Text
from matplotlib.ticker import ScalarFormatter

from bnrenorm.errors import Hint

# Tried in this order. The first comes with Matplotlib, all others have Japanese characters.
FAMILIES = (
    *("DejaVu Sans", "Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans JP", "IPAexGothic", "IPAPGothic"),
    *("IPAGothic", "TakaoPGothic", "TakaoExGothic", "TakaoGothic", "VL PGothic", "VL Gothic", "Migu 1P"),
    *("Hiragino Sans", "Hiragino Kaku Gothic ProN", "Hiragino Kaku Gothic Pro", "Hiragino Maru Gothic ProN"),
    *("Yu Gothic", "Meiryo", "BIZ UDPGothic", "BIZ UDGothic", "MS PGothic", "MS Gothic", "Droid Sans Fallback"),
    *("Noto Serif CJK JP", "IPAexMincho", "IPAPMincho", "TakaoPMincho", "Hiragino Mincho ProN", "Yu Mincho"),
)
_PACKAGE = "fonts-ipafont-gothic"  # of Debian and Ubuntu, so of Colab too: 3 MB, fonts-noto-cjk has 56
_BETWEEN = " - |, |: | = "  # what parts names in a text; what a name has besides is in its number
_numbers: dict[str, int] = {}  # of the names that no font has: all figures show a name as the same number


def complete(artist: Any) -> None:
    """Give the texts of a finished Figure or Axes the installed fonts that they need.

    If a text has characters that its own fonts lack, all texts get further families to fall back on; other figures and
    rcParams stay as they are. A name that no installed font can draw is replaced by a number such as [1], and a Hint
    says once what it stands for and which package to install.
    """
    axes: list[Any] = artist.findobj(Axis)
    for axis in axes:
        if not isinstance(axis.get_major_formatter(), ScalarFormatter):  # whose texts are digits, and take long
            axis.get_ticklabels()  # sets the labels' texts, which Matplotlib does not do before it draws
    texts: list[Any] = artist.findobj(Text)
    missing: set[str] = set()
    for text in texts:
        missing |= _missing(text.get_text(), text.get_fontfamily())
    families = []
    for family in _candidates() if missing else ():
        if missing & _characters(family):
            families.append(family)
            missing -= _characters(family)
        if not missing:
            break
    for text in texts if families else ():
        text.set_fontfamily([*text.get_fontfamily(), *families])
    if missing:
        lacking = f"[{re.escape(''.join(sorted(missing)))}]+"
        _replace(axes, texts, re.compile(rf"(?P<name>{lacking}(?:(?:(?!{_BETWEEN}).)*{lacking})?)(?P<ends>\)*)"))


def _missing(text: str, families: list[str]) -> set[str]:
    if text.isascii():
        return set()
    return {character for character in text if character.isprintable()}.difference(*map(_characters, families))


def _candidates() -> Iterator[str]:
    """Yield the families to try, and again once fonts are known that were installed after Matplotlib's last search."""
    families = dict.fromkeys([*rcParams["font.sans-serif"], *FAMILIES])
    yield from families
    known = {font.fname for font in font_manager.fontManager.ttflist}
    for path in font_manager.findSystemFonts():
        if path not in known:
            with suppress(Exception):  # Matplotlib cannot read every font, as those of coloured bitmaps
                font_manager.fontManager.addfont(path)
    yield from families


def _characters(family: str) -> frozenset[str]:
    """Return the characters of the font that Matplotlib takes for a family, none if there is none."""
    try:
        path = font_manager.findfont(font_manager.FontProperties(family=[family]), fallback_to_default=False)
    except ValueError:
        return frozenset()
    return _characters_of_file(path)


@lru_cache
def _characters_of_file(path: str) -> frozenset[str]:
    return frozenset(map(chr, font_manager.get_font(path).get_charmap()))


def _replace(axes: list[Any], texts: list[Any], names: re.Pattern[str]) -> None:
    """Write numbers for the names, and give the hint for those that are new."""
    new: list[str] = []

    def number(match: re.Match[str]) -> str:
        ends = match["ends"][: match["name"].count("(")]  # of what the name has in brackets
        name = match["name"] + ends
        if name not in _numbers:
            _numbers[name] = len(_numbers) + 1
            new.append(f'"{name}" as [{_numbers[name]}]')
        return f"[{_numbers[name]}]{match['ends'][len(ends) :]}"

    for axis in axes:
        labels = [label.get_text() for label in axis.get_ticklabels()]
        if any(map(names.search, labels)):
            axis.set_ticks(axis.get_ticklocs(), labels=[names.sub(number, label) for label in labels])
    for text in texts:
        text.set_text(names.sub(number, text.get_text()))
    if new:
        warnings.warn(
            f"no installed font has the characters of these names, figures show {', '.join(new)}; fonts for Japanese "
            f"are in the package {_PACKAGE} (Debian, Ubuntu, Colab: apt-get install {_PACKAGE})",
            Hint,
            stacklevel=3,
        )
