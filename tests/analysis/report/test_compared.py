"""What two runs have in common: rows for the comparisons of either, at every grid point, and the settings that differ."""

from dataclasses import replace
from pathlib import Path

import pytest

from bnrenorm.analysis.report import compared
from tests.analysis.report.runs import TEXT, results

GRID = "grid: {training.optimizer.lr: [0.1, 0.5]}\n"
TWO = TEXT.replace("  none: {norm: {kind: none}}\n", "")
OTHER = Path("nowhere/other")


def test_grid_points_have_rows_of_their_own_and_either_run_may_lack_one():
    one, two = results(TWO + GRID.replace(", 0.5", "")), results(TWO + GRID, folder=OTHER)
    for trial, result in two.trials:
        if (trial.variant, trial.point[0][1]) == ("BRN", 0.5):
            result.records["test_accuracy"] = [0.1 + value for value in result.records["test_accuracy"]]
    low, high = two.verdicts
    assert high["mean"] == pytest.approx(low["mean"] + 0.1)
    first, second = compared.tables_of([one, two])[0].rows
    assert (first[:3], second[:3]) == (["BRN", "BN", "lr 0.1"], ["BRN", "BN", "lr 0.5"])
    assert (first[3], first[7]) == (100 * one.verdicts[0]["mean"], 100 * low["mean"])
    assert (second[3:7], second[7]) == ([None, None, None, "not compared"], 100 * high["mean"])


def test_runs_that_share_a_comparison_have_a_title_of_conclusions():
    title = compared.title([results(), results(TWO, folder=OTHER)], ["this.", "that."])
    assert title == "shown-00000000: this. other: that."


def test_other_images_and_engines_are_a_difference():
    one, two = results(TWO), results(TWO, folder=OTHER)
    images = replace(two, data=two.data.model_copy(update={"checksum": "0123456789abcdef"}))
    rows = compared.tables_of([one, images])[1].rows
    assert rows == [["images", f"some digits ({one.data.checksum[:12]})", "some digits (0123456789ab)"]]
