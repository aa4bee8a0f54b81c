"""The panels of the figures that show the effect: what stands where, in whose colour, and what their axes hold."""

from itertools import product

import pytest
from matplotlib.colors import to_hex

from bnrenorm.analysis.plots import effects
from tests.analysis.plots.test_effects import main_job, summary_of, verdict

POINTS = [{"r_max": r, "d_max": d} for r, d in product((1, 3), (0, 5, 7))]
TEN_VALUES = [{"lr": i} for i in range(10)]


def texts_of(ax):
    """Return the numbers in the cells by (column, row)."""
    return {(int(text.xy[0]), int(text.xy[1])): text.get_text() for text in ax.texts[::2]}


def test_a_heat_map_has_the_last_axis_across_and_one_scale_for_all_pairs():
    rows = [
        verdict(0.01 * i * k, 0.001, 1, point, b=b) for k, b in ((1, "BRN"), (2, "C")) for i, point in enumerate(POINTS)
    ]
    figure = effects.over_axes(rows, summary_of(POINTS), ["r_max", "d_max"], "limits")
    for ax, k in zip(figure.axes, (1, 2), strict=False):
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("d_max", "r_max")
        assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "5", "7"]
        assert [label.get_text() for label in ax.get_yticklabels()] == ["1", "3"]
        assert texts_of(ax) == {(i % 3, i // 3): f"{i * k:+.2f}" for i in range(6)}
        assert ax.collections[0].get_clim() == (-10, 10)


def test_values_beyond_the_scale_are_told_at_its_ends():
    for largest, ends in ((0.03, "neither"), (0.9, "both")):
        means = [0.01, -0.01, 0.02, -0.02, 0.01, largest]
        rows = [verdict(mean, point=point) for mean, point in zip(means, POINTS, strict=True)]
        ax, _ = effects.over_axes(rows, summary_of(POINTS), ["r_max", "d_max"], "limits").axes
        assert ax.collections[0].colorbar.extend == ends


def test_a_heat_map_of_accuracies_has_the_last_axis_across():
    table = summary_of(POINTS, ["BN"])
    table["final_test_accuracy"] = 0.9 + 0.001 * table["r_max"] + 0.01 * table["d_max"]
    ax, bar = effects.over_axes([], table, ["r_max", "d_max"], "limits").axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("d_max", "r_max")
    values = {(j, i): f"{90 + 0.1 * r + d:.2f}" for i, r in enumerate((1, 3)) for j, d in enumerate((0, 5, 7))}
    assert texts_of(ax) == values
    assert bar.get_ylabel() == "final test accuracy (%)"


def test_the_legend_of_accuracies_has_the_last_values():
    left, _, _ = effects.by_steps(main_job(), [verdict(-0.013, -0.015, -0.011)], "compare").axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == [
        f"{line.get_label()}" for line in left.get_lines()
    ]
    assert all(line.get_label().endswith(f": {line.get_ydata()[-1]:.2f} at the end") for line in left.get_lines())


@pytest.mark.parametrize("judged", ["at the end", "best on validation"])
def test_differences_by_seed_are_of_the_weights_that_are_judged(judged):
    *_, right = effects.by_steps(main_job(), [verdict(-0.013, -0.015, -0.011)], "compare", judged=judged).axes
    assert right.get_title() == f"{judged}, a dot a seed"


def test_a_pair_has_a_colour_that_no_variant_has():
    points = [{"size": 4}, {"size": 32}]
    rows = [verdict(-0.013, -0.015, -0.011, point) for point in points]
    figures = (
        effects.by_steps(main_job(), rows[:1], "mine").axes[1:2],
        effects.differences_by_step(main_job(points), rows, ["size"], "mine").axes,
        effects.differences_by_step(main_job(), rows[:1], [], "mine").axes,
    )
    for ax in (ax for axes in figures for ax in axes):
        (line,) = [line for line in ax.get_lines() if line.get_label() == "BRN - BN"]
        assert to_hex(line.get_color()) == "#009e73"  # the third, after those of BN and BRN


@pytest.mark.parametrize("margin", [0.002, 0.03])
def test_variants_that_are_equal_are_drawn_in_the_whole_zone_of_equivalence(margin):
    row = verdict(0.0, 0.0, 0.0) | {"margin": margin}
    _, *drawn = effects.by_steps(main_job(gain=0), [row], "compare").axes
    for ax in (*drawn, effects.differences_by_step(main_job(gain=0), [row], [], "mine").axes[0]):
        low, high = ax.get_ylim()
        assert low < -100 * margin < 100 * margin < high


def test_every_seed_at_the_end_is_seen():
    """Also those that are far outside of the interval of the mean."""
    row = verdict(-0.013, -0.03, -0.001) | {"differences": [-0.09, 0.04, 0.0, 0.0, 0.0, 0.0]}
    low, high = effects.by_steps(main_job(), [row], "compare").axes[2].get_ylim()
    assert low < -9 < 4 < high


def test_the_second_half_of_one_seed_is_seen_and_panels_share_an_axis():
    points = [{"size": 4}, {"size": 32}]
    table = main_job(points).query("seed == 0")
    peak = (table["variant"] == "BRN") & (table["size"] == 4) & (table["step"] == 30)
    table.loc[peak, "test_accuracy"] += 0.05
    rows = [verdict(-0.013, point=point, pairs=1) for point in points]
    first, second = effects.differences_by_step(table, rows, ["size"], "mine").axes
    assert first.get_ylim() == second.get_ylim()
    assert first.get_ylim()[1] > max(line.get_ydata().max() for line in first.get_lines() if "BRN" in line.get_label())


def test_bands_of_the_second_half_are_seen():
    table = main_job([{"size": 4}])
    table["test_accuracy"] += 0.01 * (table["seed"] - 2.5) * (table["variant"] == "BRN") * (table["step"] > 25)
    ax, *_ = effects.differences_by_step(table, [verdict(-0.013, -0.04, 0.02, {"size": 4})], ["size"], "mine").axes
    low, high = ax.get_ylim()
    (band,) = [one.get_paths()[0].vertices[:, 1] for one in ax.collections]
    assert low < band.min() < -3 < 1 < band.max() < high


@pytest.mark.parametrize("mean", [0.8, 0.02])
def test_what_dwarfs_the_others_leaves_them_visible(mean):
    means = [0.01 + 0.001 * i for i in range(9)] + [mean]
    rows = [verdict(value, point=point) for value, point in zip(means, TEN_VALUES, strict=True)]
    table = summary_of(TEN_VALUES)
    table.loc[(table["lr"] == 9) & (table["variant"] == "BN"), "final_test_accuracy"] -= mean
    left, right = effects.over_axis(rows, table, "lr", "a title").axes
    assert (right.get_yscale() == "symlog") == (mean > 0.1)
    assert [text.get_text() for text in left.texts] == (["↓ 10.0"] if mean > 0.1 else ["↓ 88.0"])
