import json
import os
from unittest.mock import ANY

import numpy as np
import pytest

from bnrenorm import disk
from bnrenorm.runs import checkpoint, sealed
from bnrenorm.runs.checkpoint import Checkpoint, Checkpoints
from bnrenorm.training import loop
from bnrenorm.training.records import CURVES
from tests.helpers import ENGINES, experiment_of, some_digits

KEYS = [f"{number:016x}" for number in range(4)]
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
    saved = Checkpoints(tmp_path, [KEYS[0]])
    saved.save(Checkpoint(first.state_dict(), [{}], 1.5))
    second = training(few, optimizer, engine)
    assert saved.resume(second.load_state_dict) == (ANY, [])
    assert rows(early) + rows(list(second)) == want
    for name, value in whole.state_dict().items():
        assert (second.state_dict()[name] == value).all(), name


def columns_of(loss):
    return {name: [1.0] for name in ("step", "epoch", *CURVES[:4])} | {"train_loss": [float(loss)]}


def save(saved, *steps):
    for step in steps:
        columns = columns_of("nan")
        saved.save(Checkpoint({"step": np.array(step)}, [columns] * len(saved.keys), 2.5))


def resumed(saved):
    """Return the step that a resume starts from, 0 if from the start, and how many files are of no use."""
    last, useless = saved.resume(lambda state: None)
    return int(last.state["step"]) if last else 0, len(useless)


def test_the_newest_two_are_kept_and_the_newest_is_loaded(tmp_path):
    saved = Checkpoints(tmp_path, KEYS[:2])
    assert resumed(saved) == (0, 0)
    save(saved, 5, 900, 1000)
    assert sorted(path.name.partition(".")[2] for path in tmp_path.iterdir()) == [
        f"step-{step:012}.{kind}" for step in (900, 1000) for kind in ("json", "npz")
    ]
    last, _ = saved.resume(lambda state: None)
    assert (int(last.state["step"]), last.seconds) == (1000, 2.5)
    assert np.isnan(last.records[0]["train_loss"]).all()


def newest(saved, kind):
    return max(saved.root.glob(f"{saved.group}.*.{kind}"))


def sealed_with(**changes):
    def damage(saved):
        path = newest(saved, "json")
        content = sealed.read(path)
        sealed.write(path, {**content, **changes}, {})

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda saved: newest(saved, "json").write_bytes(b""),
        lambda saved: newest(saved, "json").unlink(),
        lambda saved: newest(saved, "npz").unlink(),
        lambda saved: newest(saved, "npz").write_bytes(b"PK no archive"),
        lambda saved: os.truncate(newest(saved, "npz"), 200),
        sealed_with(keys=KEYS[2:]),
        sealed_with(keys=["../../etc"] * 2),
        sealed_with(records=[]),
        sealed_with(records=[{"step": [1, 2]}] * 2),
        sealed_with(records="x"),
        sealed_with(seconds="long"),
        sealed_with(seconds="inf"),
    ],
)
def test_a_checkpoint_that_is_not_as_it_was_written_gives_way_to_the_one_before(tmp_path, damage):
    saved = Checkpoints(tmp_path, KEYS[:2])
    save(saved, 1, 2)
    damage(saved)
    is_there = newest(saved, "json").name.endswith("2.json")
    assert resumed(saved) == (1, is_there), "a file that is not there is no fault"
    assert newest(saved, "json").name.endswith("1.json"), "and one that is of no use goes"


def test_a_checkpoint_that_the_training_does_not_take_gives_way_to_the_one_before(tmp_path):
    saved = Checkpoints(tmp_path, KEYS[:2])
    save(saved, 1, 2)

    def load(state):
        if state["step"] == 2:
            raise ValueError

    last, useless = saved.resume(load)
    assert last.state["step"] == 1
    assert [path.name.partition(".")[2] for path in useless] == ["step-000000000002.json"]


def test_a_part_of_a_group_goes_on_from_the_groups_newest_checkpoint_or_its_own(tmp_path, monkeypatch):
    def state(step, keys):
        return {"step": np.array(step), "/linears/0/W": np.array([[int(key, 16)] for key in keys])}

    whole, other = Checkpoints(tmp_path, KEYS), Checkpoints(tmp_path, KEYS[1:])
    for saved, step in ((whole, 1), (whole, 3), (other, 2)):
        columns = [columns_of(int(key, 16)) for key in saved.keys]
        saved.save(Checkpoint(state(step, saved.keys), columns, 8.0))
    part = Checkpoints(tmp_path, [KEYS[3], KEYS[1]])
    last, useless = part.resume(lambda state: None)
    assert (int(last.state["step"]), last.seconds, useless) == (3, 4.0, [])
    assert last.state["/linears/0/W"].tolist() == [[3], [1]]
    assert [columns["train_loss"] for columns in last.records] == [[3], [1]]
    part.save(Checkpoint(state(1, part.keys), [columns_of(0)] * 2, 1.0))
    assert resumed(Checkpoints(tmp_path, [KEYS[0], "f" * 16])) == (0, 0)
    monkeypatch.setattr(checkpoint, "_heads", lambda root: pytest.fail("no other group's files are read"))
    assert resumed(part) == (1, 0)


