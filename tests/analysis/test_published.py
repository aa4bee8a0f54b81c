"""Published values beside ours, where the network is the same."""

import numpy as np
import pandas as pd
import pytest

from bnrenorm import config, published
from bnrenorm.analysis import published
from bnrenorm.published import Published

AXIS = "training.l1_decay"
PUBLISHED = Published(
    "somewhere",
    [
        {"variant": "none", AXIS: "0.1", "train_accuracy": "11.24", "test_accuracy": "11.35", "best_epoch": "1"},
        {"variant": "none", AXIS: "0.00001", "train_accuracy": "100.00", "test_accuracy": "97.92", "epochs_to_95": "2"},
        {"variant": "none", AXIS: "0.5", "best_test_accuracy": "98.20", "epochs_to_98": ""},
    ],
    values=True,
)


def trials(decay, accuracies, reached=(2, 2, 2)):
    return [
        {
            "variant": "none", AXIS: decay, "seed": seed, "final_train_accuracy": 1.0, "final_test_accuracy": accuracy,
            "best_test_accuracy": accuracy + 0.001, "best_epoch": 40.0, "epochs_to_95": epoch, "epochs_to_97": np.nan,
            "epochs_to_98": np.nan, "seconds": 9.0,
        }
        for seed, (accuracy, epoch) in enumerate(zip(accuracies, reached, strict=False))
    ]  # fmt: skip


def compared(*rows):
    return published.compare(PUBLISHED, pd.DataFrame([row for group in rows for row in group]))


def test_every_setting_finds_its_row_and_its_verdict():
    found = compared(
        trials(0.1, (0.1135, 0.1135, 0.098)),
        trials(1e-5, (0.978, 0.979, 0.980), (2, 3, np.nan)),
        trials(0.5, (0.9700, 0.9701, 0.9702)),
        trials(7, (0.9700, 0.9701, 0.9702)),
    )
    assert list(found["verdict"]) == ["both fail", "inside", "outside", ""]
    assert list(found["judged"]) == ["test_accuracy", "test_accuracy", "best_test_accuracy", "test_accuracy"]
    row = found.iloc[1]
    assert row["test_accuracy"] == pytest.approx(97.9)
    assert row["epochs_to_95"] == 3  # the median, where a seed that never got there counts as later than all
    assert row["published_epochs_to_95"] == 2
    reach = 4.302653 * 0.1 * np.sqrt(1 + 1 / 3)  # Student's t, 2 degrees of freedom
    assert (row["low"], row["high"]) == (pytest.approx(97.9 - reach), pytest.approx(97.9 + reach))
    assert published.count(found) == "of 3 published rows: 1 inside, 1 both fail, 1 outside"


def test_a_single_seed_decides_nothing_but_a_collapse():
    found = compared(trials(0.1, (0.098,)), trials(1e-5, (0.979,)))
    assert list(found["verdict"]) == ["both fail", "one seed"]


@pytest.mark.parametrize("name", [name for name in published.names() if name.startswith("article2/")])
def test_every_published_row_has_its_setting(name):
    experiment = config.load(name)
    table = published.read(str(experiment.published))
    cells = [{"variant": variant, **dict(point)} for variant, point in experiment.settings]
    assert table.values
    for row in table.rows:
        assert sum(published._matches(row, cell) for cell in cells) == 1, row


def test_there_are_122_published_rows():
    assert sum(len(published.read(name).rows) for name in published.names() if name.startswith("article2/")) == 122
