from math import sqrt

import pytest

from bnrenorm.norm.semantics import CHAINER, PAPER


def test_chainer_keeps_the_unbiased_variance_and_adds_eps_when_read():
    assert CHAINER.keep(3.0, 4, 0.5) == 4.0
    assert CHAINER.std(4.0, 0.5) == sqrt(4.5)


def test_paper_keeps_the_biased_standard_deviation_with_eps_counted_once():
    assert PAPER.keep(3.0, 4, 0.5) == sqrt(3.5)
    assert PAPER.std(2.0, 0.5) == 2.0


def test_a_batch_of_one_has_no_correction():
    assert CHAINER.keep(0.0, 1, 1e-5) == 0.0


@pytest.mark.parametrize("semantics", [CHAINER, PAPER])
def test_constant_statistics_are_a_fixed_point(semantics):
    kept = semantics.keep(2.0, 10**9, 1e-5)
    assert semantics.std(kept, 1e-5) == pytest.approx(sqrt(2.0 + 1e-5))


@pytest.mark.parametrize("semantics", [CHAINER, PAPER])
def test_a_running_variance_is_what_chainers_links_keep(semantics):
    run_scale = semantics.scale(3.0, 0.5)
    assert semantics.std(run_scale, 0.5) == sqrt(3.5)
    assert semantics.variance(run_scale, 0.5) == pytest.approx(3.0)