def test_unfinished_groups_are_listed_until_they_are_discarded(tmp_path):
    one, two = Checkpoints(tmp_path, KEYS[:2]), Checkpoints(tmp_path, KEYS[2:])
    save(one, 1, 2)
    save(two, 1)
    assert sorted(checkpoint.unfinished(tmp_path)) == [KEYS[:2], KEYS[2:]]
    (tmp_path / f"{one.group}.step-3.npz").touch()  # half of one, left by a kill
    one.discard()
    assert {path.name.partition(".")[0] for path in tmp_path.iterdir()} == {two.group}
    assert checkpoint.unfinished(tmp_path) == [KEYS[2:]]
    assert resumed(two) == (1, 0)


def test_a_group_that_two_commands_train_loses_nothing_if_one_of_them_is_ready_first(tmp_path):
    mine, theirs = Checkpoints(tmp_path, KEYS[:2]), Checkpoints(tmp_path, KEYS[:2])
    save(mine, 1)
    save(theirs, 1, 2, 3)
    save(mine, 2)  # older than the two newest: theirs serve as well
    assert resumed(mine) == (3, 0)
    theirs.discard()
    save(mine, 3)
    assert resumed(mine) == (3, 0)
    mine.discard()
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fails_costs_no_checkpoint(tmp_path, monkeypatch):
    saved, real = Checkpoints(tmp_path, KEYS[:2]), sealed.read
    save(saved, 1, 2)
    failing, files = newest(saved, "json"), set(tmp_path.iterdir())

    def read(path):
        if path == failing:
            raise OSError("Input/output error")
        return real(path)

    monkeypatch.setattr(sealed, "read", read)
    assert resumed(saved) == (1, 1)
    checkpoint.sweep(tmp_path, lambda key: False)
    assert set(tmp_path.iterdir()) == files
    monkeypatch.setattr(disk, "delete", lambda path: read(failing))
    save(saved, 3, 4)
    assert resumed(saved) == (4, 0)


def test_a_run_has_the_checkpoints_of_groups_that_are_its_own_entirely(tmp_path):
    own, shared = Checkpoints(tmp_path, KEYS[:2]), Checkpoints(tmp_path, KEYS[1:3])
    save(own, 1)
    save(shared, 1)
    newest(shared, "json").with_name("damaged.step-1.json").write_text("{")
    assert checkpoint.of(tmp_path, KEYS[:2]) == [newest(own, "json")]


def test_a_damaged_checkpoint_of_another_group_is_not_remarked(tmp_path):
    whole = Checkpoints(tmp_path, KEYS)
    save(whole, 1)
    newest(whole, "npz").write_bytes(b"")
    assert resumed(Checkpoints(tmp_path, KEYS[:2])) == (0, 0)


def test_what_kills_have_left_is_swept(tmp_path):
    """Checkpoints of stored trials, damaged ones, and arrays without their .json file once they are a day old."""
    finished, under_way = Checkpoints(tmp_path, KEYS[:2]), Checkpoints(tmp_path, KEYS[1:3])
    save(finished, 1, 2)
    save(under_way, 1, 2)
    kept = {*tmp_path.glob(f"{under_way.group}*")}
    for name in ("young", "old"):
        (tmp_path / f"{name}.step-1.npz").touch()
    os.utime(tmp_path / "old.step-1.npz", (0, 0))
    (tmp_path / "damaged.step-1.json").write_text("{")
    checkpoint.sweep(tmp_path, {KEYS[0], KEYS[1]}.__contains__)
    assert {*tmp_path.iterdir()} == kept | {tmp_path / "young.step-1.npz"}


@pytest.mark.parametrize("name", ["x", "x.step-1.json", "x.step-1.npz"])
def test_links_among_the_checkpoints_are_neither_followed_nor_written_through(tmp_path, name):
    """A folder of somebody else's, as a link whose name is a group's, has been emptied by this once."""
    others, root = tmp_path / "others", tmp_path / "checkpoints"
    others.mkdir()
    root.mkdir()
    (others / "precious").write_text("precious")
    (others / "trials.json").write_text(json.dumps(KEYS[:2]))
    saved = Checkpoints(root, KEYS[:2])
    target = others if name == "x" else others / "precious"
    (root / name.replace("x", saved.group)).symlink_to(target)
    checkpoint.sweep(root, lambda key: True)
    save(saved, 1)
    assert resumed(saved) == (1, 0)
    saved.discard()
    checkpoint.sweep(root, lambda key: True)
    assert (others / "precious").read_text() == "precious"
    assert len(list(others.iterdir())) == 2
