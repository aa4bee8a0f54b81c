"""The figure of speed by replicas and batch size, from rows that are made up."""

import pytest

from benchmarks import scaling
from benchmarks.contenders import EAGER, OURS, STACKED, entries


def row(job, contender, median):
    return {"job": job.name, "contender": contender, "median": str(median)}


@pytest.fixture
def rows():
    return [
        row(job, contender, 0.5 if contender == OURS.name else 2.0)
        for job in scaling.JOBS.values()
        for contender in job.contenders
    ]


def test_every_job_has_its_replicas_and_batches_and_us_first():
    for name, job in scaling.JOBS.items():
        kind, count = name.split("-")[:2]
        replicas = int(count) if kind == "replicas" else 2
        assert len(job.replicas) == replicas
        assert job.batch == (4 if kind == "replicas" else int(count))
        first, *peers = entries(job, 2)
        assert (first.contender, first.processes, first.threads) == (OURS, 1, 2)
        assert all((entry.processes, entry.threads) == (min(2, replicas), 1) for entry in peers)
    assert scaling.JOBS["batch-60000-half-lit"].full


def test_throughput_is_images_a_second(rows):
    ours = scaling.throughput(rows, "replicas", "half lit")[OURS.name]
    assert ours == dict.fromkeys(scaling.REPLICAS, pytest.approx(4 / 0.5e-3))
    stacked = scaling.throughput(rows, "batch", "half lit")[STACKED.name]
    assert stacked == {count: pytest.approx(count / 2e-3) for count in scaling.BATCHES}


def test_one_network_at_a_time_is_as_fast_for_many_as_for_three(rows):
    rows = [{**row, "median": "1"} if row["job"] == "replicas-3-half-lit" else row for row in rows]
    eager = scaling.throughput(rows, "replicas", "half lit")[EAGER.name]
    assert eager[1] == pytest.approx(2000)
    assert [eager[count] for count in scaling.REPLICAS[1:]] == [pytest.approx(4000)] * 6


@pytest.mark.slow
def test_the_figure_has_a_line_for_each_contender(rows, tmp_path):
    left, right = scaling.figure(rows).axes
    assert [len(ax.lines) for ax in (left, right)] == [5, 5]
    assert left.lines[0].get_xdata().tolist() == list(scaling.REPLICAS)
    assert right.lines[0].get_xdata().tolist() == list(scaling.BATCHES)
    scaling.save(rows, tmp_path / "scaling.png")
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")
