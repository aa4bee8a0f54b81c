"""Figures of what was learned: which files, which rows, and who is left out."""

import numpy as np
import pytest

from bnrenorm.analysis.plots import axes, pages, parameters
from bnrenorm.config import document
from bnrenorm.config.experiment import build
from bnrenorm.runs.store import Result

TEXT = """
name: a
variants: {none: {norm: {kind: none}}, BN: {norm: {kind: batch}}}
evaluation: {parameters: true}
grid: {training.optimizer.lr: [0.1, 9]}
seeds: 1
"""


def results(rng, accuracy=0.9):
    found = []
    for trial in build(document.parse(TEXT, "x.yaml")).trials(100):
        arrays = {"linears/0/W": rng.normal(size=(30, 20)), "linears/0/b": np.zeros((1, 30))}
        records = {"step": [0, 1], "epoch": [0.0, 1.0], "test_accuracy": [0.1, accuracy]}
        if trial.variant == "BN":
            arrays |= {"norms/0/affine/gamma": np.ones((1, 30)), "norms/0/affine/beta": np.zeros((1, 30))}
            records |= {"layer1_gamma": [np.nan, 1.1], "layer1_beta": [np.nan, 0.2]}
        if trial.settings.training.optimizer.lr > 1:
            arrays["linears/0/W"] = arrays["linears/0/W"] * np.inf
            records["test_accuracy"] = [0.1, 0.1]
        found.append((trial, Result("finished", 1.0, "cpu", records, arrays)))
    return found


def test_files_and_those_left_out(rng, monkeypatch):
    drawn = []
    monkeypatch.setattr(parameters, "png", lambda figure: drawn.append(figure) or b"")
    assert list(parameters.pictures(results(rng))) == ["weights.png", "affine.png", "affine_epochs.png"]
    assert [[ax.get_title() for ax in figure.axes] for figure in drawn] == [
        ["layer 1: weights", ""],
        ["layer 1: gamma", "layer 1: beta"],
        ["layer 1: gamma", "layer 1: beta"],
    ]
    assert [ax.get_ylabel() for ax in drawn[0].axes] == ["none", "BN"]
    assert [text.get_text() for text in drawn[0].axes[0].get_legend().get_texts()] == ["0.1"]
    assert parameters.pictures(results(rng, accuracy=0.1)) == {}


def test_a_ranking_turns_differences_towards_the_base():
    verdicts = [
        {"a": "none", "b": "L1", "mean": 0.01, "low": 0.005, "high": 0.02},
        {"a": "BN", "b": "none", "mean": 0.03, "low": None, "high": None},
        {"a": "L1", "b": "BN", "mean": 0.5, "low": 0.1, "high": 0.9},
    ]
    ax = axes.ranking(pages.Figure().subplots(), verdicts, "none")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["BN", "L1"]  # -3 points, then +1
    assert [container.lines[0].get_xdata()[0] for container in ax.containers] == pytest.approx([-3, 1])


def test_falling_and_rising_epochs_are_marked():
    ax = axes.turns(pages.Figure().subplots(), np.arange(5), np.array([3.0, 2, 4, 1, 1]))
    falls, rises, _ = ax.get_lines()
    assert (falls.get_marker(), list(falls.get_xdata())) == ("v", [1, 3])
    assert (rises.get_marker(), list(rises.get_xdata())) == ("^", [2])


def test_histograms_ignore_what_is_not_finite():
    ax = axes.histogram(pages.Figure().subplots(), {"a": np.array([0.0, 1, np.nan, np.inf]), "b": np.full(3, np.nan)})
    assert sum(patch.get_data().values.sum() for patch in ax.patches) == 2
