import numpy as np
import pytest

from bnrenorm import config, published
from bnrenorm.analysis import directions
from bnrenorm.config import document
from bnrenorm.config.experiment import build
from bnrenorm.errors import InputError


def verdict(name, mean, low, high):
    return {"a": "BN", "b": "BRN", "point": {"batches": name}, "mean": mean, "low": low, "high": high}


def test_the_papers_differences_stand_beside_ours_with_their_signs():
    found = directions.compare(
        published.read("brn17"),
        [
            verdict("independent", 0.01, -0.01, 0.03),
            verdict("micro-batches of 4", 0.02, 0.01, 0.03),
            verdict("few labels", -0.02, -0.03, -0.01),
            verdict("unheard of", 0.02, 0.01, 0.03),
        ],
    )
    assert list(found["published_difference"]) == [0.2, 2.3, 11.5]
    assert np.allclose(found["mean"], [1, 2, -2])
    assert list(found["agreement"]) == ["not decided here", "same direction", "opposite direction"]


def test_without_an_interval_nothing_is_decided():
    (row,) = directions.compare(published.read("brn17"), [verdict("independent", 0.01, None, None)]).to_dict("records")
    assert row["agreement"] == "not decided here"


def test_every_published_table_says_where_it_is_from():
    for name in published.names():
        table = published.read(name)
        assert len(table.source) > 20
        assert all(None not in row and None not in row.values() for row in table.rows)


def test_the_paper_config_has_every_row_of_its_table():
    experiment = config.load("paper")
    points = {dict(point)["batches"] for point in experiment.points}
    assert {row["batches"] for row in published.read(experiment.published).rows} == points


def test_a_table_that_is_not_there_is_named():
    with pytest.raises(InputError, match="x.yaml:2: unknown table 'brn71'; did you mean brn17"):
        build(document.parse("name: a\npublished: brn71", "x.yaml"))
