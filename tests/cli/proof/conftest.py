import pytest

from bnrenorm.engines.cuda import launches


@pytest.fixture
def use(monkeypatch):
    """A function that puts a card, a class, in place of the GPU."""
    return lambda card: monkeypatch.setattr(launches, "Launches", card)
