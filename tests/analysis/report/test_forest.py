"""The forest of comparisons: a row each, its interval, the seeds, and labels that are read on a phone."""

import numpy as np
import pytest
from bokeh.models import BoxAnnotation, Label
from numpy.testing import assert_allclose

from bnrenorm.analysis.report import forest
from tests.analysis.report.runs import TEXT, results


def test_every_comparison_has_a_row_and_every_seed_a_dot():
    verdicts = results().verdicts
    sources = forest.forest(verdicts).frames[""]["sources"]
    assert_allclose(sources["means"]["mean"], [100 * verdict["mean"] for verdict in verdicts], rtol=1e-4)
    assert_allclose(sources["dots"]["x"], 100 * np.concatenate([v["differences"] for v in verdicts]), rtol=1e-4)
    assert sources["means"]["name"] == ["BN - none", "BRN - none", "BRN - BN"]


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
    assert {text[-6:] for text in texts} == {"lr 0.1", "lr 0.5"}, "what differs is seen"
    assert chart.frames[""]["sources"]["means"]["name"][0] == f"{names[1]} - {names[0]}, lr 0.1"
    zones = [(box.bottom, box.top) for box in chart.model.center if isinstance(box, BoxAnnotation)]
    dots = chart.frames[""]["sources"]["dots"]["y"]
    spans = [*zones, *((y, y) for y in dots)]
    assert all(top < label.y or bottom > label.y + 0.3 for label in labels for bottom, top in spans)


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
