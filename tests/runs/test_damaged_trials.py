"""Stored trials that are not as they were written, or that the disk does not give back."""

import errno
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from bnrenorm.errors import ClusterError
from bnrenorm.runs import runner, session
from bnrenorm.runs.cluster import Cluster
from bnrenorm.runs.store import Store
from tests.helpers import COMPARED, FEW
from tests.runs.runs import Witness, numbers


def damage(path):
    path.write_bytes(path.read_bytes()[:-60])


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_trial_whose_files_are_damaged_is_trained_again_and_named_once(run, tmp_path, suffix):
    text = COMPARED + "evaluation: {parameters: true}\n"
    first = run(text)
    trials = Store(tmp_path / "out").trials
    damaged = sorted(trials.glob(f"*{suffix}"))[1]
    damage(damaged)
    whole = {path.name: path.stat().st_mtime_ns for path in trials.iterdir() if path.stem != damaged.stem}
    witness = Witness()
    again = run(text, watcher=witness)
    assert witness.steps == [1, 2, 3, 4]
    assert witness.notes == [f"{damaged} is not as it was written: trained again"]
    assert numbers(again) == numbers(first)
    for (_, one), (_, other) in zip(first.trials, again.trials, strict=True):
        assert one.parameters.keys() == other.parameters.keys() != set()
        assert all((one.parameters[name] == other.parameters[name]).all() for name in one.parameters)
    assert whole == {path.name: path.stat().st_mtime_ns for path in trials.iterdir() if path.stem != damaged.stem}


def test_many_damaged_trials_are_one_line(run, tmp_path):
    first = run()
    for path in Store(tmp_path / "out").trials.iterdir():
        damage(path)
    witness = Witness()
    assert numbers(run(watcher=witness)) == numbers(first)
    (note,) = witness.notes
    assert note.endswith(".json is not as it was written, and 3 more: trained again")


def test_a_trial_that_the_disk_does_not_give_back_ends_the_run_and_is_named(run, tmp_path, monkeypatch):
    """It is neither left out of the comparison nor trained again: it may be there once the disk works."""
    run()
    broken, real = sorted(Store(tmp_path / "out").trials.iterdir())[2], Path.read_bytes

    def read(path):
        if path == broken:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return real(path)

    left = []
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", read)
        with pytest.raises(OSError, match=f"Input/output error.*{broken.name}"):
            run(leave=left.append)
    assert left == []
    witness = Witness()
    run(watcher=witness)
    assert witness.steps == []


def test_a_disk_that_damages_what_it_is_given_is_named(run, tmp_path, monkeypatch):
    real = Store.write

    def write(self, key, *arguments):
        real(self, key, *arguments)
        (self.trials / f"{key}.json").write_text("{")

    monkeypatch.setattr(Store, "write", write)
    with pytest.raises(OSError, match=r"trials: 4 results were written, but cannot be read"):
        run()


def on_cluster(run, monkeypatch, rounds, **options):
    """Run on a cluster whose workers take a number of groups with them: of each round of training, that of `rounds`."""
    rounds = iter(rounds)

    def train(plan, experiment, data, store, backend, client, report, note):
        lost = {plan.keys[trial]: "lost" for group in plan.groups[: next(rounds)] for trial in group}
        groups = [group for group in plan.groups if plan.keys[group[0]] not in lost]
        runner.train(session.Plan(plan.keys, groups), data, store, backend, report, note)
        return lost

    client = SimpleNamespace(dashboard_link="")
    monkeypatch.setattr(session.clusters, "connected", lambda cluster: nullcontext(client))
    monkeypatch.setattr(session.clusters, "count", lambda cluster, device: (cluster.workers, 1, cluster.workers))
    monkeypatch.setattr(session.clusters, "size", lambda client: 2)
    monkeypatch.setattr(session.course, "train", train)
    return run(cluster=Cluster(workers=2), **options)


def test_a_trial_that_is_lost_first_and_then_trained_beside_a_damaged_one_has_its_result(run, tmp_path, monkeypatch):
    whole = run()
    damaged, missing, *_ = sorted(Store(tmp_path / "out").trials.glob("*.json"))
    damage(damaged)
    missing.unlink()
    outcome = on_cluster(run, monkeypatch, [1, 0])
    assert numbers(outcome) == numbers(whole)
    assert (outcome.failures, len(outcome.notes)) == ((), 2)


def test_trials_that_are_lost_are_told_and_the_others_are_compared(run, tmp_path, monkeypatch):
    witness = Witness()
    outcome = on_cluster(run, monkeypatch, [1], watcher=witness)
    assert len(outcome.trials) == 2
    assert outcome.failures == tuple(witness.notes)
    assert outcome.notes == (
        FEW,
        "2 trials have no result (2 of BN), and no pair is made of them: lost",
    )
    with pytest.raises(ClusterError, match="4 trials have no result"):
        on_cluster(run, monkeypatch, [2], out="other")


def test_a_damaged_trial_that_is_lost_when_it_is_trained_again_has_no_result(run, tmp_path, monkeypatch):
    run()
    damage(next(Store(tmp_path / "out").trials.glob("*.json")))
    outcome = on_cluster(run, monkeypatch, [1])
    assert len(outcome.trials) == 3
    assert [line[:22] for line in outcome.failures] == ["1 trial has no result "]
