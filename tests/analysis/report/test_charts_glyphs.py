"""How the charts over the steps draw their data: which glyph shows which columns, in whose colour, under whose switch."""

import numpy as np
import pytest
from bokeh.models import BoxAnnotation, ColumnDataSource, HoverTool, Line, LogScale, MultiLine, Scatter, Span, VArea

from bnrenorm.analysis.report import charts, corrections
from bnrenorm.analysis.report.cells import Cells
from tests.analysis.report.runs import GRID, TEXT, results

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]  # Okabe and Ito


@pytest.fixture(scope="module")
def cells():
    """A trial of BRN has diverged, so that its band, of 6 seeds, has no end."""
    return Cells(results(diverged=[("BRN", 4)]))


def glyphs(plot, tag):
    """Return what is drawn under a name: kind of glyph, source, columns."""
    kinds = []
    for drawn in plot.renderers:
        if drawn.name == tag:
            glyph = drawn.glyph
            names = {Line: ("x", "y"), Scatter: ("x", "y"), MultiLine: ("xs", "ys"), VArea: ("x", "y1", "y2")}[
                type(glyph)
            ]
            columns = [getattr(glyph, name) for name in names]
            kinds.append((type(glyph), drawn.data_source.name, *columns))
    return kinds


def colours_of(plot, tag):
    looks = [drawn.glyph for drawn in plot.renderers if drawn.name == tag]
    names = {"line_color", "fill_color"}
    return {getattr(glyph, name) for glyph in looks for name in names & set(glyph.properties())}


def dashes_of(plot, tag):
    """Return the dashes of the thick line."""
    return [
        drawn.glyph.line_dash
        for drawn in plot.renderers
        if drawn.name == tag and isinstance(drawn.glyph, Line) and drawn.glyph.line_width > 1
    ]


@pytest.mark.parametrize(
    ("draw", "names", "colours"),
    [
        (charts.curves, ["none", "BN", "BRN"], COLOURS[:3]),
        (charts.differences, ["BN - none", "BRN - none", "BRN - BN"], COLOURS[3:]),
        (charts.gap, ["none", "BN", "BRN"], COLOURS[:3]),
    ],
)
def test_every_name_has_its_band_lines_and_dot(cells, draw, names, colours):
    """The legend's colour, dashes and switch are theirs, too; pairs have other colours than the variants."""
    chart = draw(cells)
    assert [entry.name for entry in chart.legend] == names
    assert [entry.style.colour for entry in chart.legend] == colours
    assert len({entry.tag for entry in chart.legend}) == len(names)
    for plot in chart.model.children if chart.has_log else [chart.model]:
        for i, entry in enumerate(chart.legend):
            assert glyphs(plot, entry.tag) == [
                (VArea, f"mean {i}", "step", "low", "high"),
                (MultiLine, f"lines {i}", "xs", "ys"),
                (Line, f"mean {i}", "step", "mean"),
                (Scatter, f"lone {i}", "step", "value"),
            ]
            assert colours_of(plot, entry.tag) == {entry.style.colour}
            assert dashes_of(plot, entry.tag) == [entry.style.dash]
            assert all(set(frame["sources"][f"mean {i}"]["name"]) == {entry.name} for frame in chart.frames.values())


def test_corrections_have_a_band_a_median_and_both_limits(cells):
    chart = corrections.corrections(cells)
    assert [(entry.name, entry.style.colour) for entry in chart.legend] == list(
        zip(["BN", "BRN"], COLOURS[1:3], strict=True)
    ), "none has no corrections"
    for i, entry in enumerate(chart.legend, start=1):
        assert glyphs(chart.model, entry.tag) == [
            (VArea, f"lines {i}", "step", "low", "high"),
            (Line, f"lines {i}", "step", "middle"),
            (Scatter, f"lone {i}", "step", "value"),
            (Line, f"limits {i}", "step", "low"),
            (Line, f"limits {i}", "step", "high"),
        ]
        assert colours_of(chart.model, entry.tag) == {entry.style.colour}
        assert dashes_of(chart.model, entry.tag) == [entry.style.dash]


