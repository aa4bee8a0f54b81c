"""Tables over seeds: means of final values, and the paired differences."""

import math

import numpy as np
import pandas as pd
import pytest

from bnrenorm.analysis import aggregates
from bnrenorm.config import grid
from bnrenorm.training.loop import Training
from tests.helpers import COMPARED, results_of, some_digits

GRID = f"{COMPARED}grid: {{training.optimizer.lr: [0.1, 0.5]}}\n"


def accuracy(trial):
    return {"BN": 0.5, "BRN": 0.75}[trial.variant] + trial.seed / 8


def test_final_values_are_means_with_the_spread_over_seeds():
    final = results_of(accuracy=accuracy).final
    assert list(final["variant"]) == ["BN", "BRN"]
    assert list(final["seeds"]) == [2, 2]
    assert list(final["test_accuracy"]) == [0.5625, 0.8125]
    assert final["test_accuracy_std"][0] == pytest.approx(np.std([0.5, 0.625], ddof=1))
    assert list(final["train_loss"]) == [1.0, 1.0]


def test_a_grid_has_a_row_per_point_and_keeps_its_columns():
    final = results_of(GRID).final
    assert list(final.columns[:4]) == ["variant", "training.optimizer.lr", "seeds", "diverged"]
    assert list(final["training.optimizer.lr"]) == [0.1, 0.5, 0.1, 0.5]


def test_rows_are_in_the_experiments_order_and_null_is_a_point():
    text = COMPARED.replace(
        "  BN: {norm: {kind: batch}}\n", "  none: {norm: {kind: none}}\n  BN: {norm: {kind: batch}}\n"
    )
    final = results_of(f"{text}grid: {{evaluation.average: [0.9, null]}}\n").final
    assert list(final["variant"]) == ["none", "none", "BN", "BN", "BRN", "BRN"]
    assert list(final["evaluation.average"].isna()) == [False, True] * 3


def test_people_read_accuracies_in_percent_and_losses_with_four_digits():
    columns = {"train_loss": 0.27951, "test_loss": 1.23456, "train_accuracy": 0.5, "validation_accuracy": 0.91988}
    row = {"variant": "BN", "seeds": 2, "diverged": 0, **columns, "test_accuracy": 0.98765}
    row |= {
        "train_loss_std": 0.00124,
        "test_loss_std": 0.5,
        "train_accuracy_std": 0.0,
        "validation_accuracy_std": 0.0021,
    }
    assert aggregates.texts(pd.DataFrame([row | {"test_accuracy_std": 0.01234}])) == {
        "training loss": ["0.2795 ± 0.0012"],
        "test loss": ["1.2346 ± 0.5000"],
        "training %": ["50.00 ± 0.00"],
        "validation %": ["91.99 ± 0.21"],
        "test %": ["98.77 ± 1.23"],
    }


def test_trials_that_diverged_are_counted_and_left_out_of_the_means():
    summary = results_of(accuracy=accuracy).summary
    summary["outcome"] = ["diverged", "finished", "diverged", "diverged"]
    final = aggregates.final_values(summary)
    assert (list(final["diverged"]), list(final["seeds"])) == ([1, 2], [2, 2])
    assert final["test_accuracy"][0] == 0.625
    assert math.isnan(final["test_accuracy_std"][0])
    assert math.isnan(final["test_accuracy"][1])


def test_differences_are_the_verdicts_as_rows():
    differences = results_of(GRID.replace("seeds: 2", "seeds: 7"), accuracy).differences
    assert list(differences["training.optimizer.lr"]) == [0.1, 0.5]
    assert set(differences["difference"]) == {"BRN - BN"}
    assert list(differences["mean"]) == pytest.approx([0.25, 0.25])
    assert list(differences["verdict"]) == ["BRN better"] * 2


def test_what_few_seeds_cannot_tell_is_not_a_number():
    differences = results_of(accuracy=accuracy).differences
    assert differences["low"].isna().all()
    assert differences["low"].dtype == float
    assert list(differences["more_seeds"]) == [4]


def test_without_a_comparison_the_table_is_empty():
    differences = results_of("name: one\nvariants: {only: {}}\n").differences
    assert isinstance(differences, pd.DataFrame)
    assert len(differences) == 0
    assert "verdict" in differences


def test_no_axis_of_a_grid_can_be_called_as_a_column():
    text = GRID.replace("steps: 4", "steps: 4, early_stopping: {patience: 3}")
    results = results_of(f"{text}data: {{validation: 20}}\n")
    for trial, result in results.trials:
        *_, record = Training([trial], some_digits(200, 100), engine="chainer").records()
        result.records.update(
            {name: 2 * values.tolist() for name, values in (record.values | record.diagnosis).items()}
        )
    assert "stopped" in results.diagnostics
    published = results_of(f"{GRID}published: article2/l1\n").published_values
    tables = (results.final, results.differences, results.curves, results.summary, results.diagnostics, published)
    for table in tables:
        columns = {name.removesuffix("_std") for name in table.columns} - {"training.optimizer.lr"}
        allowed = {name for name in columns if not grid.COLUMN.fullmatch(name)} - set(grid.COLUMNS)
        assert not allowed, f"an axis could be called {allowed}: write them into COLUMNS in bnrenorm/config/grid.py"
