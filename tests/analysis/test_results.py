"""The results of an experiment: each table once."""

from pathlib import Path

import pytest

from tests.helpers import COMPARED, results_of


def test_tables_are_those_of_the_trials_and_computed_once():
    results = results_of(accuracy=lambda trial: 0.8 if trial.variant == "BRN" else 0.7)
    assert len(results.summary) == 4
    assert len(results.curves) == len(results.diagnostics) == 8
    assert "inference_mode_accuracy" in results.diagnostics
    assert "inference_mode_accuracy" not in results.curves
    (verdict,) = results.verdicts
    assert verdict["mean"] == pytest.approx(0.1)
    assert results.summary is results.summary


def test_variants_with_equal_settings_are_identical_by_construction():
    text = COMPARED.replace("{kind: renorm, r_max: 3, d_max: 5}", "{kind: renorm, r_max: 1, d_max: 0}")
    (verdict,) = results_of(text).verdicts
    assert verdict["verdict"] == "identical by construction"


def test_without_a_published_table_there_is_none():
    results = results_of()
    assert (results.published, results.published_differences, results.published_values) == (None, None, None)


@pytest.mark.parametrize(
    ("published", "grid", "differences", "values"),
    [
        ("brn17", "batches: {independent: {}, few labels: {training: {batch: 10}}}", 2, None),
        ("article2/normalisation", "training.optimizer.lr: [0.1, 0.5]", None, 4),
    ],
)
def test_a_published_table_compares_differences_or_values(published, grid, differences, values):
    results = results_of(f"{COMPARED}published: {published}\ngrid: {{{grid}}}\n")
    for table, rows in ((results.published_differences, differences), (results.published_values, values)):
        assert table is None if rows is None else len(table) == rows


def test_a_notebook_shows_results_in_one_line():
    assert repr(results_of()) == f"ExperimentResults(device='cpu', folder={Path('nowhere')!r})"
