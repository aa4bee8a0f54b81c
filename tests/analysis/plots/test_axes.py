import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from bnrenorm.analysis.plots import axes


def table():
    rows = [(v, s, t, (0.1 if v == "BN" else 0.2) * t + s) for v in ("BN", "BRN") for s in (0, 2) for t in (1, 2, 3)]
    return pd.DataFrame(rows, columns=["variant", "seed", "step", "train_loss"])


def test_lines_are_means_and_bands_go_from_minimum_to_maximum():
    ax = axes.curves(Figure().subplots(), table(), "train_loss")
    bn, brn = ax.get_lines()
    assert_allclose(bn.get_ydata(), [1.1, 1.2, 1.3])
    assert_allclose(brn.get_ydata(), [1.2, 1.4, 1.6])
    band = ax.collections[0].get_paths()[0].vertices
    assert_allclose([band[:, 1].min(), band[:, 1].max()], [0.1, 2.3])
    assert list(bn.get_xdata()) == [1, 2, 3]


def test_curves_that_coincide_all_stay_visible():
    """A later variant lies on top and is narrower; colours differ."""
    bn, brn = axes.curves(Figure().subplots(), table(), "train_loss").get_lines()
    assert brn.get_linewidth() < bn.get_linewidth() / 1.5
    assert brn.get_zorder() > bn.get_zorder()
    assert brn.get_color() != bn.get_color()


def test_the_legend_tells_the_last_values():
    ax = axes.label_ends(axes.curves(Figure().subplots(), table(), "train_loss"))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "BN: 1.3000 at the end",
        "BRN: 1.6000 at the end",
    ]


def test_a_digit_has_its_label():
    image = np.arange(784, dtype=np.uint8).reshape(28, 28)
    ax = axes.digit(Figure().subplots(), image, 5)
    assert (ax.images[0].get_array() == image).all()
    assert ax.get_title() == "label 5"


def verdict(a, b, size, mean, low=None, high=None):
    return {
        "a": a,
        "b": b,
        "point": {"training.batch.size": size},
        "mean": mean,
        "low": low,
        "high": high,
        "diverged": {},
    }


def test_differences_are_points_with_their_intervals_in_the_grids_order():
    rows = [
        verdict("BN", "BRN", 32, 0.01, 0.005, 0.02),
        verdict("BN", "BRN", 4, -0.03),
        verdict("none", "BN", 4, 0.5, 0.4, 0.6),
    ]
    ax = axes.differences(Figure().subplots(), rows)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["32", "4"]
    brn, bn = ax.containers
    assert_allclose(brn[0].get_ydata(), [1, -3])
    bar, none = brn[2][0].get_segments()
    assert_allclose(bar[:, 1], [0.5, 2])
    assert len(none) == 0
    hollow, *_ = (line for line in ax.get_lines() if line.get_markerfacecolor() == "white")
    assert_allclose(hollow.get_xydata(), [[1 - 0.06, -3]], err_msg="a mean without an interval")
    assert_allclose(bn[0].get_ydata(), [50])
    assert ax.get_legend_handles_labels()[1] == ["BRN - BN", "BN - none"]


def test_a_pair_without_any_mean_draws_no_point():
    ax = axes.differences(Figure().subplots(), [verdict("BN", "BRN", 32, None), verdict("none", "BN", 32, 0.5)])
    assert [len(container[0].get_ydata()) for container in ax.containers] == [0, 1]


def test_many_pairs_stay_at_their_points_and_look_different():
    names = ["none", "N", "BN", "BN(n)", "BRN"]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    ax = axes.differences(Figure().subplots(), [verdict(a, b, size, 0.01) for a, b in pairs for size in (4, 32)])
    for container in ax.containers:
        assert_allclose(container[0].get_xdata(), [0, 1], atol=0.45)
    assert len({(line[0].get_color(), line[0].get_linestyle()) for line in ax.containers}) == len(pairs)


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
        axes.differences(Figure().subplots(), rows),
        axes.accuracies(Figure().subplots(), table, ["training.batch.size"]),
    ):
        assert [label.get_text() for label in ax.get_xticklabels()] == ["4\n2 BN diverged", "32"]


def test_accuracies_are_those_of_the_trials_that_finished():
    table = summary([("BN", n, s, 0.1 + 0.8 * (s > 0)) for n in (4, 32) for s in (0, 1, 2)], "training.batch.size")
    table["outcome"] = table["outcome"].where(table["seed"] > 0, "diverged")
    ax = axes.accuracies(Figure().subplots(), table, ["training.batch.size"])
    assert_allclose(ax.containers[0][0].get_ydata(), [90, 90])


