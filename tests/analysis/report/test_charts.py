"""What the charts draw: the numbers of the records, for every choice of the reader."""

from dataclasses import replace

import numpy as np
import pytest
from bokeh.models import ColumnDataSource, Plot
from numpy.testing import assert_allclose

from bnrenorm.analysis.report import charts, corrections
from bnrenorm.analysis.report.cells import Cells
from tests.analysis.report.runs import STEPS, TEXT, results

GRID = "grid: {training.optimizer.lr: [0.1, 0.5]}\n"


def drawn(chart, key, source):
    return chart.frames[key]["sources"][source]


def curves_of(run, variant, column):
    return np.array([result.records[column] for trial, result in run.trials if trial.variant == variant])


def test_curves_are_the_means_of_the_records():
    run = results()
    chart = charts.curves(Cells(run))
    assert chart.selects[0].options == ["test accuracy", "test loss", "training accuracy", "training loss"]
    accuracy = drawn(chart, "0", "mean 2")
    assert accuracy["name"] == ["BRN"] * 4
    assert accuracy["step"] == STEPS
    assert accuracy["seeds"] == [6] * 4
    assert_allclose(accuracy["mean"], 100 * curves_of(run, "BRN", "test_accuracy").mean(axis=0), rtol=1e-4)
    assert_allclose(drawn(chart, "1", "mean 0")["mean"], curves_of(run, "none", "test_loss").mean(axis=0), rtol=1e-4)
    assert drawn(chart, "0", "lines 2") == {"xs": [], "ys": [], "name": [], "seed": []}


def test_differences_are_of_the_seeds_and_steps_that_are_there():
    run = results(TEXT.replace("seeds: 6", "seeds: 2"))
    trials = [(trial, result) for trial, result in run.trials if (trial.variant, trial.seed) != ("BRN", 0)]
    cells = Cells(replace(run, trials=trials))
    difference = cells.differences((), "BN", "BRN", "test_accuracy")
    want = curves_of(run, "BRN", "test_accuracy")[1] - curves_of(run, "BN", "test_accuracy")[1]
    assert (list(difference), list(difference.index)) == ([1], STEPS)
    assert_allclose(difference[1], want)
    assert cells.differences((), "BN", "absent", "test_accuracy").shape == (0, 0)


def test_few_seeds_are_drawn_one_by_one():
    run = results(TEXT.replace("seeds: 6", "seeds: [3, 5]"))
    lines = drawn(charts.curves(Cells(run)), "0", "lines 1")
    assert lines["seed"] == [3, 5]
    assert_allclose(lines["ys"], 100 * curves_of(run, "BN", "test_accuracy"), rtol=1e-4)
    assert drawn(charts.curves(Cells(run)), "0", "mean 1")["low"] == [None] * 4


def test_a_line_of_one_record_is_a_dot():
    """Also of the corrections; a line of several is none."""
    run = results(TEXT.replace("seeds: 6", "seeds: 2"))
    assert drawn(charts.curves(Cells(run)), "0", "lone 1") == {"step": [], "value": []}
    for _, result in run.trials:
        result.records.update({name: values[-1:] for name, values in result.records.items()})
    cells = Cells(run)
    accuracy = 100 * curves_of(run, "BN", "test_accuracy").mean()
    dot = drawn(charts.curves(cells), "0", "lone 1")
    assert dot["step"] == STEPS[-1:]
    assert_allclose(dot["value"], accuracy, rtol=1e-4)
    for chart in (charts.differences(cells), charts.gap(cells), corrections.corrections(cells)):
        assert any(len(frame["sources"]["lone 2"]["step"]) == 1 for frame in chart.frames.values())


def test_a_cross_marks_the_last_value_of_a_diverged_trial():
    run = results(diverged=[("BRN", 4)])
    ended = drawn(charts.curves(Cells(run)), "0", "ended")
    last = next(result for trial, result in run.trials if (trial.variant, trial.seed) == ("BRN", 4))
    assert (ended["name"], ended["seed"], ended["step"]) == (["BRN"], [4], [4])
    assert_allclose(ended["value"], 100 * last.records["test_accuracy"][2], rtol=1e-4)
    assert drawn(charts.curves(Cells(run)), "0", "mean 2")["seeds"] == [6, 6, 6, 5]


