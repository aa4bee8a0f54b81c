import pytest

from bnrenorm.cli.proof import bits
from bnrenorm.engines.cuda import launches


@pytest.fixture
def use(monkeypatch):
    """A function that puts a card, a class, in place of the GPU."""
    return lambda card: monkeypatch.setattr(launches, "Launches", card)


@pytest.fixture
def one_job(monkeypatch):
    """A function that leaves one experiment to `bits.rows`, its numbers promised in any company or not."""

    def one_job(promised):
        text = "model: {hidden: [5]}\nnorm: {kind: renorm}\ntraining: {steps: 6, batch: 50}\n"
        monkeypatch.setattr(bits, "_JOBS", {"job": (text, promised)})
        monkeypatch.setattr(bits, "_COMPANIES", (1, 3, 2))

    return one_job
