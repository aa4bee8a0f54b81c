"""Final accuracies and paired differences: which points, bars, dots and zones are drawn."""

import itertools

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from bnrenorm.analysis import intervals, stats
from bnrenorm.analysis.plots import gains
from bnrenorm.analysis.plots.style import looks
from bnrenorm.analysis.report import palette


def verdict(a, b, size, mean, low=None, high=None):
    return {
        "a": a,
        "b": b,
        "point": {"training.batch.size": size},
        "mean": mean,
        "low": low,
        "high": high,
        "margin": 0.002,
        "diverged": {},
        "seeds": 2,
    }


PAIR_LOOKS = gains.pair_looks([verdict("BN", "BRN", 4, 0.0)], ["BN", "BRN"])


def differences(rows):
    """Draw verdicts over the grid."""
    return gains.differences(Figure().subplots(), rows, gains.pair_looks(rows, ()))


def test_differences_are_points_with_their_intervals_in_the_grids_order():
    rows = [
        verdict("BN", "BRN", 32, 0.01, 0.005, 0.02),
        verdict("BN", "BRN", 4, -0.03),
        verdict("none", "BN", 4, 0.5, 0.4, 0.6),
    ]
    ax = differences(rows)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["32", "4"]
    brn, bn = ax.containers
    assert_allclose(brn[0].get_ydata(), [1, -3])
    bar, none = brn[2][0].get_segments()
    assert_allclose(bar[:, 1], [0.5, 2])
    assert len(none) == 0
    hollow, *_ = (line for line in ax.get_lines() if line.get_markerfacecolor() == "white")
    assert_allclose(hollow.get_xydata(), [[1 - 0.03, -3]], err_msg="a mean without an interval")
    assert ax.get_legend_handles_labels()[1][0] == "equivalent: within 0.2 points"
    assert_allclose([ax.patches[0].get_y(), ax.patches[0].get_height()], [-0.2, 0.4])
    assert_allclose(bn[0].get_ydata(), [50])
    assert ax.get_legend_handles_labels()[1][1:] == ["BRN - BN", "BN - none"]


def test_a_pair_without_any_mean_draws_no_point():
    ax = differences([verdict("BN", "BRN", 32, None), verdict("none", "BN", 32, 0.5)])
    assert [len(container[0].get_ydata()) for container in ax.containers] == [0, 1]


def test_many_pairs_stay_at_their_points_and_look_different():
    names = ["none", "N", "BN", "BN(n)", "BRN"]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    ax = differences([verdict(a, b, size, 0.01) for a, b in pairs for size in (4, 32)])
    for container in ax.containers:
        assert_allclose(container[0].get_xdata(), [0, 1], atol=0.45)
    assert len({(line[0].get_color(), line[0].get_linestyle()) for line in ax.containers}) == len(pairs)


def test_pairs_have_colours_and_markers_that_no_variant_has_and_the_report_has_their_colours():
    variants = ["BN after", "BN before", "BRN after", "BRN before"]
    pairs = list(itertools.combinations(variants, 2))
    styles = gains.pair_looks([verdict(a, b, 4, 0.0) for a, b in pairs], variants)
    taken = [*looks(variants).values(), *styles.values()]
    assert len({(look.color, look.marker) for look in taken}) == len(variants) + len(pairs)
    colours = [(look.color, palette.style(i).colour) for i, look in enumerate(taken)]
    assert all(one == other for one, other in colours if other not in palette.GREYS)
    assert [one for one, other in colours if other in palette.GREYS] == ["#000000", "#7F7F7F"]


def summary(rows, *keys):
    """Return what is drawn of a `tables.summary`."""
    return pd.DataFrame(rows, columns=["variant", *keys, "seed", "final_test_accuracy"]).assign(outcome="finished")


def test_the_axis_of_the_grid_tells_how_many_trials_diverged():
    diverged = {"BN": 2, "BRN": 0}
    rows = [verdict("BN", "BRN", 4, None) | {"diverged": diverged}, verdict("BN", "BRN", 32, 0.1)]
    table = summary([(v, n, s, 0.1) for v in diverged for n in (4, 32) for s in (0, 1)], "training.batch.size")
    is_diverged = (table["variant"] == "BN") & (table["training.batch.size"] == 4)
    table["outcome"] = table["outcome"].where(~is_diverged, "diverged")
    for ax in (
        differences(rows),
        gains.accuracies(Figure().subplots(), table, ["training.batch.size"]),
    ):
        assert [label.get_text() for label in ax.get_xticklabels()] == ["4\nBN 2 of 2 diverged", "32"]


def test_accuracies_are_those_of_the_trials_that_finished():
    table = summary([("BN", n, s, 0.1 + 0.8 * (s > 0)) for n in (4, 32) for s in (0, 1, 2)], "training.batch.size")
    table["outcome"] = table["outcome"].where(table["seed"] > 0, "diverged")
    ax = gains.accuracies(Figure().subplots(), table, ["training.batch.size"])
    assert_allclose(ax.containers[0][0].get_ydata(), [90, 90])


