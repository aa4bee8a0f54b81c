import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.cuda import check, contenders
from benchmarks.cuda.device import Device
from benchmarks.cuda.jobs import JOBS
from benchmarks.cuda.measure import Prepared
from benchmarks.peers import Missing, ours

JOB = check.checked(JOBS["micro-batch-30"])
EXPECTED = {str(number): {"train_loss": 2.0, "test_accuracy": 0.5} for number in range(400)}


def changed(**losses):
    """Return the expected values with other training losses for some replicas."""
    return {name: EXPECTED[name] | {"train_loss": losses.get(f"r{name}", 2.0)} for name in EXPECTED}


def test_a_job_is_checked_after_five_steps_on_half_of_the_test_set():
    assert (JOB.round, JOB.eval_sets, JOB.eval_share) == (5, ("test",), 2)
    assert check.checked(JOBS["full-batch-2"]).round == 1


def test_equal_values_agree():
    text, right = check.compare(EXPECTED, EXPECTED)
    assert right
    assert text.startswith("400 replicas, at most 0.0e+00 from the CPU's")


def test_one_replica_in_200_may_be_within_a_hundredth():
    text, right = check.compare(changed(r7=2.0 * 1.009), EXPECTED)
    assert right
    assert "at most 9.0e-03 from the CPU's (train_loss of 7), half of them within 0.0e+00" in text
    assert check.compare(changed(r7=2.018, r8=2.018), EXPECTED)[1]
    assert not check.compare(changed(r7=2.018, r8=2.018, r9=2.018), EXPECTED)[1]
    assert not check.compare(changed(r7=2.022), EXPECTED)[1]


@pytest.mark.parametrize("loss", [2.0 * 1.002, math.nan, math.inf])
def test_of_few_replicas_all_must_be_within_a_thousandth(loss):
    values = {name: changed(r7=loss)[name] for name in list(EXPECTED)[:30]}
    assert not check.compare(values, EXPECTED)[1]
    assert check.compare({"7": {"train_loss": 2.0 * 1.0009}}, EXPECTED)[1]


def test_accuracies_count_by_their_difference():
    assert check.compare({"7": {"test_accuracy": 0.5009}}, EXPECTED)[1]
    assert not check.compare({"7": {"test_accuracy": 0.5011}}, EXPECTED)[1]


@pytest.fixture
def trainings(monkeypatch):
    """The jobs that the CPU trained for references; it counts its rounds as losses."""
    jobs = []

    def prepare(job, replicas, engine):
        jobs.append(job.name)
        rounds = iter(range(1, 10))
        return lambda: {"train_loss": np.full(len(replicas), float(next(rounds)))}

    monkeypatch.setattr(ours, "prepare", prepare)
    monkeypatch.setattr(check.support, "problem", lambda: None)
    return jobs


def test_the_reference_is_of_the_fifth_step(trainings):
    assert set(check.reference(JOB, None)) == set(map(str, JOB.replicas))
    assert {values["train_loss"] for values in check.reference(JOB, None).values()} == {1.0}  # a round has five steps
    full = check.reference(check.checked(JOBS["full-batch-2"]), None)
    assert {values["train_loss"] for values in full.values()} == {5.0}
    assert trainings == ["micro-batch-30"] * 2 + ["full-batch-2"]


def test_the_reference_is_kept_for_the_same_replicas(trainings, tmp_path):
    first = check.reference(JOB, tmp_path / "kept")
    assert check.reference(JOB, tmp_path / "kept") == first
    assert len(trainings) == 1
    fewer = replace(JOB, seeds=JOB.seeds[:2])
    assert len(check.reference(fewer, tmp_path / "kept")) == 6
    assert len(trainings) == 2


def checked_with(monkeypatch, losses):
    """Check contenders that return these losses, or raise these errors, for all their replicas."""

    def prepare(contender, job, device, *, every):
        loss = losses[contender]
        if isinstance(loss, Exception):
            raise loss
        groups = contender.groups(job, every=every)
        replicas = [replica for group in groups for replica in group]
        runs = [lambda group=group: {"train_loss": np.array([loss(r) for r in group])} for group in groups]
        return Prepared(contender, runs, replicas)

    monkeypatch.setattr(check, "prepare", prepare)
    monkeypatch.setattr(contenders, "of", lambda job: list(losses))
    return {name: (text, right) for name, text, right in check.check(JOB, Device("cpu"), None)}


def test_peers_are_not_compared_where_they_train_bn_instead_of_brn(monkeypatch, trainings):
    def wrong_in_brn(replica):
        return 7.0 if replica.kind.norm == "renorm" else 1.0

    every = checked_with(monkeypatch, {contenders.OURS: wrong_in_brn, contenders.EAGER: wrong_in_brn})
    assert not every["bnrenorm"][1]
    text, right = every["PyTorch eager"]
    assert right
    assert text.startswith("20 replicas")


def test_errors_of_contenders_are_results(monkeypatch, trainings):
    losses = {
        contenders.VMAP: Missing("PyTorch is not installed"),
        contenders.STACKED: MemoryError("no room"),
        contenders.OURS: lambda replica: 1.0,
    }
    assert checked_with(monkeypatch, losses) == {
        "PyTorch vmap": ("skipped: PyTorch is not installed", True),
        "PyTorch stacked": ("MemoryError: no room", False),
        "bnrenorm": (check.compare(check.reference(JOB, None), check.reference(JOB, None))[0], True),
    }


def test_single_networks_are_checked_in_small_jobs_alone(monkeypatch, trainings):
    monkeypatch.setattr(check, "checked", lambda job: check.dataclasses.replace(job, seeds=tuple(range(11))))
    assert checked_with(monkeypatch, {contenders.EAGER: lambda replica: 1.0}) == {}