def test_losses_without_bounds_are_written_short():
    made = results()
    for _, result in made.trials:
        result.records["test_loss"][-1] = 1.6768e34
    told = [
        frame["alt"] for frame in charts.curves(Cells(made)).frames.values() if frame["alt"].startswith("Test loss")
    ]
    assert "BN ends at 1.68e34;" in told[0]


def test_every_choice_has_a_frame():
    cells = Cells(results(TEXT + GRID))
    for chart in (charts.curves(cells), charts.differences(cells), charts.gap(cells), corrections.corrections(cells)):
        choices = [range(len(select.options)) for select in chart.selects]
        assert set(chart.frames) == {",".join(map(str, choice)) for choice in np.ndindex(*map(len, choices))}
        names = {source.name for source in chart.model.select({"type": ColumnDataSource})}
        assert all(set(frame["sources"]) == names for frame in chart.frames.values())


def test_differences_are_paired_by_seed():
    run = results()
    chart = charts.differences(Cells(run))
    assert [entry.name for entry in chart.legend] == ["BN - none", "BRN - none", "BRN - BN"]
    want = 100 * (curves_of(run, "BRN", "test_accuracy") - curves_of(run, "BN", "test_accuracy"))
    assert_allclose(drawn(chart, "", "mean 2")["mean"], want.mean(axis=0), rtol=1e-4)
    (verdict,) = [verdict for verdict in run.verdicts if (verdict["a"], verdict["b"]) == ("BN", "BRN")]
    last = [drawn(chart, "", "mean 2")[name][-1] for name in ("mean", "low", "high")]
    assert_allclose(last, [100 * verdict[name] for name in ("mean", "low", "high")], rtol=1e-4)


def test_a_difference_of_rounding_alone_is_no_negative_zero():
    run = results()
    for trial, result in run.trials:
        result.records["test_accuracy"] = (np.full(4, 0.7) - 1e-16 * (trial.variant == "BRN")).tolist()
    assert "BRN - BN ends at 0.00." in charts.differences(Cells(run)).alt


def test_the_gap_is_inference_less_training():
    gap = drawn(charts.gap(Cells(results())), "", "mean 1")
    assert_allclose(gap["mean"], -3.0, rtol=1e-6)


def test_the_y_axis_is_named_from_the_start():
    cells = Cells(results())
    for chart in (charts.curves(cells), charts.differences(cells), charts.gap(cells), corrections.corrections(cells)):
        chart.data()
        labels = {axis.axis_label for plot in chart.model.select({"type": Plot}) for axis in plot.left}
        assert labels == {chart.frames[next(iter(chart.frames))]["axis"]}
        assert labels != {""}


def test_losses_are_named_as_what_they_are():
    text = TEXT.replace("steps: 8", "steps: 8, loss: squared_error")
    frames = [charts.curves(Cells(results(asked))).frames for asked in (TEXT, text)]
    assert [frame["0"]["axis"] for frame in frames] == 2 * ["test accuracy (%)"]
    assert [frame["1"]["axis"] for frame in frames] == [
        "test loss, mean cross entropy (nats)",
        "test loss, half the squared error",
    ]


def test_the_words_of_a_chart_have_the_last_means_in_its_units():
    run = results()
    frames = charts.curves(Cells(run)).frames
    for frame, factor, column, digits in (("0", 100, "test_accuracy", 2), ("1", 1, "test_loss", 4)):
        mean = factor * curves_of(run, "BRN", column)[:, -1].mean()
        assert f"; BRN ends at {mean:.{digits}f}." in frames[frame]["alt"]


def test_a_variant_that_diverged_in_every_seed_has_no_end():
    cells = Cells(results(diverged=[("BRN", seed) for seed in range(6)]))
    for _, result in cells.results.trials:
        if result.outcome == "diverged":  # found after the last record, which is finite
            for values in result.records.values():
                values[-1] = 9.8 if values[-1] != values[-1] else values[-1]
    for chart in (charts.curves(cells), charts.differences(cells), charts.gap(cells), corrections.corrections(cells)):
        assert chart.alt.endswith("BRN diverged in 6 of 6 seeds.")
        assert "BRN ends" not in chart.alt
        assert "BRN - BN ends" not in chart.alt
    assert "BN ends at -3.00;" in charts.gap(cells).alt


def test_a_variant_that_diverged_in_some_seeds_ends_with_the_others():
    cells = Cells(results(diverged=[("BRN", 4)]))
    assert charts.curves(cells).alt.endswith("(BRN diverged in 1 of 6 seeds).")
    assert "BRN ends at " in charts.curves(cells).alt