def test_a_point_beside_one_of_which_nothing_is_left_is_not_at_the_edge():
    rows = [(v, x, s, 0.9, "finished" if x == 1 else "diverged") for v in ("BN", "BRN") for x in (1, 2) for s in (0, 1)]
    table = pd.DataFrame(rows, columns=["variant", "lr", "seed", "final_test_accuracy", "outcome"])
    left, right = gains.accuracies(Figure().subplots(), table, ["lr"]).get_xlim()
    assert left < -0.1
    assert right > 1.1


def test_accuracies_are_means_with_intervals_from_six_seeds_on():
    values = [0.9, 0.9, 0.91, 0.91, 0.92, 0.98]  # an interval that is longer on one side
    rows = [(v, n, s, values[s] + (v == "BRN") * 0.02) for v in ("BN", "BRN") for n in (4, 32) for s in range(6)]
    table = summary(rows, "training.batch.size")
    bn, brn = gains.accuracies(Figure().subplots(), table, ["training.batch.size"]).containers
    assert_allclose(bn[0].get_ydata(), [92, 92])
    assert_allclose(brn[0].get_ydata(), [94, 94])
    segment, _ = bn[2][0].get_segments()
    assert_allclose(segment[:, 1], 100 * np.ravel(intervals.mean_intervals(np.array(values)[:, None])))
    few = gains.accuracies(Figure().subplots(), table[table["seed"] < 5], ["training.batch.size"])
    assert not any(map(len, few.containers[0][2][0].get_segments()))


def test_equal_values_of_all_seeds_have_bars_of_no_length():
    """Their mean is beyond their interval by a rounding, in one direction or the other."""
    for value in np.arange(1, 13) / 10_000:
        point = stats.paired(np.zeros(6), np.full(6, value))
        row = verdict("BN", "BRN", 4, point.mean, point.low, point.high) | {"differences": [value] * 6}
        table = summary([("BN", 4, seed, value) for seed in range(6)], "training.batch.size")
        axes = [Figure().subplots() for _ in range(4)]
        gains.ranking(axes[0], [row], "BN")
        gains.by_seed(axes[1], [row], PAIR_LOOKS)
        gains.differences(axes[2], [row], PAIR_LOOKS)
        gains.accuracies(axes[3], table, ["training.batch.size"])
        for ax in axes:
            ends = ax.containers[0][2][0].get_segments()[0]
            assert_allclose(ends[0], ends[1], atol=1e-12)


def test_accuracies_of_one_seed_have_no_bars_and_integers_stay_integers():
    keys = ["training.batch.size", "training.optimizer.lr", "evaluation.average"]
    rows = [("BN", *point, 0, 0.9) for point in ((4, 0.1, None), (4, 1.0, 0.5), (32, 1.0, None))]
    ax = gains.accuracies(Figure().subplots(), summary(rows, *keys), keys)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["4, 0.1, null", "4, 1, 0.5", "32, 1, null"]
    assert not any(map(len, ax.containers[0][2][0].get_segments()))


def test_accuracies_without_a_grid_stand_next_to_each_other():
    rows = [(variant, seed, 0.9) for variant in ("none", "BN", "BRN") for seed in (0, 1)]
    ax = gains.accuracies(Figure().subplots(), summary(rows), [])
    assert_allclose([container[0].get_xdata()[0] for container in ax.containers], [-0.8 / 3, 0, 0.8 / 3], atol=1e-12)


def test_a_ranking_shows_gains_on_the_base_in_order():
    verdicts = [
        {"a": "none", "b": "L1", "mean": 0.01, "low": 0.005, "high": 0.02, "differences": [0.005, 0.015]},
        {"a": "BN", "b": "none", "mean": 0.03, "low": -0.01, "high": 0.05, "differences": [0.01, 0.05]},
        {"a": "none", "b": "L2", "mean": 0.02, "low": None, "high": None, "differences": []},
        {"a": "L1", "b": "BN", "mean": 0.5, "low": 0.1, "high": 0.9, "differences": []},
        {"a": "none", "b": "N", "mean": None, "low": None, "high": None, "differences": []},
    ]
    ax = gains.ranking(Figure().subplots(), [row | {"margin": 0.005} for row in verdicts], "none")
    assert ax.get_legend_handles_labels()[1] == ["equivalent: within 0.5 points"]
    assert_allclose([ax.patches[0].get_x(), ax.patches[0].get_width()], [-0.5, 1])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["BN", "L1", "L2"]  # -3 points, +1, +2
    assert_allclose([container.lines[0].get_xdata()[0] for container in ax.containers], [-3, 1, 2])
    *bars, none = (container.lines[2][0].get_segments()[0] for container in ax.containers)
    assert_allclose([bar[:, 0] for bar in bars], [[-5, 1], [0.5, 2]])
    assert len(none) == 0
    dots = [line.get_xdata() for line in ax.get_lines() if line.get_marker() == "." and len(line.get_xdata())]
    assert_allclose(dots, [[-1, -5], [0.5, 1.5]], err_msg="a dot a seed")
    assert [c.lines[0].get_markerfacecolor() == "white" for c in ax.containers] == [False, False, True]


