"""The figures that show the effect: their panels, axes and titles."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from bnrenorm.analysis.plots import effects, limits, style


def verdict(mean, low=None, high=None, point=None, pairs=6, a="BN", b="BRN", more_seeds=4):
    """Return what the pages need of an entry of `verdicts.verdicts`."""
    return {
        "a": a,
        "b": b,
        "point": point or {},
        "mean": mean,
        "low": low,
        "high": high,
        "pairs": pairs,
        "differences": [] if mean is None else [mean] * pairs,
        "verdict": "inconclusive" if low is None or low < 0 else f"{b} better",
        "more_seeds": more_seeds,
        "margin": 0.002,
        "diverged": {},
    }


def main_job(points=None, gain=-0.013):
    """Return curves of 50 steps in which BRN ends 1.3 points below BN."""
    rows = [
        {"variant": v, **point, "seed": s, "step": t, "epoch": float(t),
         "test_accuracy": 0.92 * (1 - 0.8 * np.exp(-t / 8)) + 0.001 * s + gain * (v == "BRN") * t / 50}
        for v in ("BN", "BRN") for point in points or [{}] for s in range(6) for t in range(1, 51)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def summary_of(points, variants=("BN", "BRN")):
    rows = [(v, *point.values(), s, 0.9) for v in variants for point in points for s in range(6)]
    table = pd.DataFrame(rows, columns=["variant", *points[0], "seed", "final_test_accuracy"])
    return table.assign(outcome="finished")


def test_the_main_jobs_difference_is_seen():
    figure = effects.by_steps(main_job(), [verdict(-0.013, -0.015, -0.011)], "compare")
    left, middle, right = figure.axes
    assert left.get_ylabel() == "accuracy (%)"
    low, high = left.get_ylim()
    assert 0.1 * (high - low) < 1.3, "1.3 points are a tenth of the axis at least"
    assert all(low < line.get_ydata()[-1] < high for line in left.get_lines())
    for ax in (middle, right):
        low, high = ax.get_ylim()
        assert low < -1.5 < 0.2 < high < 1, "differences, 0 and the zone of equivalence"
    article = effects.by_steps(main_job(), [verdict(-0.013)], "compare", "article")
    assert article.axes[0].get_ylim() == (0, 100)


def test_a_leads_band_in_the_beginning_is_seen():
    table = main_job()
    table["test_accuracy"] += 0.002 * table["seed"] * (table["variant"] == "BRN") * (table["step"] < 20)
    _, middle, _ = effects.by_steps(table, [verdict(-0.013, -0.015, -0.011)], "compare").axes
    assert limits.bands(middle, since=0).max() > 0.3 + max(np.max(line.get_ydata()) for line in middle.get_lines())
    assert limits.bands(middle, since=0).max() < middle.get_ylim()[1]


@pytest.mark.parametrize(("lead", "is_seen"), [(0.01, True), (0.1, False)])
def test_a_lead_in_the_beginning_is_seen_unless_it_would_dwarf_the_end(lead, is_seen):
    table = main_job()
    table["test_accuracy"] += lead * (table["variant"] == "BRN") * (table["step"] < 20)
    _, middle, right = effects.by_steps(table, [verdict(-0.013, -0.015, -0.011)], "compare").axes
    assert (middle.get_ylim()[1] > 100 * (lead - 0.001)) == is_seen
    assert middle.get_ylim()[1] < 1.5
    assert right.get_ylim() == middle.get_ylim()


def test_differences_by_step_have_a_panel_a_point_with_one_look_a_pair():
    points = [{"size": 4}, {"size": 32}]
    rows = [verdict(-0.013, -0.015, -0.011, point) for point in points]
    figure = effects.differences_by_step(main_job(points), rows, ["size"], "mine")
    assert [ax.get_title() for ax in figure.axes] == ["size 4", "size 32"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["equivalent: within 0.2 points", "BRN - BN"]
    title = figure.get_suptitle().replace("\n", " ")
    assert title == "mine: differences in test accuracy, mean of 6 seeds, band: 95 % interval at each step"


def test_pairs_that_the_first_point_lacks_are_named_too():
    points = [{"size": 4}, {"size": 32}]
    table = pd.concat([main_job(points), main_job(points[1:]).query("variant == 'BN'").assign(variant="L1")])
    rows = [verdict(0.01, point=point) for point in points] + [verdict(0.01, point=points[1], b="L1")]
    (legend,) = effects.differences_by_step(table, rows, ["size"], "mine").legends
    assert [text.get_text() for text in legend.texts][1:] == ["BRN - BN", "L1 - BN"]


def test_differences_by_step_that_are_dwarfed_stay_visible():
    points = [{"size": 4}, {"size": 32}, {"size": 64}]
    table = pd.concat([main_job(points[:1], gain=-0.8), main_job(points[1:], gain=-0.004)])
    means = (-0.8, -0.004, -0.004)
    rows = [verdict(mean, mean, mean, point) for mean, point in zip(means, points, strict=True)]
    figure = effects.differences_by_step(table, rows, ["size"], "mine")
    assert {ax.get_yscale() for ax in figure.axes} == {"symlog"}
    assert figure.axes[0].get_ylabel().endswith("logarithmic beyond 1 point")
    assert figure.axes[0].get_ylim()[0] < -80


def test_without_a_grid_differences_by_step_have_a_panel_a_pair():
    table = main_job()
    rows = [verdict(0.0), verdict(0.0, b="L1")]
    table = pd.concat([table, table[table["variant"] == "BN"].assign(variant="L1")])
    figure = effects.differences_by_step(table, rows, [], "mine")
    assert [ax.get_title() for ax in figure.axes] == ["BRN - BN", "L1 - BN"]
    colours = {next(line for line in ax.get_lines() if "- BN" in line.get_label()).get_color() for ax in figure.axes}
    assert len(colours) == 2


def test_a_grid_of_one_axis_has_accuracies_and_differences():
    points = [{"lr": 1}, {"lr": 2}]
    rows = [verdict(0.01, 0.0, 0.02, point) for point in points]
    left, right = effects.over_axis(rows, summary_of(points), "lr", "a title").axes
    assert left.get_legend_handles_labels()[1] == ["BN", "BRN"]
    assert right.get_legend_handles_labels()[1][1:] == ["BRN - BN"]
    assert left.get_title() == "mean of 6 seeds with its 95 % interval"
    assert right.get_title() == "paired by seed, with 95 % intervals"
    (alone,) = effects.over_axis([], summary_of(points, ["BN"]), "lr", "a title").axes
    assert [text.get_text() for text in alone.texts] == ["90.00", "90.00"]


def test_of_many_pairs_those_with_the_first_variant_are_drawn():
    names = ["BN", *"cdefg"]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    rows = [verdict(0.01, 0.0, 0.02, {"lr": lr}, a=a, b=b) for lr in (1, 2) for a, b in pairs]
    figure = effects.over_axis(rows, summary_of([{"lr": 1}, {"lr": 2}], names), "lr", "a title")
    assert figure.axes[1].get_legend_handles_labels()[1][1:] == [f"{b} - BN" for b in names[1:]]
    assert figure.get_suptitle() == "a title, against BN"


def test_a_grid_of_two_axes_is_a_heat_map_a_pair_with_the_numbers_in_it():
    points = [{"r_max": r, "d_max": d} for r in (1, 3) for d in (0, 5)]
    means = [0.0, 0.01, 0.02, 0.03]
    rows = [
        verdict(m, m - 0.005, m + 0.005, point, b=b)
        for b in ("BRN", "C")
        for point, m in zip(points, means, strict=True)
    ]
    figure = effects.over_axes(rows, summary_of(points), ["r_max", "d_max"], "limits")
    first, second, bar = figure.axes
    assert figure.get_suptitle() == "limits: means, paired by seed, bold where one is better"
    assert [first.get_title(), second.get_title()] == ["BRN - BN", "C - BN"]
    assert [text.get_text() for text in first.texts][::2] == ["+0.00", "+1.00", "+2.00", "+3.00"]
    assert [text.get_weight() for text in first.texts][::2] == ["normal", "bold", "bold", "bold"]
    assert bar.get_ylabel() == "difference (percentage points)"


LONG = ["batch normalisation of the paper", "batch renormalisation with r_max 3", "no normalisation at all, as before"]


def test_titles_and_words_of_heat_maps_with_long_names_lie_apart():
    points = [{"lr": lr, "size": size} for lr in (0.1, 0.2) for size in (1, 2, 4, 8)]
    rows = [verdict(0.01, 0.005, 0.015, point, a=a, b=b) for a, b in combinations(LONG, 2) for point in points]
    figure = effects.over_axes(rows, summary_of(points, LONG), ["lr", "size"], "a title")
    style.png(figure)
    texts = [text for ax in figure.axes[:3] for text in (ax.title, *ax.texts) if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    assert not [(texts[i], texts[j]) for i, j in combinations(range(len(boxes)), 2) if boxes[i].overlaps(boxes[j])]


def test_titles_of_differences_by_step_with_long_names_lie_apart():
    table = pd.concat([main_job().query("variant == 'BN'").assign(variant=name) for name in LONG])
    figure = effects.differences_by_step(table, [verdict(0.0, a=a, b=b) for a, b in combinations(LONG, 2)], [], "long")
    style.png(figure)
    boxes = [ax.title.get_window_extent() for ax in figure.axes]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_pairs_and_points_whose_names_read_the_same_stay_apart():
    one, other = (f"{40 * 'x'}{middle}{40 * 'x'}" for middle in "ab")
    points = [{"kinds": name, "lr": 1} for name in (one, other)]
    rows = [verdict(0.1 * i, point=point, b=b) for b in (one, other) for i, point in enumerate(points)]
    figure = effects.over_axes(rows, summary_of(points, ["BN", one, other]), ["kinds", "lr"], "a title")
    assert [[text.get_text() for text in ax.texts][::2] for ax in figure.axes[:2]] == 2 * [["+0.00", "+10.00"]]
    table = pd.concat([main_job(points, gain=0.1), main_job(points).query("variant == 'BN'").assign(variant=one)])
    first = [verdict(0.1, point=points[0]), verdict(0.1, point=points[1], b=one)]
    figure = effects.differences_by_step(table, first, ["kinds"], "a title")
    assert [len([line for line in ax.lines if "- BN" in line.get_label()]) for ax in figure.axes] == [1, 1]


def test_pairs_whose_names_read_the_same_each_have_an_entry_in_the_legend():
    names = [f"{40 * 'x'}{middle}{40 * 'x'}" for middle in "ab"]
    of_bn = main_job([{"lr": 1}, {"lr": 2}]).query("variant == 'BN'")
    table = pd.concat([of_bn.assign(variant=name) for name in ("BN", *names)])
    rows = [verdict(0.1, point={"lr": lr}, b=name) for lr in (1, 2) for name in names]
    (legend,) = effects.differences_by_step(table, rows, ["lr"], "a title").legends
    entries = {text.get_text(): handle for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)}
    assert len(legend.get_texts()) == 3, list(entries)


def test_further_axes_have_panels_and_one_variant_has_accuracies():
    points = [{"batches": b, "decay": d, "warm-up": w} for b in "xy" for d in (0.9, 0.99) for w in ("none", "long")]
    figure = effects.over_axes([], summary_of(points, ["BN"]), list(points[0]), "tuning")
    assert [ax.get_title() for ax in figure.axes[:2]] == ["batches: x", "batches: y"]
    assert {text.get_text() for text in figure.axes[0].texts} == {"90.00", ""}
    assert figure.get_suptitle() == "tuning: mean of 6 seeds"
    assert max(figure.get_size_inches()) < 16


@pytest.mark.parametrize(
    ("verdicts", "title"),
    [
        ([verdict(0.01, 0.0, 0.02), verdict(None)], "paired by seed, with 95 % intervals"),
        ([verdict(0.01, pairs=2), verdict(0.01, pairs=3)], "paired by seed, no intervals: 3 of the 6 seeds needed"),
        ([verdict(0.01, pairs=1, more_seeds=0)], "no intervals: nothing depends on the seed"),
        ([verdict(0.01, 0.0, 0.02), verdict(0.01)], "paired by seed, with 95 % intervals where there are 6 seeds"),
        ([verdict(None, pairs=0)], "no pairs of seeds that can be compared"),
    ],
)
def test_titles_promise_only_intervals_that_are_drawn(verdicts, title):
    assert effects.ranking(verdicts, "BN", "mine").get_suptitle() == f"mine: {title}"


def test_the_legend_of_a_grid_does_not_lie_on_the_names_of_its_points():
    points = [{"batches": name} for name in ("independent", "micro-batches of four images", "few labels")]
    rows = [verdict(0.01, 0.0, 0.02, point) for point in points]
    figure = effects.over_axis(rows, summary_of(points), "batches", "a title")
    style.png(figure)
    for ax in figure.axes:
        legend = ax.get_legend().get_window_extent()
        assert legend.y0 >= 0
        for text in (ax.xaxis.label, *ax.get_xticklabels()):
            assert not legend.overlaps(text.get_window_extent())
