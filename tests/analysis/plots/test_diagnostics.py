"""The diagnostics figure: which panels there are, and what they show of the table."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose

from bnrenorm.analysis.plots import diagnostics
from tests.helpers import COMPARED, experiment_of, results_of

RAMPED = COMPARED.replace("d_max: 5", "d_max: 5, warmup: 1, ramp_r: 2, ramp_d: 1")


def diagnosed(text=RAMPED):
    """Return results whose r is 0.5 to 2 around 1, whose d is -1 to 3 around 0.5, and a tenth of whose r is clipped."""
    results = results_of(text)
    values = {"r_05": 0.5, "r_50": 1.0, "r_95": 2.0, "d_05": -1.0, "d_50": 0.5, "d_95": 3.0}
    clipped = {"r_clipped_high": 0.07, "r_clipped_low": 0.03, "d_clipped_high": 0.0, "d_clipped_low": 0.0}
    for trial, result in results.trials:
        if trial.settings.norm.kind not in ("batch", "renorm"):
            del result.records["inference_mode_accuracy"]
            continue
        result.records["training_mode_accuracy"] = [0.27, 0.52 + 0.01 * trial.seed]
        result.records.update({f"layer1_{name}": [value] * 2 for name, value in (values | clipped).items()})
    return results


def panels(results):
    trials = [trial for trial, _ in results.trials]
    figure = diagnostics.figure(results.diagnostics, trials, "mine")
    return figure, {ax.get_title().replace("\n", " ").partition(",")[0]: ax for ax in figure.axes}


def test_r_and_d_have_bands_of_the_nodes_and_their_limits():
    figure, axes = panels(diagnosed())
    assert list(axes) == [
        "layer 1: r",
        "layer 1: d",
        "layer 1: nodes clipped (%)",
        "inference - training mode (points)",
    ]
    r, d = axes["layer 1: r"], axes["layer 1: d"]
    middle, upper, lower, _ = r.get_lines()
    assert_allclose(middle.get_ydata(), [1, 1])
    assert_allclose(upper.get_ydata(), [1, 1 + 2 * 0 / 2], err_msg="r_max before each record")
    assert_allclose(lower.get_ydata(), [1, 1])
    band = r.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (0.5, 2)
    assert_allclose(d.get_lines()[0].get_ydata(), [0.5, 0.5])
    r_clipped, d_clipped, _ = axes["layer 1: nodes clipped (%)"].get_lines()
    assert_allclose(r_clipped.get_ydata(), [10, 10])
    assert_allclose(d_clipped.get_ydata(), [0, 0])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["BN", "BRN", "r clipped", "d clipped", "limit"]


def test_the_gap_is_that_of_every_variant_in_points():
    _, axes = panels(diagnosed())
    bn, brn, _ = axes["inference - training mode (points)"].get_lines()
    assert_allclose(bn.get_ydata(), [-2, -2.5])
    assert_allclose(brn.get_ydata(), [-2, -2.5])


@pytest.mark.parametrize(
    ("values", "said"), [("1.5, 3", "1.5 or 3"), ("1, 1.5, 3", "1, 1.5 or 3"), ("1, 1.5, 2, 3", "1, 1.5, 2 ...")]
)
def test_a_heading_lists_the_limits(values, said):
    figure, _ = panels(diagnosed(RAMPED.replace("r_max: 3, ", "") + f"grid: {{norm.r_max: [{values}]}}"))
    assert figure.axes[0].get_title() == f"layer 1: r, limit {said}"


def test_over_a_grid_the_last_record_is_drawn_at_every_point():
    figure, axes = panels(diagnosed(f"{RAMPED}grid: {{training.optimizer.momentum: [0.5, 0.9]}}"))
    assert figure.get_suptitle().endswith("accuracies: mean of 2 seeds)"), "there are no lines of seeds"
    r = axes["layer 1: r"]
    assert [label.get_text() for label in r.get_xticklabels()] == ["0.5", "0.9"]
    (bars,) = r.containers
    assert_allclose(bars[0].get_xydata(), [[0, 1], [1, 1]])
    assert_allclose(bars[2][0].get_segments()[0][:, 1], [0.5, 2])
    bn, _ = axes["inference - training mode (points)"].containers
    assert_allclose(bn[0].get_ydata(), [-2.5, -2.5])
    r_clipped, d_clipped, limit = figure.legends[0].get_lines()[-3:]
    assert [line.get_linestyle() for line in (r_clipped, d_clipped, limit)] == ["None", "None", "--"]


def test_the_first_four_layers_have_a_row_each():
    results = diagnosed()
    for _, result in results.trials:
        first = {name: values for name, values in result.records.items() if name.startswith("layer1_")}
        for layer in range(6, 1, -1):
            result.records.update({name.replace("1", str(layer), 1): values for name, values in first.items()})
    _, axes = panels(results)
    assert [title for title in axes if title.endswith(": r")] == [f"layer {layer}: r" for layer in (1, 2, 3, 4)]


def test_without_renormalisation_there_is_the_gap_alone():
    text = COMPARED.replace("kind: renorm, r_max: 3, d_max: 5", "kind: none")
    figure, axes = panels(diagnosed(text))
    assert list(axes) == ["inference - training mode (points)"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["BN"]


def test_over_a_grid_limits_shares_and_gaps_are_each_points_own():
    """The gaps of eight seeds are -2 to -9 points: the 6th smallest mean of a subset is that of -9, -8 and -6."""
    text = COMPARED.replace("r_max: 3, ", "").replace("seeds: 2", "seeds: 8") + "grid: {norm.r_max: [1.5, 4]}"
    results = diagnosed(text.replace("BN: {norm: {kind: batch}}", "BN: {norm: {kind: renorm, d_max: 1}}"))
    _, axes = panels(results)
    r = axes["layer 1: r"]
    lines = [line for part in r.collections for line in part.get_segments() if len(line) == 2]
    limits = sorted((x0, x1, y) for (x0, y), (x1, _) in (line for line in lines if line[0][1] == line[1][1]))
    bounds = [(i, y) for i, r_max in ((0, 1.5), (1, 4)) for y in (1 / r_max, r_max)]
    want = sorted((left + i, left + 0.3 + i, y) for i, y in bounds for left in (-0.3, 0))
    assert_allclose(limits, want, atol=1e-12)
    r_clipped, d_clipped = axes["layer 1: nodes clipped (%)"].get_lines()[:2]
    assert (list(r_clipped.get_ydata()), list(d_clipped.get_ydata())) == ([10], [0])
    assert (r_clipped.get_markerfacecolor() == "white", d_clipped.get_markerfacecolor()) == (False, "white")
    bars = axes["inference - training mode (points)"].containers[0][2][0].get_segments()
    assert_allclose([bar[:, 1] for bar in bars], [[-23 / 3, -10 / 3]] * 2)


def test_two_variants_have_their_own_limits_and_colours():
    text = COMPARED.replace("BN: {norm: {kind: batch}}", "A: {norm: {kind: renorm, r_max: 1.5, d_max: 1}}")
    _, axes = panels(diagnosed(text))
    r = axes["layer 1: r"]
    dashed = [
        list(line.get_ydata()) for line in r.get_lines() if line.get_linestyle() == "--" and line.get_marker() == "None"
    ]
    assert_allclose(dashed, [[1.5] * 2, [1 / 1.5] * 2, [3] * 2, [1 / 3] * 2])
    bands = [to_hex(band.get_facecolor()[0]) for band in r.collections]
    assert bands == [to_hex(line.get_color()) for line in r.get_lines() if line.get_marker() != "None"]
    assert bands == ["#0072b2", "#d55e00"]


@pytest.mark.parametrize("grid", ["", "grid: {training.optimizer.momentum: [0.5, 0.9]}"])
def test_all_layers_are_seen_whole(grid):
    results = diagnosed(f"{COMPARED}{grid}")
    for _, result in results.trials:
        layer = {name: values for name, values in result.records.items() if name.startswith("layer1")}
        result.records.update({name.replace("1", "2", 1): values for name, values in layer.items()})
        result.records.update(layer2_r_clipped_high=[0.7, 0.7], layer2_r_95=[9.0, 9.0])
    _, axes = panels(results)
    assert [name for name in axes if name.startswith("layer 2")] == [
        "layer 2: r",
        "layer 2: d",
        "layer 2: nodes clipped (%)",
    ]
    for name, low, high in (("layer 1: r", 0.5, 2), ("layer 1: d", -1, 3), ("layer 2: r", 0.5, 9)):
        bottom, top = axes[name].get_ylim()
        assert bottom < low < high < top
    assert axes["layer 2: nodes clipped (%)"].get_ylim()[1] > 73


@pytest.mark.parametrize(("step", "r_max", "d_max"), [(1, 1, 0), (2, 1, 0), (3, 2, 5), (4, 3, 5), (9, 3, 5)])
def test_limits_are_those_of_the_step_before_the_record(step, r_max, d_max):
    trial = experiment_of(RAMPED).trials(100)[-1]
    bounds = [diagnostics._bounds(trial, np.array([step]), value) for value in "rd"]
    assert_allclose(np.ravel(bounds), [r_max, 1 / r_max, d_max, -d_max])


def test_points_whose_names_read_the_same_stay_apart():
    one, other = (f"{40 * 'x'}{middle}{40 * 'x'}" for middle in "ab")
    results = diagnosed(f"{COMPARED}grid: {{kinds: {{{one}: {{}}, {other}: {{}}}}}}\n")
    for trial, result in results.trials:
        if dict(trial.point)["kinds"] == other:
            result.records["inference_mode_accuracy"][-1] = 0.9
    _, axes = panels(results)
    (bn, *_), _ = axes["inference - training mode (points)"].containers
    assert_allclose(bn.get_ydata(), [-2.5, 37.5])