def test_points_are_joined_only_if_they_are_numbers_of_one_axis():
    def lines(*points):
        rows = [verdict("BN", "BRN", 0, 0.01) | {"point": point} for point in points]
        ax = differences(rows)
        table = summary([("BN", *point.values(), 0, 0.9) for point in points], *points[0])
        other = gains.accuracies(Figure().subplots(), table, list(points[0]))
        return {container[0].get_linestyle() for container in (*ax.containers, *other.containers)}

    assert lines({"size": 4}, {"size": 32}) == {"-"}
    assert lines({"batches": "few labels"}, {"batches": "many"}) == {"None"}
    assert lines({"average": None}, {"average": 0.9}) == {"None"}
    assert lines({"r_max": 1, "d_max": 0}, {"r_max": 3, "d_max": 5}) == {"None"}


def curves_of(seeds):
    """Return curves of BN and BRN in which BRN - BN is 1, 2 and 3 points plus 0.1 points a seed."""
    rows = [
        (v, s, t, 0.5 + 0.01 * s + (v == "BRN") * (0.01 * t + 0.001 * s))
        for v in ("BN", "BRN")
        for s in range(seeds)
        for t in (1, 2, 3)
    ]
    return pd.DataFrame(rows, columns=["variant", "seed", "step", "test_accuracy"])


def test_differences_by_step_have_the_interval_of_the_verdict():
    ax = gains.by_step(Figure().subplots(), curves_of(6), [verdict("BN", "BRN", 4, 0.0)], PAIR_LOOKS)
    line = next(line for line in ax.get_lines() if line.get_label() == "BRN - BN")
    assert_allclose(line.get_xydata(), [[1, 1.25], [2, 2.25], [3, 3.25]])
    (band,) = ax.collections
    at_the_end = [y for x, y in band.get_paths()[0].vertices if x == 3]
    differences = np.array([0.03 + 0.001 * seed for seed in range(6)])
    want = stats.paired(np.zeros(6), differences)
    assert_allclose([min(at_the_end), max(at_the_end)], [100 * want.low, 100 * want.high])
    assert_allclose([ax.patches[0].get_y(), ax.patches[0].get_height()], [-0.2, 0.4], err_msg="zone of equivalence")


def test_few_seeds_are_single_lines():
    ax = gains.by_step(Figure().subplots(), curves_of(3), [verdict("BN", "BRN", 4, 0.0)], PAIR_LOOKS)
    (seeds,) = ax.collections
    assert_allclose([segment[-1, 1] for segment in seeds.get_segments()], [3, 3.1, 3.2])


def test_the_end_has_a_dot_a_seed_next_to_the_mean():
    row = verdict("BN", "BRN", 4, 0.02, 0.015, 0.04) | {"differences": [0.01, 0.02, 0.03]}
    ax = gains.by_seed(Figure().subplots(), [row, verdict("BN", "BRN", 4, None) | {"differences": []}], PAIR_LOOKS)
    dots = next(line for line in ax.get_lines() if line.get_marker() == ".")
    assert_allclose(dots.get_ydata(), [1, 2, 3])
    assert len(set(dots.get_xdata())) == 3
    assert_allclose(ax.containers[0][2][0].get_segments()[0][:, 1], [1.5, 4])
    assert len(ax.containers) == 1
    assert [label.get_text() for label in ax.get_xticklabels()] == 2 * ["BRN - BN"]
    narrow = gains.by_seed(Figure(figsize=(0.8, 2)).subplots(), [row], PAIR_LOOKS)
    assert [label.get_text() for label in narrow.get_xticklabels()] == ["BRN\n- BN"]


def test_points_whose_names_read_the_same_stay_apart():
    names = [f"{40 * 'x'}{middle}{40 * 'x'}" for middle in "ab"]
    ax = differences([verdict("BN", "BRN", names[i], 0.1 * i) for i in (0, 1)])
    assert_allclose(ax.containers[0][0].get_xydata(), [[0, 0], [1, 10]], atol=0.1)
    table = summary([("BN", name, 0, 0.1 * (name == names[1])) for name in names], "training.batch.size")
    ax = gains.accuracies(Figure().subplots(), table, ["training.batch.size"])
    assert_allclose(ax.containers[0][0].get_xydata(), [[0, 0], [1, 10]], atol=0.1)
    assert len(ax.get_xticklabels()) == 2
