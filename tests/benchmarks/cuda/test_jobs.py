import pytest

from benchmarks.cuda import jobs
from benchmarks.jobs import Gate

SIZES = {
    "full-batch-2": 2,
    "mini-batch-1": 1,
    "mini-batch-27": 27,
    "mini-batch-999": 999,
    "micro-batch-1": 1,
    "micro-batch-30": 30,
    "micro-batch-999": 999,
    "small-1": 1,
    "small-30": 30,
}


def test_a_job_is_named_after_its_replicas():
    assert {name: len(job.replicas) for name, job in jobs.JOBS.items()} == SIZES
    for name, job in jobs.JOBS.items():
        assert len(set(map(str, job.replicas))) == SIZES[name]
        assert "{" not in job.title


def test_gates_are_those_required():
    eager, peers, single = Gate("PyTorch eager", 10.0), Gate("peers", 1.5), (Gate("PyTorch eager", 1.0),)
    gates = {name: job.gates for name, job in jobs.JOBS.items() if job.gates}
    assert gates == {
        "full-batch-2": (Gate("peers", 1.2),),
        "mini-batch-1": single,
        "mini-batch-999": (eager, peers),
        "micro-batch-1": single,
        "micro-batch-999": (eager, peers, Gate("copy rate", 0.85)),
        "small-1": single,
    }


def test_jobs_with_gates_come_first():
    chosen = jobs.select(None)
    assert {job.name for job in chosen} == set(SIZES)
    assert [bool(job.gates) for job in chosen] == [True] * 6 + [False] * 3


def test_a_family_and_a_size_are_chosen_by_name():
    assert {job.name for job in jobs.select(["micro-batch"])} == {"micro-batch-1", "micro-batch-30", "micro-batch-999"}
    assert [job.name for job in jobs.select(["small-30", "small-1"])] == ["small-1", "small-30"]
    with pytest.raises(ValueError, match="unknown job 'micro'; allowed: full-batch, .*, micro-batch-999"):
        jobs.select(["micro"])


@pytest.mark.parametrize("job", jobs.JOBS.values(), ids=jobs.JOBS)
def test_a_rehearsal_is_small_and_of_the_same_kinds(job):
    rehearsed = jobs.rehearsed(job)
    assert len(rehearsed.replicas) <= 12
    assert rehearsed.round <= 5
    assert (rehearsed.kinds, rehearsed.widths, rehearsed.name) == (job.kinds, job.widths, job.name)
