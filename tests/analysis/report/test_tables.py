"""The report's tables: exact cells, what is shown of them, and the settings that differ."""

import math

import pandas as pd
import pytest

from bnrenorm.analysis.report import tables
from bnrenorm.analysis.report.tables import Column, Table, text
from tests.analysis.report.runs import TEXT, results


@pytest.mark.parametrize(
    ("cell", "digits", "shown"),
    [
        (None, 2, ""),
        (91.9876, 2, "91.99"),
        (0.0, 2, "0.00"),
        (1.5e14, 2, "1.50e14"),
        (1.5e14, -4, "1.50e14"),
        (788234.5, -4, "788200"),
        (0.31412345, -4, "0.3141"),
        (2e-5, -3, "2.00e-5"),
        (2.125, -3, "2.13"),  # ties go away from 0, as the page's script rounds them
        (-1_125_000.0, 2, "-1.13e6"),
        (math.nan, 2, "NaN"),
        (math.inf, -4, "∞"),
        (-math.inf, -4, "-∞"),
        (12, None, "12"),
        (2.0, None, "2"),  # of a grid's axis that has null, too
        (1e-5, None, "1e-05"),
        ("diverged", 2, "diverged"),
    ],
)
def test_what_is_shown_of_a_cell(cell, digits, shown):
    assert text(cell, digits) == shown


def test_the_page_holds_the_first_rows_and_the_data_all():
    table = Table("t", "T", [Column("n"), Column("x", 1)], [[i, i / 8] for i in range(tables.PAGE + 5)])
    assert len(table.page()) == tables.PAGE
    assert table.page()[3] == ["3", "0.4"]
    assert len(table.data()["rows"]) == tables.PAGE + 5
    assert table.data()["rows"][3] == [3, 0.375]


def test_numbers_that_json_lacks_are_text():
    table = Table("t", "T", [Column("x", 1)], [[math.nan], [math.inf], [-math.inf], [None]])
    assert table.data()["rows"] == [["nan"], ["inf"], ["-inf"], [None]]


def test_a_row_per_comparison_has_its_difference_in_points_and_both_ps():
    entries = results(diverged=[("BRN", 0)]).verdicts
    table = tables.verdicts(entries)
    heads = [column.name for column in table.columns]
    assert len({entry[name] for entry in entries for name in ("p", "p_holm")}) == 3, "None and two others"
    for row, entry in zip(table.rows, entries, strict=True):
        cells = dict(zip(heads, row, strict=True))
        for name, heading in (("mean", "difference"), ("low", "low"), ("high", "high")):
            assert cells[f"{heading} (points)"] == (None if entry[name] is None else 100 * entry[name])
        of = {
            "variant": "b",
            "against": "a",
            "p": "p",
            "p after Holm": "p_holm",
            "pairs": "pairs",
            "verdict": "verdict",
        }
        assert {heading: cells[heading] for heading in of} == {heading: entry[name] for heading, name in of.items()}
        assert cells["diverged"] == ("BRN 1 of 6 (p = 1)" if "BRN" in (entry["a"], entry["b"]) else "")
        assert cells["more seeds needed"] == (entry["more_seeds"] or None)
    assert table.note.endswith("over 3 comparisons; intervals, and with them “equivalent”, are not corrected.")


def test_the_p_of_six_seeds_is_shown_whole():
    """Rounded to three digits, a tie, it would be 0.0313 here and 0.0312 in the sentence."""
    entries = [entry | {"p": 2 / 2**6, "p_holm": 3 * 2 / 2**6} for entry in results().verdicts]
    table = tables.verdicts(entries)
    shown = dict(zip([column.name for column in table.columns], table.page()[0], strict=True))
    assert (shown["p"], shown["p after Holm"]) == ("0.03125", "0.09375")


def test_a_row_per_variant_has_means_over_the_seeds_that_finished():
    made = results(f"{TEXT}grid: {{training.optimizer.lr: [0.1, 0.5]}}\n", diverged=[("BN", 2)])
    table = tables.variants(made.summary, ["training.optimizer.lr"], "Losses: nats.")
    assert table.note == "Means ± standard deviations over the seeds that finished. Losses: nats."
    heads = [column.name for column in table.columns]
    assert [row[:2] for row in table.rows] == [[name, lr] for name in ("none", "BN", "BRN") for lr in (0.1, 0.5)]
    for row in table.rows:
        cells = dict(zip(heads, row, strict=True))
        of = made.summary[
            (made.summary.variant == cells["variant"]) & (made.summary["training.optimizer.lr"] == row[1])
        ]
        of = of[of.outcome == "finished"]
        assert cells["finished"] == len(of) == (5 if cells["variant"] == "BN" else 6)
        assert cells["diverged"] == 6 - len(of)
        assert cells["test accuracy %"] == pytest.approx(100 * of.final_test_accuracy.mean(), rel=1e-12)
        assert cells["± test accuracy %"] == pytest.approx(100 * of.final_test_accuracy.std(ddof=1), rel=1e-9)