def test_a_chart_without_a_finite_value_is_empty():
    made = results()
    assert not charts.curves(Cells(made)).is_empty
    for _, result in made.trials:
        result.records["test_accuracy"] = [float("nan")] * len(STEPS)
    assert charts.differences(Cells(made)).is_empty
    assert not charts.curves(Cells(made)).is_empty  # the losses are there
    assert not corrections.corrections(Cells(made)).is_empty


def test_layers_are_in_the_order_of_their_numbers():
    run = results()
    for _, result in run.trials:
        result.records.update(dict.fromkeys(("layer10_r_50", "layer2_r_50"), [1.0] * 4))
    assert Cells(run).layers() == ["layer1", "layer2", "layer10"]


def test_corrections_have_the_limits_of_the_schedule():
    chart = corrections.corrections(Cells(results()))
    limits = drawn(chart, "0,0", "limits 2")
    # warm-up 2 steps, then 1 to 3 over 4 steps; the record of step n is that of the n-th batch, n - 1 from 0 on
    assert limits["step"] == STEPS
    assert_allclose(limits["high"], [1.0, 1.0, 1.5, 3.0])
    assert_allclose(limits["low"], 1 / np.array([1.0, 1.0, 1.5, 3.0]), rtol=1e-4)
    assert_allclose(drawn(chart, "1,0", "limits 2")["high"], [0.0, 0.0, 2.5, 5.0])
    assert_allclose(drawn(chart, "1,0", "limits 2")["low"], [0.0, 0.0, -2.5, -5.0])
    assert drawn(chart, "2,0", "limits 2")["step"] == [], "a share has none"
    assert f"BRN ends at {drawn(chart, '0,0', 'lines 2')['middle'][-1]:.4g}." in chart.frames["0,0"]["alt"]


def test_a_record_before_the_first_step_has_no_limits_and_leaves_a_line_of_one_value_a_dot():
    """As with evaluation.training_set: nothing was normalised yet."""
    run = results(TEXT.replace("warmup: 2, ramp_r: 4, ramp_d: 2", "warmup: 0"))
    for _, result in run.trials:
        names = [name for name in result.records if name.startswith("layer")]
        result.records.update({name: [values[0], values[3]] for name, values in result.records.items()})
        result.records.update({name: [np.nan, 2.0] for name in names} | {"step": [0, 8]})
    chart = corrections.corrections(Cells(run))
    assert drawn(chart, "0,0", "limits 2") == {"step": [8], "low": [0.33333], "high": [3.0]}
    assert drawn(chart, "0,0", "lone 2") == {"step": [8], "value": [2.0]}
    assert drawn(charts.curves(Cells(run)), "0", "lone 2") == {"step": [], "value": []}


def test_corrections_of_what_has_none_are_not_drawn():
    chart = corrections.corrections(Cells(results()))
    assert drawn(chart, "0,0", "lines 0")["step"] == []
    assert drawn(chart, "0,0", "lines 1")["step"] == []  # BN has r = 1
    assert drawn(chart, "4,0", "lines 1")["step"] == STEPS  # but its statistics have distances
    bn = corrections.corrections(Cells(results("name: one\nvariants: {BN: {norm: {kind: batch}}}\nseeds: 2\n")))
    assert [option[:8] for option in bn.selects[0].options] == ["distance"] * 2


def test_the_share_clipped_counts_both_ends():
    run = results()
    share = drawn(corrections.corrections(Cells(run)), "2,0", "lines 2")["middle"]
    ends = [curves_of(run, "BRN", f"layer1_r_clipped_{side}").mean(axis=0) for side in ("high", "low")]
    assert_allclose(share, 100 * sum(ends), rtol=1e-4)


@pytest.mark.parametrize(("bands", "seeds", "steps"), [(1, 1, 200), (10**6, 1, 12), (300, 1, 100), (1, 400, 50)])
def test_many_bands_have_fewer_steps(bands, seeds, steps):
    assert charts.steps_each(bands, seeds) == steps


def test_a_large_grid_is_drawn_in_part_and_says_so():
    rates = ", ".join(f"{0.001 * i:.3f}" for i in range(1, 64))
    chart = charts.curves(
        Cells(results(f"{TEXT.replace('seeds: 6', 'seeds: 1')}grid: {{training.optimizer.lr: [{rates}]}}\n"))
    )
    assert len(chart.selects[1].options) == 60
    assert ". 3 more grid points are in curves.csv" in chart.caption