def test_crosses_are_where_trials_ended_on_both_scales(cells):
    for plot in charts.curves(cells).model.children:
        (cross,) = [drawn for drawn in plot.renderers if drawn.data_source.name == "ended"]
        assert (cross.glyph.x, cross.glyph.y) == ("step", "value")


def test_the_linear_scale_is_shown_first_and_bands_do_not_stretch_the_other(cells):
    """A band may reach below 0, which has no logarithm."""
    linear, log = charts.curves(cells).model.children
    assert (linear.visible, log.visible) == (True, False)
    assert (isinstance(linear.y_scale, LogScale), isinstance(log.y_scale, LogScale)) == (False, True)
    assert {type(drawn.glyph) for drawn in log.y_range.renderers} == {Line}


def test_differences_lie_beside_the_zone_of_equivalence_and_gaps_beside_0(cells):
    differences, gap = (draw(cells).model for draw in (charts.differences, charts.gap))
    (zone,) = [one for one in differences.center if isinstance(one, BoxAnnotation)]
    assert (zone.bottom, zone.top) == (-0.2, 0.2)
    wide = charts.differences(Cells(results(f"{TEXT}margin: 1.5\n")))
    assert [(one.bottom, one.top) for one in wide.model.center if isinstance(one, BoxAnnotation)] == [(-1.5, 1.5)]
    assert "Grey zone: differences below 1.5 points" in wide.caption
    for plot in (differences, gap):
        assert [(one.location, one.dimension) for one in plot.center if isinstance(one, Span)] == [(0, "width")]


def test_a_pointer_reads_the_mean_and_its_interval_from_low_to_high(cells):
    curves, of_corrections = charts.curves(cells).model.children[0], corrections.corrections(cells).model
    tips = [[dict(tool.tooltips) for tool in plot.select({"type": HoverTool})] for plot in (curves, of_corrections)]
    assert {"95 %": "@low{0.0000} to @high{0.0000}", "mean": "@mean{0.0000}"}.items() <= next(
        tip for tip in tips[0] if "mean" in tip
    ).items()
    (tip,) = tips[1]
    assert (tip["median"], tip["5 to 95 %"]) == ("@middle{0.0000}", "@low{0.0000} to @high{0.0000}")


def test_one_seed_is_one_line():
    chart = charts.curves(Cells(results(TEXT.replace("seeds: 6", "seeds: 1"))))
    assert chart.frames["0"]["sources"]["lines 1"]["xs"] == []
    assert len(chart.frames["0"]["sources"]["mean 1"]["step"]) == 4


def test_a_document_begins_with_the_first_frame_in_which_null_is_nan(cells):
    for draw in (charts.curves, charts.differences, charts.gap, corrections.corrections):
        chart = draw(cells)
        chart.data()
        first = next(iter(chart.frames.values()))["sources"]
        sources = {source.name: source.data for source in chart.model.select({"type": ColumnDataSource})}
        assert sources.keys() == first.keys()
        for name, columns in first.items():
            for column in ("mean", "low", "middle", "value"):
                if column in columns:
                    np.testing.assert_array_equal(sources[name][column], np.array(columns[column], float))
    band = charts.curves(cells).frames["0"]["sources"]["mean 2"]
    assert (band["low"][-1], band["low"][0] is None) == (None, False)


def test_the_legend_of_the_gap_has_no_variant_without_values():
    made = results()
    for trial, result in made.trials:
        if trial.variant == "none":
            del result.records["training_mode_accuracy"]
    assert [entry.name for entry in charts.gap(Cells(made)).legend] == ["BN", "BRN"]


def test_the_legend_has_what_any_choice_has_values_of():
    made = results(TEXT + GRID)
    for trial, result in made.trials:
        if trial.variant == "BN" and trial.point[0][1] == 0.1:
            del result.records["training_mode_accuracy"]
        if trial.variant == "BRN":
            result.records["training_mode_accuracy"][0] = float("nan")
    assert [entry.tag for entry in charts.gap(Cells(made)).legend] == ["drawn 0", "drawn 1", "drawn 2"]
