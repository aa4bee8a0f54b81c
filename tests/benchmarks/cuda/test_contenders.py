import pytest

from benchmarks.cuda import contenders
from benchmarks.cuda.jobs import JOBS

ONE_BY_ONE = {"bnrenorm", "bnrenorm's Chainer engine", "PyTorch eager", "PyTorch in a CUDA graph"}
TOGETHER = {f"PyTorch {name}" for name in ("stacked", "stacked in a CUDA graph", "stacked, compiled", "vmap")}


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("full-batch-2", TOGETHER | {"PyTorch compiled", "floor: matrix products"}),
        ("mini-batch-1", {"PyTorch compiled", "floor: matrix products"}),
        ("mini-batch-999", TOGETHER | {"floor: matrix products"}),
        ("micro-batch-1", {"PyTorch compiled", "floor: matrix products", "floor: update's traffic"}),
        ("micro-batch-999", TOGETHER | {"floor: matrix products", "floor: update's traffic"}),
    ],
)
def test_who_takes_part(name, others):
    assert {contender.name for contender in contenders.of(JOBS[name])} == ONE_BY_ONE | others


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_what_a_gate_needs_is_prepared_first_and_never_left_out(job):
    optional = [contenders.is_optional(contender) for contender in contenders.of(job) if contender.family != "floor"]
    assert optional == sorted(optional)
    needed = {contender.name for contender in contenders.of(job) if not contenders.is_optional(contender)}
    assert {"bnrenorm", *(gate.against for gate in job.gates if gate.against.startswith("PyTorch"))} <= needed
    if len(job.replicas) > 1:
        assert needed >= {"PyTorch stacked", "PyTorch stacked in a CUDA graph", "PyTorch vmap"}


def test_the_tables_say_what_was_scaled():
    words = {
        (contenders.EAGER, "micro-batch-999"): "3 networks in turn, scaled to 999",
        (contenders.EAGER, "small-30"): "1 network, scaled to 30",
        (contenders.CAPTURED, "full-batch-2"): "2 networks in turn",
        (contenders.EAGER, "small-1"): "1 network",
        (contenders.OURS, "small-1"): "1 network",
        (contenders.VMAP, "mini-batch-27"): "27 together",
        (contenders.PRODUCTS, "micro-batch-999"): "999 together",
    }
    for (contender, name), text in words.items():
        assert contenders.arrangement(contender, JOBS[name]) == text
