"""Published numbers next to ours: values where the network is the same, differences elsewhere."""

import numpy as np
import pandas as pd
import pytest

from bnrenorm import config
from bnrenorm import published as published_tables
from bnrenorm.analysis import published
from bnrenorm.config import document
from bnrenorm.config.build import build
from bnrenorm.errors import InputError
from bnrenorm.published import Published

AXIS = "training.l1_decay"
PUBLISHED = Published(
    "somewhere",
    [
        {"variant": "none", AXIS: "0.1", "train_accuracy": "11.24", "test_accuracy": "11.35", "best_epoch": "1"},
        {"variant": "none", AXIS: "0.00001", "train_accuracy": "100.00", "test_accuracy": "97.92", "epochs_to_95": "2"},
        {"variant": "none", AXIS: "0.5", "best_test_accuracy": "98.20", "epochs_to_98": ""},
        {"variant": "none", AXIS: "0.25", "test_accuracy": "97.90", "best_test_accuracy": "98.20", "seconds": "229"},
    ],
    values=True,
)
ARTICLE2 = [name for name in published_tables.names() if name.startswith("article2/")]


def trials(decay, accuracies, reached=9 * (2,)):
    return [
        {
            "variant": "none", AXIS: decay, "seed": seed, "outcome": "finished", "final_train_accuracy": 1.0, "final_test_accuracy": accuracy,
            "best_test_accuracy": accuracy + 0.001, "best_epoch": 40.0, "epochs_to_95": epoch, "epochs_to_97": np.nan,
            "epochs_to_98": np.nan, "seconds": 9.0,
        }
        for seed, (accuracy, epoch) in enumerate(zip(accuracies, reached, strict=False))
    ]  # fmt: skip


def compare_values(*cells):
    return published.compare_values(PUBLISHED, pd.DataFrame([row for cell in cells for row in cell]))


def test_every_setting_is_compared_with_its_row():
    table = compare_values(
        trials(0.1, (0.1135, 0.1135, 0.098)),
        trials(1e-5, 2 * (0.978, 0.979, 0.980), 2 * (2, 3, np.nan)),
        trials(0.5, 2 * (0.9700, 0.9701, 0.9702)),
        trials(7, 2 * (0.9700, 0.9701, 0.9702)),
        trials(None, 2 * (0.9700, 0.9701, 0.9702)),
    )
    assert list(table["verdict"]) == ["both fail", "inside", "outside", "", ""]
    assert list(table["judged"]) == ["test_accuracy", "test_accuracy", "best_test_accuracy", *["test_accuracy"] * 2]
    row = table.iloc[1]
    assert row["test_accuracy"] == pytest.approx(97.9)
    assert row["epochs_to_95"] == 3  # the median, where a seed that never got there counts as later than all
    assert row["published_epochs_to_95"] == 2
    half_width = 2.570582 * np.sqrt(0.04 / 5) * np.sqrt(1 + 1 / 6)  # Student's t, 5 degrees of freedom
    assert (row["low"], row["high"]) == (pytest.approx(97.9 - half_width), pytest.approx(97.9 + half_width))
    assert published.count(table) == "of 3 published rows: 1 inside, 1 both fail, 1 outside"


def test_fewer_than_six_seeds_decide_nothing_but_a_failure():
    table = compare_values(trials(0.1, (0.098,)), trials(1e-5, (0.979,)), trials(0.5, (0.5, 0.6, 0.7, 0.8, 0.9)))
    assert list(table["verdict"]) == ["both fail", "too few seeds", "too few seeds"]
    assert list(compare_values(trials(0.1, (np.nan,)))["verdict"]) == ["both fail"]  # all diverged
    assert published.count(table) == "of 3 published rows: 1 both fail, 2 too few seeds"
    assert np.isnan(table["low"][1])
    assert 0 < table["low"][2] < table["high"][2] == 100  # no accuracy is above


def test_trials_that_diverged_are_no_measurement_and_a_cell_with_some_is_not_judged():
    rows = trials(1e-5, (0.978, 0.979, 0.980) * 2 + (0.098,))
    rows[-1]["outcome"] = "diverged"
    table = compare_values(rows)
    assert table["test_accuracy"][0] == pytest.approx(97.9)
    assert list(table["verdict"]) == ["some diverged"]
    assert table["low"][0] > 97


