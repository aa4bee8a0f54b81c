"""Experiments of many cells, as a run folder tells them."""

import pytest
import yaml

from bnrenorm.config import written
from bnrenorm.config.trial import digest
from tests.helpers import experiment_of

MANY = """
name: many
baseline: BN
variants:
  none: {norm: {kind: none}}
  BN: {norm: {kind: batch}}
  BRN: {norm: {kind: renorm, r_max: 3}, training: {weight_decay: 0.1}}
training: {batch: 10, steps: 2 epochs}
grid:
  training.optimizer.lr: [RATES]
  norm.decay: [0.5, 0.9]
  how: {so: {}, thus: {norm: {eps: 0.1}}}
seeds: [3, 5]
""".replace("RATES", ", ".join(str(0.01 * i) for i in range(1, 21)))


def test_many_cells_are_variants_and_a_grid_of_the_same_trials():
    experiment = experiment_of(MANY)
    content = yaml.safe_load(experiment.as_config())
    assert list(content["variants"]) == ["none", "BN", "BRN"]
    assert content["variants"]["BN"].keys() == {"norm", "training"}
    assert content["grid"]["norm.decay"] == [0.5, 0.9]
    assert content["evaluation"]["statistics"] == "running", "a default"
    assert len(experiment.as_config()) < 10_000
    again = experiment_of(experiment.as_config())
    assert digest(again.resolved()) == digest(experiment.resolved())
    assert again.trials(1000) == experiment.trials(1000)
    assert again.as_config() == experiment.as_config()


def test_few_cells_are_listed():
    few = experiment_of(
        MANY.replace("norm.decay: [0.5, 0.9]", "").replace("how: {so: {}, thus: {norm: {eps: 0.1}}}", "")
    )
    assert len(few.settings) == 60 <= written.LISTED
    assert len(yaml.safe_load(few.as_config())["variants"]) == 60


@pytest.mark.parametrize(
    "grid",
    [
        "model.output: [identity, softmax]",  # which is no experiment without the grid
        "how: {so: {training: {loss: squared_error}}, thus: {}}",
    ],
)
def test_a_grid_that_cannot_be_left_out_is_still_told(grid):
    experiment = experiment_of(
        MANY.replace("how: {so: {}, thus: {norm: {eps: 0.1}}}", grid).replace("[0.5, 0.9]", "[0.5, 0.6, 0.7]")
        + ("" if "loss" in grid else "model: {output: identity}\n")
    )
    assert experiment_of(experiment.as_config()).resolved() == experiment.resolved()
