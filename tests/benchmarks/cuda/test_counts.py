"""Against numbers computed by hand. Weights: 784 400 + 400 10 = 317,600, and 784 100 + 100 50 + 50 10 = 83,900."""

import pytest

from benchmarks.cuda import counts
from benchmarks.cuda.counts import Rates, Work
from benchmarks.cuda.jobs import JOBS
from benchmarks.jobs import MINI_BATCH

RATES = Rates(copy=3e12, product=50e12)


@pytest.mark.parametrize(
    ("name", "flop", "moved", "pixels"),
    [
        # images (2 x 317,600 + 4,000) x 2; weights and velocities, 4 bytes each, read and written; pixels
        ("micro-batch-1", 5_113_600, 5_081_600 + 3_136, 5_017_600),
        ("micro-batch-999", 5_113_600 * 999, 5_081_600 * 999 + 3_136 * 333, 5_017_600 * 999),
        ("small-1", 40_908_800, 5_081_600 + 25_088, 40_140_800),
        ("full-batch-2", 76_704_000_000 * 2, 5_081_600 * 2 + 47_040_000, 75_264_000_000 * 2),
        # 100 (2 x 83,900 + 5,500) x 2; weights alone; 27 replicas share the pixels of a seed
        ("mini-batch-27", 34_660_000 * 27, 671_200 * 27 + 78_400, 31_360_000 * 27),
        ("mini-batch-999", 34_660_000 * 999, 671_200 * 999 + 78_400 * 37, 31_360_000 * 999),
    ],
)
def test_a_step(name, flop, moved, pixels):
    """The products of pixels: 4 images x 784 x 400, and 4 images x 784 x 100."""
    assert counts.step(JOBS[name]) == Work(flop, moved, pixels)


@pytest.mark.parametrize(
    ("job", "flop", "moved", "pixels"),
    [
        (JOBS["micro-batch-999"], 0, 0, 0),
        (JOBS["full-batch-2"], 10_000 * 2 * 317_600 * 2, 4 * 317_600 * 2 + 10_000 * 784, 10_000 * 2 * 313_600 * 2),
        (JOBS["mini-batch-27"], 7_000 * 2 * 83_900 * 27, 4 * 83_900 * 27 + 7_000 * 784, 7_000 * 2 * 78_400 * 27),
        (MINI_BATCH, 35_000 * 2 * 83_900 * 27, 4 * 83_900 * 27 + 35_000 * 784, 35_000 * 2 * 78_400 * 27),
    ],
    ids=["none", "test set", "a tenth of both sets", "half of both sets"],
)
def test_an_evaluation(job, flop, moved, pixels):
    assert counts.evaluation(job) == Work(flop, moved, pixels)


def test_the_floor_of_small_batches_is_the_traffic():
    job = JOBS["micro-batch-999"]
    microseconds = job.scale * counts.floor(job, RATES)
    assert microseconds == pytest.approx((5_081_600 + 3_136 / 3) / 3e6, rel=1e-12)  # three replicas share a batch
    assert counts.floor(job, Rates(copy=1e30, product=50e12)) == pytest.approx(5_113_600 / 50e12, rel=1e-12)


def test_the_floor_of_the_full_batch_is_the_products():
    job = JOBS["full-batch-2"]
    assert counts.floor(job, RATES) == pytest.approx((76_704_000_000 + 6_352_000_000) / 50e12, rel=1e-12)


def test_pixels_are_multiplied_by_the_faster_units():
    job, slower = JOBS["full-batch-2"], Rates(copy=3e12, product=50e12, pixels=49e12)
    assert counts.floor(job, slower) == counts.floor(job, RATES)
    pixels, rest = 75_264_000_000 + 10_000 * 2 * 313_600, 1_440_000_000 + 10_000 * 2 * 4_000
    by_both = counts.floor(job, Rates(copy=3e12, product=50e12, pixels=250e12))
    assert by_both == pytest.approx(pixels / 250e12 + rest / 50e12, rel=1e-12)


def test_steps_and_evaluation_follow_one_another():
    """The evaluation of a round of 60 steps is bound by the products, the steps by a slow memory."""
    job, rates = JOBS["mini-batch-27"], Rates(copy=1e11, product=50e12)
    step = (671_200 * 27 + 78_400) / 1e11
    evaluation = 7_000 * 2 * 83_900 * 27 / 50e12
    assert counts.floor(job, rates) == pytest.approx((step + evaluation / 60) / 27, rel=1e-12)


def test_the_unit_of_the_report_is_a_step_of_a_replica_or_an_epoch():
    assert counts.unit(JOBS["micro-batch-999"]).flop == pytest.approx(5_113_600, rel=1e-12)
    epoch = counts.unit(MINI_BATCH)
    assert epoch.flop == pytest.approx(600 * 34_660_000 + 70_000 * 2 * 83_900, rel=1e-12)
