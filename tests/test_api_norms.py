"""Norms that a notebook registers: whatever it changes afterwards, no result is given for another norm."""

import pytest

import bnrenorm
from bnrenorm.norm import registry
from bnrenorm.runs.store import Store
from tests.norm.test_registry import from_cell

pytestmark = pytest.mark.slow

CELL = """
SCALE = {"by": 0.5}

class Scaled(chainer.Link):
    def __init__(self, width):
        super().__init__()

    def forward(self, x):
        return x * SCALE["by"]
"""
CONFIG = """
name: own
model: {hidden: [6]}
variants: {scaled: {norm: {kind: custom, name: scaled}}}
training: {batch: 10, steps: 3}
seeds: 2
"""


def registered(cell=CELL):
    """Run the cell of a notebook that registers a norm, and return the notebook's variables."""
    norm = from_cell(f"import chainer\n{cell}", "Scaled")
    bnrenorm.register_norm("scaled", norm)
    return norm.forward.__globals__


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})


@pytest.fixture
def load(config_file, few_digits_file, no_pictures):
    """A function that loads the experiment, as a cell does that is run again."""
    return lambda: bnrenorm.load(config_file(CONFIG), data__path=str(few_digits_file))


def loss(experiment, out):
    return bnrenorm.run(experiment, device="cpu", out=out).final["train_loss"].tolist()


def test_a_sweep_over_a_variable_gives_each_value_its_own_results(load, tmp_path):
    notebook, seen = registered(), {}
    for scale in (0.5, 20.0, 0.5):
        notebook["SCALE"]["by"] = scale
        seen.setdefault(scale, []).append(loss(load(), tmp_path / "runs"))
        assert seen[scale][0] == loss(load(), tmp_path / str(scale)), "which nothing was stored in"
    assert seen[0.5][0] == seen[0.5][1] != seen[20.0][0]
    assert len(Store(tmp_path / "runs").finished()) == 4


def test_an_experiment_that_was_loaded_before_a_change_is_not_trained(load, tmp_path):
    notebook, experiment = registered(), load()
    first = loss(experiment, tmp_path / "runs")
    notebook["SCALE"]["by"] = 20.0
    assert loss(experiment, tmp_path / "runs") == first, "which is stored"
    with pytest.raises(bnrenorm.InputError, match="norm 'scaled' was registered again, or what it uses has changed"):
        loss(experiment, tmp_path / "elsewhere")
    assert loss(load(), tmp_path / "runs") != first


def test_what_the_training_itself_changes_makes_no_other_norm(load, tmp_path):
    counting = CELL.replace("        return", '        SCALE["calls"] = SCALE.get("calls", 0) + 1\n        return')
    scale, experiment = registered(counting)["SCALE"], load()
    first = loss(experiment, tmp_path / "runs")
    calls = scale["calls"]
    assert calls > 0
    assert loss(load(), tmp_path / "runs") == first
    assert scale["calls"] == calls, "nothing is trained"
    assert loss(experiment, tmp_path / "elsewhere") == first
    assert scale["calls"] == 2 * calls
