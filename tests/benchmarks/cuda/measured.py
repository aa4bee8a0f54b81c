"""Measurements that nobody took, for tests of what is made of them."""

from benchmarks.cuda import contenders, results
from benchmarks.cuda.counts import Rates
from benchmarks.cuda.measure import Measurement
from benchmarks.machine import describe

RATES = Rates(copy=3e12, product=50e12)
CARD = {"card": "Card 9", "card_gib": "80", "cuda": "13.0", "driver": "580.1", "cupy": "14.2.0"}
NAMES = {
    "ours": contenders.OURS,
    "eager": contenders.EAGER,
    "captured": contenders.CAPTURED,
    "vmap": contenders.VMAP,
    "stacked": contenders.STACKED_CAPTURED,
    "chainer": contenders.CHAINER,
    "products": contenders.PRODUCTS,
}


def rows_of(job, **medians):
    """Return the rows of a job in which each contender of `NAMES` has this median and samples around it."""
    samples = {name: [1.5 * median, median, 0.5 * median] for name, median in medians.items()}
    measurements = [Measurement(NAMES[name], values) for name, values in samples.items()]
    return results.rows(job, measurements, RATES, CARD | describe())
