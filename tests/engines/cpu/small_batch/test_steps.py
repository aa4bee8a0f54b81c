"""Steps of small batches against the second article's learner."""

import pytest

from tests.engines.article import CASES, DROPOUT, assert_steps_are_the_learners
from tests.helpers import some_digits


@pytest.mark.parametrize("name", {**CASES, **DROPOUT})
def test_steps_are_the_independent_learners(name):
    assert_steps_are_the_learners(some_digits(300, 100), "{kind: iid, size: 50}", *{**CASES, **DROPOUT}[name])
