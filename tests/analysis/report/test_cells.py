"""Curves by grid point, layer and metric: every choice of the reader shows its own numbers."""

import re

import pytest
from numpy.testing import assert_allclose

from bnrenorm.analysis.report import charts, corrections
from bnrenorm.analysis.report.cells import Cells
from tests.analysis.report.runs import TEXT, results

GRID = "grid: {training.optimizer.lr: [0.1, 0.5]}\n"


def shifted(values, by):
    return [value + by for value in values]


@pytest.fixture(scope="module")
def cells():
    """At the second grid point all accuracies are 20 points higher, those of BRN 30, and r is 1 larger.

    The second layer's r is 2 larger than the first's.
    """
    made = results(TEXT + GRID)
    for trial, result in made.trials:
        if trial.point[0][1] == 0.5:
            result.records["test_accuracy"] = shifted(
                result.records["test_accuracy"], 0.2 + 0.1 * (trial.variant == "BRN")
            )
            r = {name: values for name, values in result.records.items() if name.startswith("layer1_r_")}
            result.records.update({name: shifted(values, 1.0) for name, values in r.items()})
        r = {name: values for name, values in result.records.items() if name.startswith("layer1_r_")}
        result.records.update({name.replace("1", "2", 1): shifted(values, 2.0) for name, values in r.items()})
    return Cells(made)


def drawn(chart, key, source, column):
    return chart.frames[key]["sources"][source][column]


def test_a_grid_point_has_its_own_curves_and_differences(cells):
    one, other = cells.points
    assert (one[0][1], other[0][1]) == (0.1, 0.5)
    low, high = (cells.differences(point, "BN", "BRN", "test_accuracy") for point in (one, other))
    assert low.shape == high.shape == (4, 6), "steps, seeds"
    assert_allclose(high - low, 0.1)
    curves, differences = charts.curves(cells), charts.differences(cells)
    for i, by in ((0, 20), (1, 20), (2, 30)):
        low, high = (drawn(curves, key, f"mean {i}", "mean") for key in ("0,0", "0,1"))
        assert_allclose(high, shifted(low, by), atol=0.01)
    low, high = (drawn(differences, key, "mean 2", "mean") for key in ("0", "1"))
    assert_allclose(high, shifted(low, 10), atol=0.01)


def test_a_layer_and_a_grid_point_have_their_own_corrections(cells):
    chart = corrections.corrections(cells)
    assert chart.selects[1].options == ["layer1", "layer2"]
    for column in ("low", "middle", "high"):
        first = drawn(chart, "0,0,0", "lines 2", column)
        assert_allclose(drawn(chart, "0,1,0", "lines 2", column), shifted(first, 2), atol=1e-3)
        assert_allclose(drawn(chart, "0,0,1", "lines 2", column), shifted(first, 1), atol=1e-3)
    records = next(result.records for trial, result in cells.results.trials if trial.variant == "BRN")
    assert all(
        low < middle < high
        for low, middle, high in zip(*(records[f"layer1_r_{q}"] for q in ("05", "50", "95")), strict=True)
    )
    bounds = zip(*(drawn(chart, "0,0,0", "lines 2", name) for name in ("low", "middle", "high")), strict=True)
    assert all(low < middle < high for low, middle, high in bounds)


def test_every_accuracy_is_in_percent_and_every_cross_on_its_curve():
    made = results(diverged=[("BN", 4)])
    chart = charts.curves(Cells(made))
    (records,) = [result.records for trial, result in made.trials if (trial.variant, trial.seed) == ("BN", 4)]
    columns = ["test_accuracy", "test_loss", "train_accuracy", "train_loss"]
    for i, (column, factor) in enumerate(zip(columns, [100, 1, 100, 1], strict=True)):
        (value,) = drawn(chart, str(i), "ended", "value")
        assert value == pytest.approx(factor * records[column][2], rel=1e-4)
        of_all = [result.records[column][0] for trial, result in made.trials if trial.variant == "BN"]
        assert drawn(chart, str(i), "mean 1", "mean")[0] == pytest.approx(factor * sum(of_all) / 6, rel=1e-4)


@pytest.mark.parametrize(("lost", "are_all"), [(6, True), (1, False)])
def test_a_difference_tells_of_either_variant_that_diverged(lost, are_all):
    cells = Cells(results(diverged=[("BN", seed) for seed in range(lost)]))
    told = cells.diverged((), "BN", "BRN")
    assert (told.text, told.are_all) == (f"BN diverged in {lost} of 6 seeds", are_all)
    alt = charts.differences(cells).alt
    if are_all:
        assert "BRN - BN ends" not in alt
    else:
        assert re.search(r"BRN - BN ends at \d.\d\d \(BN diverged in 1 of 6 seeds\)", alt)


def test_a_long_training_is_drawn_to_its_end_by_some_of_its_records():
    made = results(TEXT.replace("seeds: 6", "seeds: 2"))
    steps = list(range(1, 301))
    for _, result in made.trials:
        result.records.update({name: [step / 1000 for step in steps] for name in result.records})
        result.records.update(step=steps)
    cells = Cells(made)
    for source, column, chart, factor in (
        ("mean 2", "mean", charts.curves(cells), 100),
        ("lines 2", "middle", corrections.corrections(cells), 1),
    ):
        data = chart.frames[next(iter(chart.frames))]["sources"][source]
        assert (data["step"][0], data["step"][-1], len(data["step"])) == (1, 300, 200)
        assert_allclose(data[column], [factor * step / 1000 for step in data["step"]], rtol=1e-4)
