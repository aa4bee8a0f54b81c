from dataclasses import replace

import pytest

from benchmarks.contenders import CHAINER, CONTENDERS, Contender, entries
from benchmarks.jobs import FULL_BATCH, JOBS, MICRO_BATCH, MINI_BATCH, Gate

UNITS = {"full": 1.0, "mini": 1.0, "micro": 1e3, "small": 1e3}


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_times_are_scaled_to_the_unit(job):
    assert job.scale == UNITS[job.name.partition("-")[0]]
    assert replace(job, unit="µs a step").scale == 1e6


def test_gates_in_words():
    assert Gate("peers", 1.5).wording == "at least 1.5 times as fast as the best peer"
    assert Gate("PyTorch eager", 1.0).wording == "as fast as PyTorch eager"
    assert Gate("floor", 1.2).wording == "at most 1.2 times the floor"
    assert Gate("copy rate", 0.85).wording == "at least 85% of the measured copy rate"


def test_every_contender_but_the_floor_trains_what_it_says():
    for contender in CONTENDERS.values():
        for job in JOBS.values():
            groups = contender.groups(job)
            trained = [replica for group in groups for replica in group]
            if contender.takes in ("all", "stacks"):
                assert sorted(map(str, trained)) == sorted(map(str, job.replicas))
            elif contender.takes == "each":
                assert [replica.kind for replica in trained] == list(job.kinds)
                assert [len(group) for group in groups] == [1] * len(job.kinds)


def test_networks_with_the_same_layers_in_pytorch_are_one_stack():
    alike = Contender("vmap", "peers", "vmap", takes="alike")
    assert [len(group) for group in alike.groups(MICRO_BATCH)] == [10, 20]  # BN and BRN are both BN
    assert [len(group) for group in alike.groups(MINI_BATCH)] == [9, 9, 9]
    assert [len(group) for group in alike.groups(FULL_BATCH)] == [2]


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_stock_chainer_is_measured_on_mnist_and_all_peers_on_each_set(job):
    taking_part = {entry.contender for entry in entries(job, 2)}
    assert (CHAINER in taking_part) == (job.images == "digits")
    peers = {contender for contender in CONTENDERS.values() if contender.family == "peers"}
    alone = {contender for contender in peers if contender.takes == "stacks"} if len(job.replicas) == 1 else set()
    assert peers - alone == taking_part & peers
