import json
import math

import pytest

from bnrenorm import config
from bnrenorm.errors import InputError
from bnrenorm.runs.store import CURVES, Result, Store


@pytest.fixture
def trial():
    return config.load("quick").trials(1000)[0]


def result(**changes):
    records = {name: [1.0, 2.0] for name in ("step", *CURVES[:4])} | changes
    return Result("diverged", 3.5, "cpu", records)


def test_what_is_written_is_read_back_with_nan_and_infinity(tmp_path, trial):
    store = Store(tmp_path)
    store.prepare()
    store.write("key", trial, "sum", result(train_loss=[0.1, math.nan], test_loss=[math.inf, -math.inf]))
    found = store.read("key")
    assert found is not None
    assert (found.outcome, found.seconds, found.device) == ("diverged", 3.5, "cpu")
    assert found.records["train_loss"][0] == 0.1
    assert math.isnan(found.records["train_loss"][1])
    assert found.records["test_loss"] == [math.inf, -math.inf]


def test_the_file_is_strict_json_that_tells_what_was_trained(tmp_path, trial):
    store = Store(tmp_path)
    store.prepare()
    store.write("key", trial, "sum", result(train_loss=[0.1, math.nan]))

    def refuse(constant):
        raise AssertionError(constant)

    content = json.loads((tmp_path / "trials/key.json").read_text(), parse_constant=refuse)
    assert content["settings"]["model"]["hidden"] == [50]
    assert (content["seed"], content["data"]) == (0, "sum")


@pytest.mark.parametrize("damage", ["", "{", '{"outcome": "finished"}', "[]", '{"records": 3}'])
def test_a_damaged_file_counts_as_missing(tmp_path, damage):
    store = Store(tmp_path)
    store.prepare()
    assert store.read("key") is None
    (tmp_path / "trials/key.json").write_text(damage)
    assert store.read("key") is None


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="--out .*file: cannot be written"):
        Store(tmp_path / "file").prepare()
