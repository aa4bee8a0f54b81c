"""The decisive chart: every paired difference with its interval, a dot per seed, and the zone of equivalence."""

from typing import Any
from unicodedata import combining

import numpy as np
from bokeh.models import BoxAnnotation, PlainText
from bokeh.models import Label as Text
from rich.cells import cell_len, set_cell_size

from bnrenorm.analysis import stats
from bnrenorm.analysis.report.chart import GREY, Chart, axes, hover, rounded, source
from bnrenorm.analysis.report.words import pair
from bnrenorm.analysis.verdicts import Verdict, in_points, interval, p_cell
from bnrenorm.config.trial import point_text
from bnrenorm.numbers import points, within

_TITLE = "Paired differences"
_ROWS = 40
_ROW = 58  # pixels of height
_ABOVE, _BELOW = 0.12, 0.22  # what is drawn of a row reaches so far above and below its interval, in rows
_LABEL = 0.27  # its label stands above that, in rows
_LONGEST = 54  # cells of a label, of which a Japanese character takes two: what a phone is wide
_NAME = 30  # of these, what a name must have so that a verdict is worth its room
_TOLD = 12  # rows that are told in words: of more, nobody hears the end
_COLOUR, _DOT, _HOLLOW = "#0072B2", "#56B4E9", "#00000000"


def forest(verdicts: list[Verdict]) -> Chart | None:
    """Return a row for each of the first 40 comparisons, none if no seed can be compared; None without comparisons."""
    shown = verdicts[:_ROWS]
    if all(verdict["mean"] is None for verdict in shown):
        return Chart("forest", _TITLE, "", None, frames={"": {"sources": {}, "alt": ""}}) if shown else None
    margin = 100 * shown[0]["margin"]
    plot = axes(
        "linear",
        height=_ROW * len(shown) + 90,
        x_label="difference in final test accuracy (points)",
        x_range=_span(shown, margin),
        y_range=(0.6 - len(shown), 0.75),
    )
    plot.yaxis.visible = False
    plot.ygrid.grid_line_color = None
    for i in range(len(shown)):  # row by row, so that none lies behind a label
        top, bottom = _ABOVE - i, -2 * _BELOW + _ABOVE - i
        zone: Any = {"left": -margin, "right": margin, "top": top, "bottom": bottom}
        plot.add_layout(BoxAnnotation(**zone, fill_color="#808080", fill_alpha=0.15, line_color=None))
        plot.segment([0], [bottom], [0], [top], line_color="#808080")
    means = source("means", "y", "name", "verdict", "mean", "low", "high", "p", "face")
    dots = source("dots", "x", "y", "name")
    plot.segment("low", "y", "high", "y", source=means, line_width=4, line_color=_COLOUR)
    single = plot.scatter("x", "y", source=dots, size=7, fill_color=_DOT, fill_alpha=0.7, line_color=_COLOUR)
    style: Any = {"size": 13, "marker": "diamond", "line_color": _COLOUR, "line_width": 2, "fill_color": "face"}
    drawn = plot.scatter("mean", "y", source=means, **style)
    tips = [
        ("", "@name"),
        ("mean", "@mean{+0.000}"),
        ("95 %", "@low{+0.000} to @high{+0.000}"),
        ("p", "@p"),
        ("", "@verdict"),
    ]
    plot.add_tools(hover([drawn], tips), hover([single], [("", "@name"), ("one seed", "@x{+0.000}")]))
    for i, verdict in enumerate(shown):
        label = PlainText(text=_label(verdict))  # a plain string with $$ would be mathematics
        plot.add_layout(Text(x=2, x_units="screen", y=_LABEL - i, text=label, text_font_size="13px", text_color=GREY))
    rest = f" {len(verdicts) - len(shown)} more are in the table of comparisons." if len(verdicts) > len(shown) else ""
    caption = (
        f"Diamond: mean over the seeds, hollow without an interval; line: its 95 % interval, from {stats.MIN_PAIRS} "
        "seeds on, which unlike p and verdict is not corrected for the number of comparisons; dot: one seed. "
        f"Grey zone: less than {within(shown[0]['margin'])}, which counts as equivalent.{rest}"
    )
    chart = Chart("forest", _TITLE, caption, plot, is_told=False)  # a table tells it
    every = "; ".join(map(_in_words, shown))
    told = every if len(shown) <= _TOLD else f"There are {len(verdicts)}, in the table of comparisons"
    chart.frames[""] = {"sources": _sources(shown), "alt": f"Paired differences in final test accuracy. {told}."}
    return chart


def _sources(shown: list[Verdict]) -> dict[str, dict[str, list[Any]]]:
    numbers = np.array([in_points(verdict) for verdict in shown], float)  # None is NaN
    dots = [
        (100 * value, -i - _BELOW, _name(verdict))
        for i, verdict in enumerate(shown)
        for value in verdict["differences"]
    ]
    return {
        "means": {
            "y": [-i for i in range(len(shown))],
            "name": [_name(verdict) for verdict in shown],
            "verdict": [verdict["verdict"] for verdict in shown],
            "p": ["none" if verdict["p"] is None else p_cell(verdict["p"], 3) for verdict in shown],
            "face": [_HOLLOW if verdict["low"] is None else _COLOUR for verdict in shown],
            **{name: rounded(column) for name, column in zip(("mean", "low", "high"), numbers.T, strict=True)},
        },
        "dots": {"x": rounded([x for x, _, _ in dots]), "y": [y for _, y, _ in dots], "name": [n for _, _, n in dots]},
    }


def _span(shown: list[Verdict], margin: float) -> tuple[float, float]:
    values = [0.0, -1.5 * margin, 1.5 * margin]
    for verdict in shown:
        values += [100 * value for value in verdict["differences"]]
        values += [100 * bound for bound in interval(verdict) or ()]
    low, high = min(values), max(values)
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


def _name(verdict: Verdict) -> str:
    at = point_text(verdict["point"].items())
    return f"{pair(verdict)}{', ' if at else ''}{at}"


def _label(verdict: Verdict) -> str:
    """Return a row's name and verdict; of a long name both ends: axes differ at the last, and a pointer finds all."""
    name, what = _name(verdict), verdict["verdict"]
    short = what.removesuffix(" by construction")
    room = _LONGEST - cell_len(f": {short}")
    for text in (f"{name}: {what}", f"{name}: {short}", f"{_ends(name, room)}: {short}" if room >= _NAME else name):
        if cell_len(text) <= _LONGEST:
            return text
    return _ends(name, _LONGEST)


def _ends(text: str, cells: int) -> str:
    """Return a text of at most that many cells, or both ends of a longer one."""
    if cell_len(text) <= cells:
        return text
    head, tail = set_cell_size(text, cells // 2).rstrip(), text[1 - cells // 2 :]
    while cell_len(tail) > cells // 2 - 1 or combining(tail[0]):
        tail = tail[1:]
    return f"{head}…{tail}"


def _in_words(verdict: Verdict) -> str:
    mean = "" if verdict["mean"] is None else f" {points(verdict['mean'])} points"
    bounds = " to ".join(map(points, interval(verdict) or ()))
    return f"{_name(verdict)}:{mean}{f' ({bounds})' * bool(bounds)} {verdict['verdict']}"
