import numpy as np
import pytest

from bnrenorm.runs import checkpoint
from bnrenorm.runs.checkpoint import Checkpoint, Checkpoints
from bnrenorm.training import loop
from tests.helpers import ENGINES, experiment_of, some_digits

TEXT = """
name: a
model: {hidden: [12, 7]}
training: {batch: 10, steps: 20, optimizer: {kind: OPTIMIZER}}
evaluation: {every: 6, average: 0.9}
variants: {A: {}, B: {norm: {kind: renorm, warmup: 5, ramp_r: 5}}}
"""


def training(data, optimizer, engine):
    return loop.Training(experiment_of(TEXT.replace("OPTIMIZER", optimizer)).trials(300), data, engine=engine)


@pytest.fixture(scope="module")
def few():
    return some_digits(300, 100)


def rows(records):
    return [(r.step, {k: v.tolist() for k, v in {**r.values, **r.diagnosis}.items()}) for r in records if r is not None]


@pytest.mark.parametrize(
    ("optimizer", "stop"),
    [("momentum_sgd", 1), ("momentum_sgd", 6), ("sgd", 13), ("momentum_sgd", 13), ("adam", 13), ("rmsprop", 13)],
)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.slow
def test_a_resumed_training_ends_with_the_bits_of_an_unbroken_one(few, tmp_path, stop, optimizer, engine):
    whole = training(few, optimizer, engine)
    want = rows(list(whole))
    first, early = training(few, optimizer, engine), []
    for record in first:
        early.append(record)
        if first.step >= stop:
            break
    saved = Checkpoints(tmp_path, ["key"])
    saved.save(Checkpoint(first.state_dict(), [], 1.5))
    second = training(few, optimizer, engine)
    loaded = saved.load()
    assert loaded is not None
    second.load_state_dict(loaded.state)
    assert rows(early) + rows(list(second)) == want
    for name, value in whole.state_dict().items():
        assert (second.state_dict()[name] == value).all(), name


def save(saved, *steps):
    for step in steps:
        saved.save(Checkpoint({"step": np.array(step)}, [{"step": [1.0], "train_loss": [float("nan")]}], 2.5))


def test_the_newest_two_are_kept_and_the_newest_is_loaded(tmp_path):
    saved = Checkpoints(tmp_path, ["a", "b"])
    assert saved.load() is None
    save(saved, 5, 900, 1000)
    assert sorted(path.name for path in saved.folder.glob("step-*")) == ["step-000000900.npz", "step-000001000.npz"]
    found = saved.load()
    assert found is not None
    assert (int(found.state["step"]), found.seconds) == (1000, 2.5)
    assert np.isnan(found.records[0]["train_loss"]).all()


@pytest.mark.parametrize("damage", [b"", b"PK no archive", None])
def test_a_spoilt_checkpoint_gives_way_to_the_one_before(tmp_path, damage):
    saved = Checkpoints(tmp_path, ["a"])
    save(saved, 1, 2)
    newest = saved.folder / "step-000000002.npz"
    newest.write_bytes(newest.read_bytes()[:-200] if damage is None else damage)
    found = saved.load()
    assert found is not None
    assert int(found.state["step"]) == 1


def test_unfinished_groups_are_listed_until_they_are_discarded(tmp_path):
    one, two = Checkpoints(tmp_path, ["a", "b"]), Checkpoints(tmp_path, ["c"])
    save(one, 1)
    save(two, 1)
    assert sorted(checkpoint.unfinished(tmp_path)) == [["a", "b"], ["c"]]
    one.discard()
    assert checkpoint.unfinished(tmp_path) == [["c"]]
