import json
import re
from collections import Counter

import pytest

from bnrenorm.config import limits
from bnrenorm.engines.backend import Backend
from bnrenorm.errors import InputError
from bnrenorm.runs import merging, shard
from bnrenorm.runs.plan import trial_keys
from bnrenorm.runs.session import Session, Watcher
from bnrenorm.runs.shard import Shard
from bnrenorm.runs.store import Store
from tests.helpers import COMPARED, experiment_of, some_digits

MANY = """
name: many
variants: {none: {norm: {kind: none}}, BN: {norm: {kind: batch}}, again: {norm: {kind: batch}}}
seeds: 10
"""
BACKEND = Backend("chainer", "cpu")


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "-1/2", "1/0", "1/2/3", "a/b", "1.0/2", " 1/2", "1/1000000"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(InputError, match=f"--shard {re.escape(text)}: expected I/N with I from 1 to N, such as 2/8"):
        shard.parse(text)


def test_the_largest_shard_is_that_of_the_largest_experiment():
    assert shard.parse(f"{limits.TRIALS}/{limits.TRIALS}") == Shard(limits.TRIALS, limits.TRIALS)


def test_each_structure_is_dealt_out_evenly_and_trials_with_one_key_are_one(few):
    keys = trial_keys(experiment_of(MANY), few, BACKEND)
    for number in (1, 2, 3, 4):
        part = Shard(number, 4).keys(keys)
        counts = Counter(trial.variant for trial in part)
        assert set(counts) == {"none", "BN", "again"}
        assert counts["BN"] == counts["again"]  # which share their keys
        assert len(set(part.values())) == 5


def numbers(store):
    return {key: store.read(key).records for key in store.finished()}


@pytest.fixture
def run(few, tmp_path):
    def run(out, *part):
        options = {"memory": 2**30, "load": lambda settings: few}
        if part:
            return Session(experiment_of(COMPARED), BACKEND, tmp_path / out, shard=Shard(*part), **options).train()
        with Session(experiment_of(COMPARED), BACKEND, tmp_path / out, **options).run() as outcome:
            return outcome

    return run


def test_shards_train_everything_once_and_leave_no_run_folder(run, tmp_path):
    run("whole")
    assert [run("parts", number, 3) for number in (1, 2, 3)] == [(2, ()), (1, ()), (1, ())]
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["checkpoints", "trials"]
    assert numbers(Store(tmp_path / "parts")) == numbers(Store(tmp_path / "whole"))


def test_a_shard_is_the_same_part_whatever_is_stored(run, tmp_path):
    run("parts", 2, 3)
    first = numbers(Store(tmp_path / "parts"))
    run("whole")
    run("whole", 2, 3)
    run("parts", 2, 3)
    assert numbers(Store(tmp_path / "parts")) == first


def test_folders_are_merged_and_their_runs_told(run, tmp_path):
    whole = run("whole")
    for number in (1, 2):
        run(f"part{number}", number, 2)
    target = Store(tmp_path / "merged")
    merged = merging.merge([Store(tmp_path / "part1"), Store(tmp_path / "part2")], target)
    assert (merged.added, merged.present, merged.damaged, merged.runs) == (4, 0, [], [])
    assert numbers(target) == numbers(Store(tmp_path / "whole"))
    again = merging.merge([Store(tmp_path / "whole")], target)
    assert (again.added, again.present, again.runs) == (0, 4, [merging.Joined([whole.folder], None, None, 4, 0, 4)])
    assert json.loads((target.trials / f"{target.finished()[0]}.json").read_text())["key"] == target.finished()[0]


def test_what_is_damaged_is_left_out_where_it_comes_from_and_replaced_where_it_goes(run, tmp_path):
    run("good")
    run("bad")
    good, bad = Store(tmp_path / "good"), Store(tmp_path / "bad")
    first, second = good.finished()[:2]
    bad.path(first).write_text("{}")
    assert merging.merge([bad], Store(tmp_path / "new")).damaged == [bad.path(first)]
    assert first not in Store(tmp_path / "new").finished()
    bad.path(second).write_bytes(bad.path(second).read_bytes()[:-1])
    assert merging.merge([good], bad).added == 2
    assert numbers(bad) == numbers(good)


def test_a_shard_without_trials_gives_none(run, tmp_path):
    whole = run("whole")
    parts = [Store(tmp_path / f"part{number}") for number in range(1, 6)]
    assert [run(part.root.name, number, 5)[0] for number, part in enumerate(parts, start=1)] == [1, 1, 1, 1, 0]
    assert merging.merge(parts, Store(tmp_path / "merged")).added == len(whole.trials)


def test_a_folder_without_trials_is_refused_before_anything_is_written(run, tmp_path):
    run("good")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: has no trials, expected a folder of results"):
        merging.merge([Store(tmp_path / "good"), Store(tmp_path / "empty")], Store(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_trials_that_share_a_result_are_counted_once(few, tmp_path):
    text = COMPARED.replace("variants:", "variants:\n  again: {norm: {kind: batch}}")
    options = {"memory": 2**30, "load": lambda settings: few}
    assert Session(experiment_of(text), BACKEND, tmp_path, shard=Shard(1, 1), **options).train() == (4, ())


def test_trials_of_other_shards_are_of_no_other_version(run, tmp_path):
    outcome = run("out")
    store, notes = Store(tmp_path / "out"), []
    store.path(store.finished()[0]).unlink()
    watcher = Watcher()
    watcher.note = notes.append
    options = {"memory": 2**30, "load": lambda settings: some_digits(200, 100), "watcher": watcher}
    for part in (1, 2):
        Session(outcome.experiment, BACKEND, tmp_path / "out", shard=Shard(part, 2), **options).train()
    assert not any("another version" in note for note in notes)
