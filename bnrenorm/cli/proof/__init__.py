"""Proof that the CUDA engine works on this machine's GPU: `bnrenorm doctor --device cuda`."""

from collections.abc import Iterator

from bnrenorm.cli.proof import bits, numbers, products, speed
from bnrenorm.cli.proof.rows import Row, guarded


def prove(device: str) -> Iterator[Row]:
    """Run all checks on a device "cuda:N", the short ones first."""
    yield from guarded("card", speed.card(device))
    yield from numbers.kernels(device)
    yield from guarded("products", products.rows(device))
    yield from numbers.gradients(device)
    yield from numbers.steps(device)
    yield from bits.rows(device)
    yield from guarded("memory", speed.memory(device))
    yield from speed.jobs(device)
