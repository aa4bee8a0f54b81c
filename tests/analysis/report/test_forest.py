"""The forest of comparisons: a row each, its interval, the seeds, and labels that are read on a phone."""

import numpy as np
import pytest
from bokeh.models import BoxAnnotation, Label, Scatter, Segment
from numpy.testing import assert_allclose

from bnrenorm.analysis.report import forest
from tests.analysis.report.runs import TEXT, results


def test_every_comparison_has_a_row_and_every_seed_a_dot():
    verdicts = results().verdicts
    sources = forest.forest(verdicts).frames[""]["sources"]
    assert_allclose(sources["means"]["mean"], [100 * verdict["mean"] for verdict in verdicts], rtol=1e-4)
    assert_allclose(sources["dots"]["x"], 100 * np.concatenate([v["differences"] for v in verdicts]), rtol=1e-4)
    assert sources["means"]["name"] == ["BN - none", "BRN - none", "BRN - BN"]


def drawn_with(renderer, source, kind):
    return renderer.data_source.name == source and type(renderer.glyph) is kind


def drawn_from(plot, source, kind):
    """Return the positions of the glyphs of a kind from a source."""
    glyphs = [one.glyph for one in plot.renderers if drawn_with(one, source, kind)]
    names = ("x", "y") if kind is Scatter else ("x0", "y0", "x1", "y1")
    return [tuple(getattr(glyph, name) for name in names) for glyph in glyphs]


def test_what_belongs_to_a_comparison_is_in_its_row():
    verdicts = results(diverged=[("BRN", seed) for seed in (1, 2)]).verdicts
    chart = forest.forest(verdicts)
    means, dots = (chart.frames[""]["sources"][name] for name in ("means", "dots"))
    assert means["y"] == [0, -1, -2]
    for name in ("low", "high"):
        want = [np.nan if verdict[name] is None else 100 * verdict[name] for verdict in verdicts]
        assert_allclose(np.array(means[name], float), want, rtol=1e-4)
    assert means["p"] == [f"{verdicts[0]['p']:.3g}", "none", "none"]
    assert verdicts[0]["p"] < verdicts[0]["p_holm"]
    assert means["verdict"] == [verdict["verdict"] for verdict in verdicts] == ["inconclusive", *["BRN diverged"] * 2]
    assert [face == "#00000000" for face in means["face"]] == [False, True, True], "hollow without an interval"
    names = [f"{verdict['b']} - {verdict['a']}" for verdict in verdicts for _ in verdict["differences"]]
    rows = [-i - 0.22 for i, verdict in enumerate(verdicts) for _ in verdict["differences"]]
    assert (dots["name"], dots["y"]) == (names, pytest.approx(rows))
    plot = chart.model
    assert drawn_from(plot, "means", Segment) == [("low", "y", "high", "y")]
    assert drawn_from(plot, "means", Scatter) == [("mean", "y")]
    assert drawn_from(plot, "dots", Scatter) == [("x", "y")]
    (diamond,) = [one.glyph for one in plot.renderers if drawn_with(one, "means", Scatter)]
    assert diamond.fill_color == "face"
    labels = plot.select({"type": Label})
    for i, verdict in enumerate(verdicts):
        (text,) = [label.text.text for label in labels if label.y == pytest.approx(0.27 - i)]
        assert text == f"{verdict['b']} - {verdict['a']}: {verdict['verdict']}"


def test_many_comparisons_are_left_to_the_table():
    few, many = (
        results(f"{TEXT}grid: {{training.optimizer.lr: {rates}}}\n") for rates in ([1, 2, 3, 4], [1, 2, 3, 4, 5])
    )
    assert "; BRN - BN, lr 4: " in forest.forest(few.verdicts).alt
    assert forest.forest(many.verdicts).alt.endswith(". There are 15, in the table of comparisons.")
    assert ". There are 45, in the table" in forest.forest(3 * many.verdicts).alt, "more than are drawn"


def test_every_row_has_a_zone_of_equivalence_about_0_and_is_on_the_axis():
    chart = forest.forest(results(f"{TEXT}margin: 0.5\n").verdicts)
    plot = chart.model
    zones = [box for box in plot.center if isinstance(box, BoxAnnotation)]
    assert [(box.left, box.right) for box in zones] == [(-0.5, 0.5)] * 3
    assert "Grey zone: less than 0.5 points" in chart.caption
    lines = [one for one in plot.renderers if isinstance(one.glyph, Segment) and one.data_source.name is None]
    assert [list(one.data_source.data[one.glyph.x0]) for one in lines] == [[0]] * 3
    for i, box in enumerate(zones):
        assert plot.y_range.start < box.bottom < -i - 0.22 < -i < box.top < plot.y_range.end