def test_a_row_per_trial_has_its_final_values():
    made = results(diverged=[("BRN", 0)])
    table = tables.trials(made.summary, [], [1] * len(made.trials))
    heads = [column.name for column in table.columns]
    assert len(table.rows) == 18
    by_seed = {tuple(row[:2]): dict(zip(heads, row, strict=True)) for row in table.rows}
    assert by_seed["BRN", 0]["outcome"] == "diverged"
    assert math.isnan(by_seed["BRN", 0]["test loss"])
    want = made.summary.set_index(["variant", "seed"]).loc[("BN", 3), "final_test_accuracy"]
    assert by_seed["BN", 3]["test accuracy %"] == 100 * want


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (True, "true"), (False, "false"), (None, None), (4, 4), (0.5, 0.5), (math.nan, None), ("x", "x"),
        ((20,), "[20]"), ([20, 10], "[20, 10]"),
    ],
)  # fmt: skip
def test_values_are_numbers_or_text(value, cell):
    assert repr(tables.cell_of(value)) == repr(cell)


def test_values_of_an_axis_are_written_as_in_a_config():
    made = results(f"{TEXT.replace('steps: 8', 'steps: 8, batch: 8')}grid: {{training.micro_batch: [2, null]}}\n")
    axes = ["training.micro_batch"]
    variants, trials = tables.variants(made.summary, axes, ""), tables.trials(made.summary, axes, [1] * 36)
    for table, place in ((tables.verdicts(made.verdicts), 2), (variants, 1), (trials, 1)):
        assert {row[place] for row in table.rows} == {2, "null"}
        assert {row[place] for row in table.page()} == {"2", "null"}


def test_what_is_identical_by_construction_has_no_p():
    entries = results().verdicts
    same = [entry | {"verdict": "identical by construction", "p": 1.0, "p_holm": 1.0} for entry in entries]
    table = tables.verdicts(same)
    places = [i for i, column in enumerate(table.columns) if column.name in ("p", "p after Holm")]
    assert {row[i] for row in table.rows for i in places} == {None}
    assert "Holm" not in table.note
    assert "sign-flip test" in tables.verdicts(entries).note


def test_units_and_digits_of_what_is_shown():
    one = {
        "variant": "BN", "lr": 0.1, "seed": 0, "outcome": "finished", "final_train_loss": 0.0123456, "best_train_loss": 0.001,
        "final_train_accuracy": 1.0, "best_train_accuracy": 1.0, "final_test_loss": 0.123456, "best_test_loss": 0.1,
        "final_test_accuracy": 0.98765, "best_test_accuracy": 0.9912, "final_validation_accuracy": 0.9876,
        "best_epoch": 12.3456, "seconds": 7.77, "engine": "cpu", "device": "cuda:0",
    }  # fmt: skip
    summary = pd.DataFrame([one, one | {"seed": 1, "final_test_accuracy": 0.9776, "seconds": 70.0}])
    trials = tables.trials(summary, ["lr"], [2, 1])
    assert trials.page() == [
        ["BN", "0.1", "0", "finished", "98.77", "99.12", "98.76", "100.00", "0.1235", "0.01235", "12.3", "7.8",
         "cpu", "cuda:0", "2"],
        ["BN", "0.1", "1", "finished", "97.76", "99.12", "98.76", "100.00", "0.1235", "0.01235", "12.3", "70.0",
         "cpu", "cuda:0", "1"],
    ]  # fmt: skip
    variants = tables.variants(summary, ["lr"], "")
    assert [column.name for column in variants.columns[:6]] == [
        "variant", "lr", "finished", "diverged", "test accuracy %", "± test accuracy %"
    ]  # fmt: skip
    (row,) = variants.page()
    assert row == ["BN", "0.1", "2", "0", "98.26", "0.71", "98.76", "0.00", "100.00", "0.00", "0.1235", "0",
                   "0.01235", "0", "38.9", "44.0"]  # fmt: skip


def test_comparisons_of_a_grid_name_their_points_and_count_the_family():
    entries = results(f"{TEXT.replace('seeds: 6', 'seeds: 7')}grid: {{training.optimizer.lr: [0.1, 0.5]}}\n").verdicts
    table = tables.verdicts(entries)
    assert [row[:3] for row in table.rows] == [
        [b, a, lr] for lr in (0.1, 0.5) for a, b in (("none", "BN"), ("none", "BRN"), ("BN", "BRN"))
    ]
    shown = dict(zip([column.name for column in table.columns], table.page()[1], strict=True))
    for heading, name in (("difference", "mean"), ("low", "low"), ("high", "high")):
        assert shown[f"{heading} (points)"] == f"{100 * entries[1][name]:.2f}"
    assert tables.verdicts([entry | {"comparisons": 5} for entry in entries]).note.endswith(
        "over 5 comparisons; intervals, and with them “equivalent”, are not corrected."
    )


def test_settings_are_listed_where_they_differ():
    table = tables.settings({"A": {"x": {"y": 1, "z": None}}, "B": {"x": {"y": 2, "z": None}, "w": True}}, "s", "S", "")
    assert [column.name for column in table.columns] == ["setting", "A", "B"]
    assert table.rows == [["x.y", "1", "2"], ["w", "", "true"]]
