import pytest

from benchmarks.cuda import results
from benchmarks.cuda.jobs import JOBS
from tests.benchmarks.cuda import measured
from tests.benchmarks.cuda.measured import RATES, rows_of

MICRO, FULL, SINGLE = JOBS["micro-batch-999"], JOBS["full-batch-2"], JOBS["small-1"]
AT_THE_GATE = (5_081_600 + 3_136 / 3) / (0.85 * 3e6)
"""Microseconds in which the bytes of a micro-batch's step go at 85 % of 3 TB/s."""


def verdicts(job, **medians):
    return list(map(str, results.verdicts(job, rows_of(job, **medians))))


def test_rows_are_in_the_order_of_the_tables_with_ratios_to_ours():
    rows = rows_of(MICRO, products=1.0, vmap=6.0, chainer=9.0, ours=2.0, eager=30.0)
    assert [row["contender"] for row in rows] == [
        "bnrenorm",
        "bnrenorm's Chainer engine",
        "PyTorch eager",
        "PyTorch vmap",
        "floor: matrix products",
    ]
    assert [float(row["ratio"]) for row in rows] == [1.0, 4.5, 15.0, 3.0, 0.5]
    eager = rows[2]
    assert (eager["replicas"], eager["samples"], eager["card"]) == ("999", "3", "Card 9")
    assert [float(eager[name]) for name in ("median", "min", "max")] == [30.0, 15.0, 45.0]
    assert results.rates_of(eager) == RATES
    assert float(eager["floor"]) == pytest.approx(0.85 * AT_THE_GATE, rel=1e-5)


def test_gates_of_many_replicas_are_met():
    assert verdicts(MICRO, ours=1.9, eager=20.0, vmap=4.0, stacked=3.0, chainer=2.0) == [
        "at least 10 times as fast as PyTorch eager: 10.53 (PyTorch eager, 3 networks in turn, scaled to 999), met",
        "at least 1.5 times as fast as the best peer: 1.58 (PyTorch stacked in a CUDA graph, 999 together), met",
        "at least 85% of the measured copy rate: 0.89 (2.68 of 3.00 TB/s), met",
    ]


def test_gates_of_many_replicas_are_missed():
    assert [text.rpartition(", ")[2] for text in verdicts(MICRO, ours=2.1, eager=20.0, vmap=3.0)] == ["missed"] * 3


@pytest.mark.parametrize(("factor", "word"), [(0.999, "met"), (1.001, "missed")])
def test_the_gate_of_the_copy_rate_is_at_its_factor(factor, word):
    assert verdicts(MICRO, ours=factor * AT_THE_GATE)[2].endswith(word)


@pytest.mark.parametrize(("eager", "word"), [(1.0, "met"), (0.99, "missed")])
def test_one_replica_is_not_slower(eager, word):
    (text,) = verdicts(SINGLE, ours=1.0, eager=eager, captured=0.1)  # a graph of PyTorch's may be faster
    assert text == f"as fast as PyTorch eager: {eager:.2f} (PyTorch eager, 1 network), {word}"


def test_the_best_of_all_peers_counts_on_the_full_batch():
    (text,) = verdicts(FULL, ours=1.0, eager=1.3, captured=1.1, vmap=1.4)
    assert text.endswith("1.10 (PyTorch in a CUDA graph, 2 networks in turn), missed")


def test_without_peers_their_gates_are_not_measured():
    eager, peers, _ = verdicts(MICRO, ours=1.0)
    assert eager == "at least 10 times as fast as PyTorch eager: not measured"
    assert peers == "at least 1.5 times as fast as the best peer: not measured"


def test_other_jobs_rows_do_not_count():
    rows = [*rows_of(SINGLE, ours=1.0, eager=0.5), *rows_of(MICRO, ours=1.0, eager=12.0)]
    assert results.verdicts(MICRO, rows)[0].reached == 12.0


def test_the_roofline_in_words():
    rows = rows_of(MICRO, ours=2.0, products=0.5)
    assert results.roofline(MICRO, rows) == [
        "floor: 1.69 µs, of which bnrenorm reaches 85%: 5.08 MB at 3 TB/s are 1.69 µs, "
        "5.11 MFLOP at 50 TFLOP/s are 0.102 µs",
        "cuBLAS computes the job's own products in float32 at 10.2 TFLOP/s",
    ]
    (alone,) = results.roofline(FULL, rows_of(FULL, ours=3.322448))
    assert alone.startswith("floor: 1.66 ms, of which bnrenorm reaches 50%: ")


def test_the_roofline_by_tensor_cores_in_words(monkeypatch):
    monkeypatch.setattr(measured, "RATES", results.Rates(3e12, 50e12, 250e12))
    (text,) = results.roofline(FULL, rows_of(FULL, ours=0.716))
    assert text.startswith("floor: 0.357 ms, of which bnrenorm reaches 50%: ")
    assert text.endswith("83.1 GFLOP at 50 TFLOP/s, 98% of them at 250 TFLOP/s by tensor cores, are 0.357 ms")
