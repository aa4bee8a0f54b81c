"""How figures look: the style file as a context, a look per variant, and the bytes of a figure as PNG or SVG."""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.layout_engine import PlaceHolderLayoutEngine

from bnrenorm.analysis.plots import fonts

STYLE = Path(__file__).with_name("bnrenorm.mplstyle")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_LINES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Look:
    """What one variant looks like in every figure of a run; no two of the first 32 are alike, even without colours."""

    color: str
    marker: str
    linestyle: str


@cache
def _settings() -> dict[str, Any]:
    settings = matplotlib.rc_params_from_file(STYLE, use_default_template=True)
    return {key: value for key, value in settings.items() if key != "backend"}


def colours() -> list[str]:
    """Return the colours of the style file, whatever style is in use."""
    return list(_settings()["axes.prop_cycle"].by_key()["color"])


def look(i: int) -> Look:
    """Return the look of variant `i` of a run; where colours come again, they have other markers and lines."""
    palette = colours()
    again = i // len(palette)
    return Look(palette[i % len(palette)], _MARKERS[(i + again) % len(_MARKERS)], _LINES[again % len(_LINES)])


def looks(names: Iterable[Any], skip: int = 0) -> dict[Any, Look]:
    """Return a look for every name, in their order; skip: how many looks are taken."""
    return {name: look(skip + i) for i, name in enumerate(dict.fromkeys(names))}


@contextmanager
def own_settings() -> Iterator[None]:
    """Context, or decorator, in which Matplotlib has its default settings and bnrenorm.mplstyle.

    Characters that DejaVu Sans lacks come from the fonts that the user has set, if these have them; `fonts` looks for
    others, and says so where there are none.
    """
    chosen = [*matplotlib.rcParams["font.family"], *matplotlib.rcParams["font.sans-serif"]]
    installed = set(font_manager.get_font_names())
    families = dict.fromkeys(["DejaVu Sans", *(font for font in chosen if font in installed)])
    settings: Any = {**_settings(), "font.family": list(families)}
    with matplotlib.rc_context(settings):
        yield


@own_settings()
def png(figure: Any) -> bytes:
    """Render a figure as a PNG file, without a display; the same figure gives the same bytes."""
    return _saved(figure, FigureCanvasAgg(figure).print_png, {"Software": None})


@own_settings()
def svg(figure: Any) -> bytes:
    """Render a figure as an SVG file, letters as outlines; the same figure gives the same bytes."""
    return _saved(figure, FigureCanvasSVG(figure).print_svg, {"Date": None, "Creator": None})


def _saved(figure: Any, write: Callable[..., None], metadata: dict[str, None]) -> bytes:
    """Draw a figure once; `savefig` would do it twice, for layouts that it cannot know to be done in drawing."""
    buffer, shown = io.BytesIO(), figure.dpi
    if not isinstance(figure.get_layout_engine(), PlaceHolderLayoutEngine):
        fonts.complete(figure)
    figure.dpi = matplotlib.rcParams["savefig.dpi"]
    write(buffer, metadata=metadata)
    figure.dpi = shown
    figure.set_layout_engine("none")  # a placeholder; the other format has the same fonts and layout
    return buffer.getvalue()
