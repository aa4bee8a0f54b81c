"""The table of published values beside ours."""

import numpy as np
import pandas as pd
import pytest

from bnrenorm.analysis.report import printed
from tests.analysis.report.runs import PUBLISHED, results


def test_published_values_stand_beside_ours():
    made = results(PUBLISHED)
    table = printed.table(made)
    assert [column.name for column in table.columns] == [
        "variant", "training.l1_decay", "seeds", "test accuracy %, ours", "published", "best test accuracy %, ours",
        "published", "training accuracy %, ours", "published", "one more seed from", "to", "published value is",
    ]  # fmt: skip
    frame = made.published_values
    assert [row[:3] for row in table.rows] == [["none", 0.1, 2], ["none", 0.01, 2]]
    names = [f"{of}{name}_accuracy" for name in ("test", "best_test", "train") for of in ("", "published_")]
    ours = np.array([row[3:-1] for row in table.rows], float)
    np.testing.assert_array_equal(ours, frame[[*names, "low", "high"]].to_numpy())
    assert [row[4] for row in table.rows] == [11.35, 84.46]
    assert [row[-1] for row in table.rows] == list(frame["verdict"])
    assert table.note.startswith(made.published.source.rstrip("."))


def test_one_seed_has_no_prediction_interval():
    names = [column.name for column in printed.table(results(PUBLISHED.replace("seeds: 2", "seeds: 1"))).columns]
    assert "to" not in names


def test_what_was_not_published_has_no_row():
    table = printed.table(results(PUBLISHED.replace("[0.1, 0.01]", "[0.1, 0.3]")))
    assert [row[1] for row in table.rows] == [0.1]


@pytest.mark.parametrize("axes", [[], ["training.micro_batch"]])
def test_published_differences_stand_beside_ours(axes):
    made = results(PUBLISHED)
    row = {"a": "BN", "b": "BRN", "published_a": 76.0, "published_b": 76.5, "published_difference": 0.5}
    row |= {"mean": 1.5, "low": 1.0, "high": np.nan, "agreement": "same direction"}
    vars(made)["published_values"] = None  # these two are cached properties
    vars(made)["published_differences"] = pd.DataFrame([dict.fromkeys(axes, "4") | row])
    table = printed.table(made)
    assert [column.name for column in table.columns] == [
        "variant", "against", *axes, "published difference (points)", "our difference (points)", "low (points)",
        "high (points)", "agreement",
    ]  # fmt: skip
    assert table.rows == [["BRN", "BN", *["4"] * len(axes), 0.5, 1.5, 1.0, None, "same direction"]]


def test_a_run_without_a_published_table_has_none():
    assert printed.table(results(PUBLISHED.replace("published: article2/l1\n", ""))) is None
