"""The floor's products, run by NumPy, are those that are counted."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.cuda import counts
from benchmarks.cuda.device import COLUMNS, Device
from benchmarks.cuda.jobs import JOBS, rehearsed
from benchmarks.cuda.peers import floor

SMALL = {name: replace(rehearsed(job), round=3) for name, job in JOBS.items() if not job.full}


class Recorder:
    """A device whose products are counted and not computed."""

    def __init__(self):
        self.flop, self.shapes, self.xp = 0, [], self

    def numbers(self, *shape):
        return np.broadcast_to(np.float32(0), shape)

    def empty(self, shape, dtype):
        return np.broadcast_to(np.float32(0), shape)

    def kept(self, key, make):
        return make()

    def matmul(self, a, b, out):
        groups, rows, inner = a.shape
        assert b.shape[:2] == (groups, inner)
        assert out.shape == (groups, rows, b.shape[2])
        self.flop += 2 * out.size * inner
        self.shapes.append(out.shape)


@pytest.mark.parametrize("name", JOBS)
def test_a_round_has_the_products_that_are_counted(name):
    job, device = replace(JOBS[name], round=3), Recorder()
    floor.prepare_products(job, job.replicas, device)()
    counted = counts.step(job).flop * 3 + counts.evaluation(job).flop
    if name == "mini-batch-999":  # the last block of its evaluation is computed whole
        assert counted <= device.flop < 1.3 * counted
    else:
        assert device.flop == counted
    assert max(np.prod(shape) for shape in device.shapes) < 2**29


def test_replicas_of_a_seed_share_the_first_product():
    job, device = JOBS["mini-batch-999"], Recorder()
    floor.prepare_products(replace(job, round=1, eval_sets=()), job.replicas, device)()
    assert device.shapes == [
        (37, 100, 2700),
        (37, 2700, 784),
        (999, 100, 50),
        (999, 50, 100),
        (999, 100, 100),
        (999, 100, 10),
        (999, 10, 50),
        (999, 100, 50),
    ]


@pytest.mark.parametrize("name", ["mini-batch-27", "micro-batch-30"])
def test_they_run(name):
    job, device = SMALL[name], Device("cpu")
    run = floor.prepare_products(job, job.replicas, device)
    assert run() == {}
    products = [value for key, value in device._kept.items() if key[0] == "product"]
    for a, b, out in products:
        np.testing.assert_allclose(out[0, 0], a[0, 0] @ b[0], rtol=1e-3, atol=1e-3)


def test_the_update_changes_every_weight_and_velocity():
    job, device = SMALL["micro-batch-30"], Device("cpu")
    arrays = []
    numbers = device.numbers
    device.numbers = lambda *shape: arrays.append(numbers(*shape)) or arrays[-1]
    run = floor.prepare_update(job, job.replicas, device)
    weights, velocity = (array.astype(float) for array in arrays)
    run()
    assert len(weights) == len(velocity) == 6 * 317_600
    for _ in range(3):
        velocity *= 0.9
        weights += velocity
    np.testing.assert_allclose(arrays[0], weights, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(arrays[1], velocity, rtol=1e-5, atol=1e-5)


@pytest.mark.gpu
def test_both_run_on_a_gpu():
    job, device = replace(SMALL["micro-batch-30"], widths=(20, 10, 5)), Device("cuda:0")
    arrays = []
    numbers = device.numbers
    device.numbers = lambda *shape: arrays.append(numbers(*shape)) or arrays[-1]
    run = floor.prepare_update(job, job.replicas, device)
    weights, velocity = (array.get().astype(float) for array in arrays)
    run()
    for _ in range(3):
        velocity *= 0.9
        weights += velocity
    np.testing.assert_allclose(arrays[0].get(), weights, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(arrays[1].get(), velocity, rtol=1e-5, atol=1e-5)
    floor.prepare_products(job, job.replicas, device)()
    products = [value for key, value in device._kept.items() if key[0] == "product"]
    for a, b, out in products:
        np.testing.assert_allclose(out.get(), a.get() @ b.get(), rtol=1e-3, atol=1e-3)
    assert set(device.describe()) == set(COLUMNS)
    assert all(device.describe()[name] for name in ("card", "card_gib", "cuda", "cupy"))
    device.free()
