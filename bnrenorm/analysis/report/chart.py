"""A chart of the report: a Bokeh document, the selections that its reader can make, and what is drawn for each.

Bokeh brings its JavaScript in its Python package, so that a page needs no network; its core bundle has zoom, hover and
canvases that draw 100,000 points, in 1.3 MB. (Plotly's bundle has 4.6 MB; Altair's comes as a compiled extension.)
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from bokeh.embed import json_item
from bokeh.models import BasicTicker, ColumnDataSource, HoverTool, InlineStyleSheet, NumeralTickFormatter
from bokeh.plotting import figure

from bnrenorm.analysis.report.palette import Style

HEIGHT = 340
GREY = "#757575"
"""Of texts: 4.6 : 1 on white, 4.5 : 1 on the black of the dark page, so that what was drawn on one can be printed."""
_Y_AXIS = "y axis"
_VALUES = ("mean", "value", "middle", "x")  # the columns of sources that hold what is drawn
_TOOLBAR = """@media print { :host { display: none !important; } }
@media (forced-colors: active) { :host { forced-color-adjust: none; } }"""
TOOLS = "box_zoom,pan,wheel_zoom,save"


@dataclass(frozen=True)
class Select:
    """A list from which the reader chooses what is drawn."""

    label: str
    options: list[str]


@dataclass(frozen=True)
class Entry:
    """An entry of the legend, which switches off and on what is drawn under the name `tag`."""

    tag: str
    name: str
    style: Style


@dataclass
class Chart:
    """A chart: `frames` maps the chosen options, as "0,1", to the data of the sources by their names.

    A frame has `sources` (columns by source), `alt` (the chart in words) and `axis` (what the y axis shows). `caption`
    says how to read it. `has_log`: the document holds the figure twice, as "linear" and as "log".
    `is_told`: what the chart comes to stands below it in words.
    """

    key: str
    title: str
    caption: str
    model: Any
    legend: list[Entry] = field(default_factory=list)
    selects: list[Select] = field(default_factory=list)
    frames: dict[str, dict[str, Any]] = field(default_factory=dict)
    has_log: bool = False
    is_told: bool = True

    def data(self) -> dict[str, Any]:
        """Return what the page's script needs: the document with its first frame, and all frames, whose null is NaN."""
        first = next(iter(self.frames.values()))
        for model in self.model.references():  # once: Bokeh's `select` takes a walk through all models each time
            if _Y_AXIS in model.tags:
                model.axis_label = first.get("axis", model.axis_label)
            elif isinstance(model, ColumnDataSource) and model.name in first["sources"]:
                model.data = {column: _nan(values) for column, values in first["sources"][model.name].items()}
        return {"item": json_item(self.model), "frames": self.frames}

    @property
    def is_empty(self) -> bool:
        """Whether no frame has a finite value."""
        columns = [
            column
            for frame in self.frames.values()
            for of in frame["sources"].values()
            for name, column in of.items()
            if name in _VALUES
        ]
        return not any(value is not None for column in columns for value in column)

    @property
    def alt(self) -> str:
        """What the chart shows at first, in words."""
        return next(iter(self.frames.values()))["alt"]


def tag(index: int) -> str:
    """Return the name of what is drawn of a variant or pair by its place."""
    return f"drawn {index}"


def source(name: str, *columns: str) -> ColumnDataSource:
    """Return an empty source for the columns that the frames have."""
    return ColumnDataSource({column: [] for column in columns}, name=name)


def dot(plot: figure, values: ColumnDataSource, colour: str, name: str) -> None:
    """Draw the value of a line that has only one, of which nothing would be seen: data as `lone` returns them."""
    style: Any = {"fill_color": colour, "line_color": colour, "name": name}
    plot.scatter("step", "value", source=values, size=9, **style)


def lone(steps: list[Any], values: list[Any]) -> dict[str, list[Any]]:
    """Return the step and the value of a line if there is only one, besides those that are None."""
    there = [(step, value) for step, value in zip(steps, values, strict=True) if value is not None]
    only = there if len(there) == 1 else []
    return {"step": [step for step, _ in only], "value": [value for _, value in only]}


def axes(name: str, *, height: int = HEIGHT, x_label: str = "training step", **options: Any) -> figure:
    """Return an empty figure in the report's style: transparent, as wide as the page, dragging zooms."""
    plot = figure(
        name=name,
        height=height,
        sizing_mode="stretch_width",
        tools=TOOLS,
        active_drag=None,  # a finger scrolls the page
        active_scroll=None,
        toolbar_location="above",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        x_axis_label=x_label,
        **options,
    )
    plot.toolbar.logo = None
    plot.toolbar.stylesheets = [InlineStyleSheet(css=_TOOLBAR)]
    if x_label == "training step":
        plot.xaxis.update(formatter=NumeralTickFormatter(format="0,0"), ticker=BasicTicker(min_interval=1))
    lines = dict.fromkeys(("axis_line_color", "major_tick_line_color"), GREY)
    texts = dict.fromkeys(("axis_label_text_color", "major_label_text_color"), GREY)
    for axis in (*plot.xaxis, *plot.yaxis):
        axis.update(minor_tick_line_color=None, axis_label_text_font_style="normal", **lines, **texts)
    plot.yaxis.update(tags=[_Y_AXIS])
    plot.ygrid.update(grid_line_color=GREY, grid_line_alpha=0.3)
    plot.xgrid.grid_line_color = None
    return plot


def hover(renderers: list[Any], tooltips: list[tuple[str, str]], mode: Any = "mouse") -> HoverTool:
    """Return a tool that shows values of what the pointer is at; names in them are text, never markup."""
    return HoverTool(
        renderers=renderers, tooltips=tooltips, mode=mode, point_policy="snap_to_data", line_policy="nearest"
    )


def rounded(values: Any) -> list[float | None]:
    """Return numbers for JSON, to five significant digits; None for what is not finite."""
    array = np.asarray(values, float)
    return [float(f"{value:.5g}") if np.isfinite(value) else None for value in array.tolist()]


def whole(values: Any) -> list[int | None]:
    """Return whole numbers for JSON; None for what is not finite."""
    return [int(value) if np.isfinite(value) else None for value in np.asarray(values, float).tolist()]


def _nan(values: list[Any]) -> list[Any]:
    return [math.nan if value is None else _nan(value) if isinstance(value, list) else value for value in values]
