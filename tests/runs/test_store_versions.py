"""Stored trials of this version of bnrenorm and of others."""

import pytest

from bnrenorm import config
from bnrenorm.runs import sealed
from bnrenorm.runs.store import Store
from bnrenorm.training.records import CURVES, TrialResults


@pytest.mark.parametrize("engine", ["cpu", "cuda-tf32", "chainer"])
@pytest.mark.parametrize("device", ["cpu", "cuda:1"])
def test_the_key_of_this_version_is_known_of_what_is_stored(tmp_path, engine, device):
    store, trial = Store(tmp_path), config.load("quick").trials(1000)[0]
    store.prepare()
    key = trial.key("d" * 64, f"{engine} on {device.partition(':')[0]}")
    provenance = {"engine": engine, "device": device, "date": "2026"}
    made = TrialResults("diverged", 3.5, {name: [1.0, 2.0] for name in ("step", "epoch", *CURVES[:4])}, provenance)
    store.write(key, trial, "d" * 64, made)
    assert store.current_key(key) == key
    content = sealed.read(store.path(key))
    older = {name: value for name, value in content.items() if name not in ("settings", "arrays")}
    sealed.write(store.path(key), older, {})
    assert store.current_key(key) == ""
    store.path(key).write_text("{}")
    assert store.current_key(key) is None