def test_accuracies_are_means_with_standard_deviations():
    rows = [(v, n, s, 0.9 + 0.01 * s + (v == "BRN") * 0.05) for v in ("BN", "BRN") for n in (4, 32) for s in (0, 2)]
    table = summary(rows, "training.batch.size")
    ax = axes.accuracies(Figure().subplots(), table, ["training.batch.size"])
    bn, brn = ax.containers
    assert_allclose(bn[0].get_ydata(), [91, 91])
    assert_allclose(brn[0].get_ydata(), [96, 96])
    segment, _ = bn[2][0].get_segments()
    assert_allclose(segment[:, 1], [91 - 2**0.5, 91 + 2**0.5])


def test_accuracies_of_one_seed_have_no_bars_and_integers_stay_integers():
    keys = ["training.batch.size", "training.optimizer.lr", "evaluation.average"]
    rows = [("BN", *point, 0, 0.9) for point in ((4, 0.1, None), (4, 1.0, 0.5), (32, 1.0, None))]
    ax = axes.accuracies(Figure().subplots(), summary(rows, *keys), keys)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["4, 0.1, null", "4, 1, 0.5", "32, 1, null"]
    assert not any(map(len, ax.containers[0][2][0].get_segments()))


def test_accuracies_without_a_grid_stand_next_to_each_other():
    rows = [(variant, seed, 0.9) for variant in ("none", "BN", "BRN") for seed in (0, 1)]
    ax = axes.accuracies(Figure().subplots(), summary(rows), [])
    assert_allclose([container[0].get_xdata()[0] for container in ax.containers], [-0.8 / 3, 0, 0.8 / 3], atol=1e-12)


def test_lines_show_a_value_that_is_missing():
    data = table().rename(columns={"step": "epoch"}).assign(average=[np.nan, 0.5] * 6)
    ax = axes.lines(Figure().subplots(), data, "train_loss", "average")
    assert [line.get_label() for line in ax.get_lines()] == ["null", "0.5"]


def test_a_ranking_shows_gains_on_the_base_in_order():
    verdicts = [
        {"a": "none", "b": "L1", "mean": 0.01, "low": 0.005, "high": 0.02},
        {"a": "BN", "b": "none", "mean": 0.03, "low": -0.01, "high": 0.05},
        {"a": "none", "b": "L2", "mean": 0.02, "low": None, "high": None},
        {"a": "L1", "b": "BN", "mean": 0.5, "low": 0.1, "high": 0.9},
        {"a": "none", "b": "N", "mean": None, "low": None, "high": None},
    ]
    ax = axes.ranking(Figure().subplots(), verdicts, "none")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["BN", "L1", "L2"]  # -3 points, +1, +2
    assert_allclose([container.lines[0].get_xdata()[0] for container in ax.containers], [-3, 1, 2])
    *bars, none = (container.lines[2][0].get_segments()[0] for container in ax.containers)
    assert_allclose([bar[:, 0] for bar in bars], [[-5, 1], [0.5, 2]])
    assert len(none) == 0
    assert [c.lines[0].get_markerfacecolor() == "white" for c in ax.containers] == [False, False, True]


def test_lines_over_epochs_are_means_by_any_column():
    data = table().rename(columns={"step": "epoch"})
    ax = axes.lines(Figure().subplots(), data, "train_loss", "seed")
    assert_allclose([line.get_ydata() for line in ax.get_lines()], [[0.15, 0.3, 0.45], [2.15, 2.3, 2.45]])
    assert ax.get_xlabel() == "epoch"


def test_falling_and_rising_epochs_are_marked():
    ax = axes.falls_and_rises(Figure().subplots(), np.arange(5), np.array([3.0, 2, 4, 1, 1]))
    falls, rises, _ = ax.get_lines()
    assert (falls.get_marker(), list(falls.get_xdata())) == ("v", [1, 3])
    assert (rises.get_marker(), list(rises.get_xdata())) == ("^", [2])


def test_histograms_ignore_what_is_not_finite():
    ax = axes.histogram(Figure().subplots(), {"a": np.array([0.0, 1, np.nan, np.inf]), "b": np.full(3, np.nan)})
    assert sum(patch.get_data().values.sum() for patch in ax.patches) == 2
    assert ax.get_yscale() == "linear"
    assert axes.histogram(Figure().subplots(), {"a": np.arange(500.0)}).get_yscale() == "log"