def test_an_interval_that_holds_every_accuracy_judges_nothing():
    assert list(compare_values(trials(1e-5, (0.1, 0.9) * 3))["verdict"]) == ["any value is inside"]


@pytest.mark.parametrize(
    ("accuracy", "word"), [(0.97923, "inside"), (0.97917, "inside"), (0.97927, "outside"), (0.97913, "outside")]
)
def test_a_printed_value_may_be_off_by_half_a_unit_of_its_last_digit(accuracy, word):
    """97.92 was printed; seeds that all agree have an interval without width."""
    assert list(compare_values(trials(1e-5, 6 * (accuracy,)))["verdict"]) == [word]


@pytest.mark.parametrize(
    ("accuracies", "word"), [(6 * (0.1135,), "both fail"), (5 * (0.098,) + (0.2,), "inside"), (6 * (0.125,), "outside")]
)
def test_ours_fail_too_only_if_every_seed_is_at_chance(accuracies, word):
    """11.35 % is what always answering the most frequent digit scores; it was printed."""
    assert list(compare_values(trials(0.1, accuracies))["verdict"]) == [word]


@pytest.mark.parametrize(
    ("overrides", "others"),
    [
        ([], 0),
        (["seeds=6", "evaluation.parameters=false", "grid.training.weight_decay=[0, 0.1, 0.3]"], 0),
        (["training.steps=2 epochs"], 7),
        (["data.path=mine/"], 7),
        (["variants.none.norm={kind: batch}"], 7),
    ],
)
def test_values_are_judged_where_all_settings_are_the_published_ones(overrides, others):
    assert len(published.other_cells(config.load("article2/l2", overrides))) == others


def test_where_final_and_best_accuracy_were_published_the_final_one_is_judged():
    (row,) = compare_values(trials(0.25, 2 * (0.978, 0.979, 0.980))).to_dict("records")
    assert (row["judged"], row["verdict"]) == ("test_accuracy", "inside")
    assert (row["best_test_accuracy"], row["published_best_test_accuracy"]) == (pytest.approx(98.0), 98.2)
    assert (row["seconds"], row["published_seconds"]) == (9, 229)


def test_ours_that_fail_where_the_published_ones_do_not_are_outside():
    assert list(compare_values(trials(1e-5, 6 * (0.098,)))["verdict"]) == ["outside"]


def test_a_cell_of_other_settings_is_shown_but_not_judged():
    summary = pd.DataFrame(trials(1e-5, 2 * (0.978, 0.979, 0.980)) + trials(0.5, 2 * (0.98, 0.981, 0.982)))
    table = published.compare_values(PUBLISHED, summary, others=range(6))
    assert list(table["verdict"]) == ["other settings", "inside"]
    assert table["published_test_accuracy"][0] == 97.92
    assert published.count(table) == "of 2 published rows: 1 inside, 1 other settings"
    assert published.count(table.assign(verdict="")) == "no row was published of these settings"
    unpublished = pd.DataFrame(trials(7, 2 * (0.978, 0.979, 0.980)))
    assert list(published.compare_values(PUBLISHED, unpublished, others=range(6))["verdict"]) == [""]


@pytest.mark.parametrize(
    ("text", "value", "equal"),
    [("0.10", 0.1, True), ("4", 4, True), ("0.1", 0.11, False), ("BN", "BN", True), ("", 0.1, False),
     ("none", 0.1, False), ("0.1", None, False), ("True", True, True)],
)  # fmt: skip
def test_settings_of_any_type_are_looked_up_in_the_table(text, value, equal):
    assert published._matches({"key": text}, {"key": value}) is equal
    assert not published._matches({"other": text}, {"key": value})


def test_a_row_of_other_axes_is_none_of_the_cell():
    """Without one of the table's axes, or with none, no row is the cell's."""
    rows = published_tables.read("article2/dropout").rows
    axes = {"model.dropout.keep_input": 1.0, "model.dropout.keep_hidden": 0.5}
    assert sum(published._matches(row, {"variant": "none", **axes}) for row in rows) == 1
    for cell in ({}, {"model.dropout.keep_input": 1.0}, {**axes, "training.l1_decay": 0.1}):
        assert not any(published._matches(row, {"variant": "none", **cell}) for row in rows)


