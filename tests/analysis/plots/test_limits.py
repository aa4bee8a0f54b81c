"""Where axes end."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from bnrenorm.analysis.plots import axes, gains, limits


def table(**curves):
    """Return curves of variants: their test accuracies, and losses of 1 - accuracy."""
    frames = [
        pd.DataFrame({"variant": name, "seed": 0, "step": range(1, len(values) + 1), "test_accuracy": values})
        for name, values in curves.items()
    ]
    joined = pd.concat(frames)
    return joined.assign(epoch=joined["step"] / 2.0, test_loss=1 - joined["test_accuracy"])


def drawn(data, metric, choice):
    ax = axes.curves(Figure().subplots(), data, metric)
    limits.set_limits([ax], data, [metric], choice)
    return ax


def test_accuracies_span_the_second_half_of_the_training():
    data = table(BN=[0.1, 0.5, 0.90, 0.92], BRN=[0.1, 0.4, 0.89, 0.91])
    low, high = drawn(data, "test_accuracy", "effect").get_ylim()
    assert 88 < low < 89
    assert 92 < high < 93
    assert drawn(data, "test_accuracy", "article").get_ylim() == (0, 100)


def test_accuracies_that_coincide_span_four_tenths_of_a_point():
    low, high = drawn(table(BN=[0.1, 0.9, 0.9]), "test_accuracy", "effect").get_ylim()
    assert high - low == pytest.approx(0.4)


def test_the_bands_of_few_curves_are_seen_whole_in_the_second_half():
    seeds = [table(BN=[0.1, 0.5, 0.90 + spread, 0.92 + spread]) for spread in (-0.03, -0.02, -0.01, 0.01, 0.02, 0.03)]
    ax = drawn(pd.concat(one.assign(seed=seed) for seed, one in enumerate(seeds)), "test_accuracy", "effect")
    low, high = ax.get_ylim()
    (path,) = ax.collections[0].get_paths()
    late = path.vertices[path.vertices[:, 0] >= 3, 1]
    assert 85 < low <= late.min() < 89
    assert 93 < late.max() <= high < 96


def test_losses_are_logarithmic_with_plain_numbers():
    ax = drawn(table(BN=[0.1, 0.5, 0.9, 0.99]), "test_loss", "effect")
    assert ax.get_yscale() == "log"
    assert ax.get_ylim()[0] < 0.01 < 0.9 < ax.get_ylim()[1] < 1.1
    assert ax.yaxis.get_major_formatter()(0.05, 0) == "0.05"
    assert drawn(table(BN=[0.1, 0.9]), "test_loss", "article").get_ylim() == (0, 4)


@pytest.mark.parametrize(("lowest", "powers_only"), [(0.9, False), (0.9999, True)])
def test_numbers_at_losses_over_many_decades_are_powers_of_ten(lowest, powers_only):
    ax = drawn(table(BN=[0.1, 0.5, 0.9, lowest]), "test_loss", "effect")
    low, high = ax.get_ylim()
    ticks = [tick for tick in ax.yaxis.get_majorticklocs() if low <= tick <= high]
    assert len(ticks) >= 2
    assert all(np.log10(tick) % 1 in (pytest.approx(0), pytest.approx(1)) for tick in ticks) == powers_only


@pytest.mark.parametrize("metric", ["test_loss", "test_accuracy"])
def test_what_diverged_does_not_break_an_axis(metric):
    nothing = drawn(table(BN=[np.nan, np.nan]), metric, "effect").get_ylim()
    assert np.isfinite(nothing).all()
    _, high = drawn(table(BN=[0.1, 0.9], BRN=[0.1, -np.inf]), metric, "effect").get_ylim()
    assert high < (10 if metric == "test_loss" else 101)


def test_curves_that_are_far_worse_than_many_others_are_named_at_the_edge():
    data = table(bad=[0.1] * 4, **{f"good {i}": [0.5, 0.9, 0.95, 0.96 + 0.001 * i] for i in range(7)})
    ax = drawn(data, "test_accuracy", "effect")
    assert ax.get_ylim()[0] > 80
    limits.name_those_outside(ax)
    assert [text.get_text() for text in ax.texts] == ["↓ bad: 10"]
    assert [text.get_color() for text in ax.texts] == [ax.get_lines()[0].get_color()]


def test_losses_that_leave_at_the_top_are_named_there():
    data = table(bad=[-9.0] * 4, **{f"good {i}": [0.5, 0.9, 0.95, 0.96 + 0.001 * i] for i in range(7)})
    ax = drawn(data, "test_loss", "effect")
    assert ax.get_ylim()[1] < 10
    limits.name_those_outside(ax)
    (text,) = ax.texts
    assert (text.get_text(), text.get_verticalalignment()) == ("↑ bad: 10", "top")


def test_lines_that_leave_the_axis_are_named_and_those_that_come_back_are_not():
    good = {f"good {i}": [0.5, 0.9, 0.95, 0.96 + 0.001 * i] for i in range(7)}
    ax = drawn(table(**good, leaves=[0.5, 0.95, 0.3, 0.2], returns=[0.5, 0.2, 0.3, 0.95]), "test_accuracy", "effect")
    limits.name_those_outside(ax)
    assert [text.get_text() for text in ax.texts] == ["↓ leaves: 20"]


def test_lines_that_end_in_a_divergence_say_so_unless_they_are_seen():
    good = {f"good {i}": [0.5, 0.9, 0.95, 0.96 + 0.001 * i] for i in range(7)}
    ax = drawn(
        table(**good, early=4 * [np.nan], seen=[0.5, 0.9, np.nan, np.nan], far=[-1e30, -1e33, np.nan, np.nan]),
        "test_loss",
        "effect",
    )
    limits.name_those_outside(ax)
    assert {text.get_text() for text in ax.texts} == {"early diverged", "↑ far diverged"}


def focused(**values):
    """Return the accuracies of variants over a grid, a value a learning rate, on their focused axis."""
    rows = [(name, lr, 0, value) for name, of in values.items() for lr, value in enumerate(of)]
    summary = pd.DataFrame(rows, columns=["variant", "lr", "seed", "final_test_accuracy"]).assign(outcome="finished")
    ax = gains.accuracies(Figure().subplots(), summary, ["lr"])
    limits.focus(ax)
    return ax


def test_a_failure_does_not_hide_the_other_accuracies_of_a_grid():
    ax = focused(BN=[0.97 + 0.001 * lr for lr in range(7)] + [0.1])
    assert 90 < ax.get_ylim()[0] < 97
    assert [text.get_text() for text in ax.texts] == ["↓ 10.0"]


def test_what_left_the_axis_is_written_at_its_point_in_its_colour():
    ax = focused(BN=[0.97, 0.972, 0.1], BRN=[0.2, 0.97, 0.975], none=[0.97, 0.96, 0.951])
    texts: list[Any] = list(ax.texts)
    assert [(text.get_text(), round(text.xy[0]), to_hex(text.get_color())) for text in texts] == [
        ("↓ 10.0", 2, "#0072b2"),
        ("↓ 20.0", 0, "#d55e00"),
    ]


def test_no_more_than_a_third_leaves_the_axis():
    ax = focused(BN=[0.97 + 0.001 * lr if lr > 3 else 0.1 for lr in range(10)])
    assert ax.get_ylim()[0] < 10
    assert not ax.texts


@pytest.mark.parametrize(("metric", "before"), [("test_loss", 500.0), ("test_accuracy", 0.0)])
def test_the_record_before_the_first_step_does_not_stretch_the_axis(metric, before):
    data = table(BN=[0.1, 0.90, 0.91])
    data.loc[0, ["epoch", metric]] = 0.0, before
    low, high = drawn(data, metric, "effect").get_ylim()
    assert high < (100 if metric == "test_accuracy" else 10)
    assert low > (85 if metric == "test_accuracy" else 0.01)


def test_what_left_the_axis_is_written_below_what_has_not_one_above_the_other():
    ax = focused(BN=[0.97, 0.972, 0.1], BRN=[0.97, 0.975, 0.2], none=[0.97, 0.96, 0.951])
    texts: list[Any] = list(ax.texts)
    assert {text.get_text() for text in texts} == {"↓ 10.0", "↓ 20.0"}
    assert abs(texts[0].xyann[1] - texts[1].xyann[1]) > 10, "points, a line's height"
    bottom, top = ax.get_ylim()
    assert (95.1 - bottom) / (top - bottom) > 0.08


def test_a_few_huge_differences_make_the_axis_logarithmic_beyond_one_point():
    rows = [
        {
            "a": "BN",
            "b": "BRN",
            "point": {"lr": i},
            "mean": mean,
            "low": None,
            "high": None,
            "margin": 0.002,
            "diverged": {},
        }
        for i, mean in enumerate([0.001, 0.002, 0.8])
    ]
    ax = gains.differences(Figure().subplots(), rows, gains.pair_looks(rows, ()))
    limits.widen([ax], rows)
    assert ax.get_yscale() == "symlog"
    assert ax.get_ylim()[1] > 80
    other = gains.differences(Figure().subplots(), rows[:2], gains.pair_looks(rows, ()))
    limits.widen([other], rows[:2])
    assert other.get_yscale() == "linear"
