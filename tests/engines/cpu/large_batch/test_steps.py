"""Steps of a large batch, in blocks of 128 with a rest, against the second article's learner."""

import pytest

from tests.engines.article import CASES, assert_steps_are_the_learners
from tests.helpers import some_digits

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", CASES)
def test_steps_are_the_independent_learners(name):
    assert_steps_are_the_learners(some_digits(300, 100), "full", *CASES[name])
