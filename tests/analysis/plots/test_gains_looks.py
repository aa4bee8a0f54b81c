"""Whose colour the points, bars and dots have, which of them are hollow, and what is said of trials that diverged."""

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from bnrenorm.analysis.plots import gains

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"]  # in the variants' order, then the pairs'


def verdict(b, size, mean, low=None, high=None, **others):
    differences = [] if mean is None else [mean - 0.01, mean + 0.01]
    entry = {"a": "none", "b": b, "point": {"size": size}, "mean": mean, "low": low, "high": high}
    return entry | {"diverged": {}, "seeds": 3, "margin": 0.002, "differences": differences} | others


def looks_of(rows):
    return gains.pair_looks(rows, ["none", "BN"])


def summary(rows):
    return pd.DataFrame(rows, columns=["variant", "size", "seed", "final_test_accuracy", "outcome"])


def test_pairs_next_to_each_other_have_their_colours_and_are_hollow_without_an_interval():
    rows = [verdict("BN", 4, 0.02, 0.01, 0.03), verdict("BRN", 4, 0.05)]
    ax = gains.by_seed(Figure().subplots(), rows, looks_of(rows))
    dots = [line for line in ax.get_lines() if line.get_marker() == "." and len(line.get_xdata())]
    means = [bar.lines[0] for bar in ax.containers]
    for lines in (dots, means):
        assert [to_hex(line.get_color()) for line in lines] == COLOURS[2:]
    assert [to_hex(mean.get_markerfacecolor()) for mean in means] == [COLOURS[2], "#ffffff"]
    left, right = ax.get_xlim()
    assert all(left < x < right for line in (*dots, *means) for x in line.get_xdata())
    assert [round(np.mean(line.get_xdata())) for line in dots] == [0, 1]


def test_variants_and_pairs_over_a_grid_have_their_colours():
    rows = [verdict(name, size, 0.01) for name in ("BN", "BRN") for size in (4, 32)]
    ax = gains.differences(Figure().subplots(), rows, looks_of(rows))
    assert [to_hex(bar[0].get_color()) for bar in ax.containers] == COLOURS[2:]
    hollow = [line for line in ax.get_lines() if line.get_markerfacecolor() == "white"]
    assert [to_hex(line.get_color()) for line in hollow] == COLOURS[2:]
    table = summary([(name, size, 0, 0.9, "finished") for name in ("none", "BN") for size in (4, 32)])
    ax = gains.accuracies(Figure().subplots(), table, ["size"])
    assert [to_hex(bar[0].get_color()) for bar in ax.containers] == COLOURS[:2]


def test_differences_are_drawn_to_the_end_of_the_training():
    rows = [(name, 0, step, 0.5) for name in ("none", "BN") for step in (10, 1000)]
    table = pd.DataFrame(rows, columns=["variant", "seed", "step", "test_accuracy"])
    entry = verdict("BN", 4, 0.0)
    left, right = gains.by_step(Figure().subplots(), table, [entry], looks_of([entry])).get_xlim()
    assert left == 0
    assert 1000 < right < 1100


def test_how_many_of_how_many_trials_diverged():
    outcomes = {"none": ["diverged", "finished", "diverged"], "BN": ["finished", "finished", "diverged"]}
    rows = [(name, 4, s, 0.9, outcome) for name, of in outcomes.items() for s, outcome in enumerate(of)]
    for width, said in ((8, "none 2 of 3 diverged BN 1 of 3 diverged"), (0.8, "3 of 6 diverged")):
        axes = [Figure(figsize=(width, 4)).subplots() for _ in range(2)]
        entry = verdict("BN", 4, 0.01, diverged={"none": 2, "BN": 1})
        gains.accuracies(axes[0], summary(rows), ["size"])
        gains.differences(axes[1], [entry], looks_of([entry]))
        for ax in axes:
            (label,) = ax.get_xticklabels()
            assert label.get_text().replace("\n", " ") == f"4 {said}"


def test_means_are_those_of_the_seeds_that_finished():
    rows = [("none", 4, s, value, "diverged" if s == 2 else "finished") for s, value in enumerate((0.8, 0.9, 0.1))]
    ax = gains.accuracies(Figure().subplots(), summary(rows), ["size"])
    assert_allclose(ax.containers[0][0].get_ydata(), [85])
    gains.write_means(ax)
    assert [text.get_text() for text in ax.texts] == ["85.00"]
