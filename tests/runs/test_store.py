import json
import math

import numpy as np
import pytest

from bnrenorm import config
from bnrenorm.errors import InputError
from bnrenorm.runs.store import Store
from bnrenorm.training.records import CURVES, TrialResults

PROVENANCE = {"engine": "cpu", "device": "cpu", "gpu": None, "threads": 2, "versions": {"numpy": "2.0"}}


@pytest.fixture
def trial():
    return config.load("quick").trials(1000)[0]


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path)
    store.prepare()
    return store


def result(parameters=None, **changes):
    records = {name: [1.0, 2.0] for name in ("step", *CURVES[:4])} | changes
    return TrialResults("diverged", 3.5, records, PROVENANCE, parameters or {})


def test_what_is_written_is_read_back_with_nan_and_infinity(store, trial):
    store.write("key", trial, "sum", result(train_loss=[0.1, math.nan], test_loss=[math.inf, -math.inf]))
    found = store.read("key")
    assert found is not None
    assert (found.outcome, found.seconds, found.provenance) == ("diverged", 3.5, PROVENANCE)
    assert found.records["train_loss"][0] == 0.1
    assert math.isnan(found.records["train_loss"][1])
    assert found.records["test_loss"] == [math.inf, -math.inf]


def test_the_file_is_strict_json_that_tells_what_was_trained(store, trial):
    store.write("key", trial, "sum", result(train_loss=[0.1, math.nan]))

    def refuse(constant):
        raise AssertionError(constant)

    content = json.loads((store.trials / "key.json").read_text(), parse_constant=refuse)
    assert content["settings"]["model"]["hidden"] == [50]
    assert (content["seed"], content["data"]) == (0, "sum")
    assert content["provenance"] == PROVENANCE


@pytest.mark.parametrize("damage", ["", "{", '{"outcome": "finished"}', "[]", '{"records": 3}'])
def test_a_damaged_file_counts_as_missing(store, damage):
    assert store.read("key") is None
    (store.trials / "key.json").write_text(damage)
    assert store.read("key") is None


@pytest.mark.parametrize("damage", [b"", b"PK no archive", None])
def test_parameters_are_read_back_and_a_spoilt_file_of_them_counts_as_missing(store, damage):
    (trial, *_) = config.load("quick", ["evaluation.parameters=true"]).trials(1000)
    weights = {"linears/0/W": np.arange(6, dtype=np.float32).reshape(2, 3)}
    store.write("key", trial, "sum", result(weights))
    found = store.read("key")
    assert found is not None
    assert found.parameters.keys() == weights.keys()
    assert (found.parameters["linears/0/W"] == weights["linears/0/W"]).all()
    spoilt = store.trials / "key.npz"
    if damage is None:
        spoilt.unlink()
    else:
        spoilt.write_bytes(damage)
    assert store.has("key")
    assert store.read("key") is None
    store.forget("key")
    assert not store.has("key")
    assert not list(store.trials.iterdir())


def test_parameters_are_written_before_the_file_that_says_the_trial_is_finished(store, monkeypatch):
    from bnrenorm import atomic

    (trial, *_) = config.load("quick", ["evaluation.parameters=true"]).trials(1000)
    written, real = [], atomic.write
    monkeypatch.setattr(atomic, "write", lambda path, content: written.append(path.suffix) or real(path, content))
    store.write("key", trial, "sum", result({"linears/0/W": np.zeros(3, np.float32)}))
    assert written == [".npz", ".json"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="--out .*file: cannot be written"):
        Store(tmp_path / "file").prepare()
