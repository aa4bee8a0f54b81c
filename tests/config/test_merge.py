"""Settings of a variant and a point of the grid, merged into those below them."""

import pytest

from bnrenorm.errors import InputError
from tests.helpers import experiment_of


def test_a_mistake_in_a_group_of_another_kind_is_located_there():
    """The variant's learning rate, at line 5, went with the kind that it was for."""
    text = """name: a
training: {optimizer: {kind: sgd, lr: 0.1}}
variants:
  A:
    training: {optimizer: {lr: 0.2}}
grid:
  how:
    so: {training: {optimizer: {kind: adam, lr: -1}}}
"""
    with pytest.raises(InputError, match="^x.yaml:8: training.optimizer.lr is -1, expected a number from 0 on"):
        experiment_of(text)


def test_an_empty_group_of_a_point_stands_for_its_defaults():
    experiment = experiment_of("name: a\ngrid: {how: {so: {}, thus: {training: {early_stopping: {}}}}}")
    stopping = [settings.training.early_stopping for settings in experiment.settings.values()]
    assert stopping[0] is None
    assert stopping[1] is not None