def test_of_many_comparisons_the_first_forty_are_drawn():
    verdicts = 15 * results().verdicts
    chart = forest.forest(verdicts)
    assert len(chart.frames[""]["sources"]["means"]["y"]) == 40
    assert chart.caption.endswith(" 5 more are in the table of comparisons.")


@pytest.mark.parametrize("seeds", [2, 6])
def test_everything_is_inside_the_axis(seeds):
    verdicts = results(TEXT.replace("seeds: 6", f"seeds: {seeds}")).verdicts
    axis = forest.forest(verdicts).model.x_range
    drawn = 100 * np.concatenate([verdict["differences"] for verdict in verdicts])  # which no interval exceeds
    assert axis.start < drawn.min() < drawn.max() < axis.end
    same = verdicts[0] | {"mean": 0.0, "low": 0.0, "high": 0.0, "differences": [0.0] * 6}
    axis = forest.forest([same]).model.x_range
    assert axis.start < -0.2 < 0.2 < axis.end, "the zone of equivalence"


def test_labels_fit_a_phone_and_lie_on_nothing():
    names = [f"a variant with a name of many words {letter}" for letter in "ab"]
    kinds = zip(names, ("batch", "renorm"), strict=True)
    variants = "".join(f"  {name}: {{norm: {{kind: {kind}}}}}\n" for name, kind in kinds)
    text = f"name: long\nvariants:\n{variants}seeds: 2\n"
    chart = forest.forest(results(f"{text}grid: {{training.optimizer.lr: [0.1, 0.5]}}\n").verdicts)
    labels = chart.model.select({"type": Label})
    texts = [label.text.text for label in labels]
    assert all(len(text) == 54 and "…" in text for text in texts)
    assert {text[-20:] for text in texts} == {"lr 0.1: inconclusive", "lr 0.5: inconclusive"}, "what differs is seen"
    assert chart.frames[""]["sources"]["means"]["name"][0] == f"{names[1]} - {names[0]}, lr 0.1"
    zones = [(box.bottom, box.top) for box in chart.model.center if isinstance(box, BoxAnnotation)]
    dots = chart.frames[""]["sources"]["dots"]["y"]
    spans = [*zones, *((y, y) for y in dots)]
    assert all(top < label.y or bottom > label.y + 0.3 for label in labels for bottom, top in spans)


@pytest.mark.parametrize(
    "name", ["正規化の手法を長い名前で表したもの", "アバッチの再正規化とその移動平均、条件", "a名前"]
)
def test_labels_of_wide_characters_fit_a_phone(name):
    variants = f"  {name}1: {{norm: {{kind: batch}}}}\n  {name}2: {{norm: {{kind: renorm}}}}\n"
    text = f"name: long\nvariants:\n{variants}seeds: 2\n"
    (label,) = forest.forest(results(text).verdicts).model.select({"type": Label})
    text = label.text.text
    wide = sum(ord(character) > 0x2FFF for character in text)
    assert 54 >= len(text) + wide >= (53 if "…" in text else 0)
    assert text.startswith(name[:5])
    assert text.endswith("1: inconclusive")


def test_a_verdict_with_a_wide_name_has_its_room():
    long, short = "バッチ正規化の学習率", "バッチ再正規化"
    variants = f"  {long}: {{norm: {{kind: batch}}}}\n  {short}: {{norm: {{kind: renorm}}}}\n"
    of = results(f"name: long\nvariants:\n{variants}seeds: 6\n").verdicts
    of[0]["verdict"] = f"{short} better"
    (label,) = forest.forest(of).model.select({"type": Label})
    assert label.text.text == f"{short}…正規化の学習率: {short} better"


@pytest.mark.parametrize("letter", ["e\u0301", "か\u3099"])
def test_no_label_is_cut_within_a_letter(letter):
    cut = forest._ends(letter * 40, 32)
    assert cut.replace("…", "") == letter * cut.count(letter[0])


def test_a_label_says_identical_where_there_is_no_room_for_by_construction():
    variants = "  BN: {norm: {kind: batch}}\n  renorm with limits: {norm: {kind: renorm, r_max: 1, d_max: 0}}\n"
    text = f"name: same\nvariants:\n{variants}seeds: 2\ngrid: {{training.optimizer.lr: [0.1, 0.5]}}\n"
    texts = {label.text.text for label in forest.forest(results(text).verdicts).model.select({"type": Label})}
    assert texts == {f"renorm with limits - BN, lr {lr}: identical" for lr in (0.1, 0.5)}


def test_a_comparison_without_values_keeps_its_row():
    verdicts = results(diverged=[("BRN", seed) for seed in range(6)]).verdicts
    chart = forest.forest(verdicts)
    assert chart.frames[""]["sources"]["means"]["mean"][1:] == [None, None]
    assert chart.alt.endswith("BRN - none: BRN diverged; BRN - BN: BRN diverged.")
    assert forest.forest([verdict for verdict in verdicts if verdict["mean"] is None]).is_empty