def verdict(name, mean, low, high, word="inconclusive"):
    numbers = {"mean": mean, "low": low, "high": high}
    return {"a": "BN", "b": "BRN", "point": {"batches": name}, "verdict": word, **numbers}


def test_the_papers_differences_are_compared_with_ours_by_sign():
    table = published.compare_differences(
        published_tables.read("brn17"),
        [
            verdict("independent", 0.01, -0.01, 0.03),
            verdict("micro-batches of 4", 0.02, 0.01, 0.03, "BRN better"),
            verdict("few labels", -0.02, -0.03, -0.01, "BN better"),
            verdict("not published", 0.02, 0.01, 0.03),
        ],
    )
    assert list(table["batches"]) == ["independent", "micro-batches of 4", "few labels"]
    assert list(table["published_difference"]) == [0.2, 2.3, 11.5]
    assert (table.loc[0, "published_a"], table.loc[0, "published_b"]) == (78.3, 78.5)
    assert np.allclose(table["mean"], [1, 2, -2])
    assert list(table["agreement"]) == ["not decided here", "same direction", "opposite direction"]


@pytest.mark.parametrize("word", ["inconclusive", "equivalent", "BRN diverged", "both diverged"])
def test_without_a_winner_no_direction_is_decided(word):
    """An interval that excludes 0 may belong to a comparison that Holm's correction leaves undecided."""
    entries = [verdict("few labels", 0.02, 0.01, 0.03, word), verdict("few labels", None, None, None, word)]
    table = published.compare_differences(published_tables.read("brn17"), entries)
    assert list(table["agreement"]) == ["not decided here"] * 2
    assert np.isnan(table.loc[1, "mean"])


def test_a_published_difference_of_nothing_has_no_direction():
    rows = [{"variant": name, "batches": "x", "test_accuracy": "70"} for name in ("BN", "BRN")]
    entries = [verdict("x", 0.02, 0.01, 0.03, "BRN better"), verdict("x", -0.02, -0.03, -0.01, "BN better")]
    table = published.compare_differences(Published("x", rows, values=False), entries)
    assert list(table["agreement"]) == ["not decided here"] * 2


def test_without_a_published_pair_the_table_is_empty():
    assert published.compare_differences(published_tables.read("brn17"), [verdict("other", 0.1, 0.1, 0.1)]).empty


def test_a_variant_that_was_published_twice_has_no_difference():
    rows = [{"variant": name, "test_accuracy": value} for name, value in (("BN", "70"), ("BN", "71"), ("BRN", "72"))]
    entry = verdict("few labels", 0.1, 0.1, 0.1) | {"point": {}}
    counts = [len(published.compare_differences(Published("x", of, values=False), [entry])) for of in (rows[1:], rows)]
    assert counts == [1, 0]


def test_every_published_table_cites_its_source():
    for name in published_tables.names():
        table = published_tables.read(name)
        assert len(table.source) > 20
        assert all(None not in row and None not in row.values() for row in table.rows)


def test_the_paper_config_has_every_row_of_its_table():
    experiment = config.load("paper")
    points = {dict(point)["batches"] for point in experiment.points}
    assert {row["batches"] for row in published_tables.read(str(experiment.published)).rows} == points


@pytest.mark.parametrize("name", ARTICLE2)
def test_every_row_of_the_second_article_has_its_setting(name):
    experiment = config.load(name)
    table = published_tables.read(str(experiment.published))
    cells = [{"variant": variant, **dict(point)} for variant, point in experiment.settings]
    assert table.values
    for row in table.rows:
        assert sum(published._matches(row, cell) for cell in cells) == 1, row


def test_the_second_article_has_122_rows():
    assert sum(len(published_tables.read(name).rows) for name in ARTICLE2) == 122


def test_an_unknown_table_is_named():
    with pytest.raises(InputError, match="x.yaml:2: unknown table 'brn71'; did you mean brn17"):
        build(document.parse("name: a\npublished: brn71", "x.yaml"))
    with pytest.raises(KeyError, match="brn71"):
        published_tables.read("brn71")
