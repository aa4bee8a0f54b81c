"""How numbers are written."""

import numpy as np
import pytest

from bnrenorm import numbers


@pytest.mark.parametrize(
    ("mean", "spread", "digits", "text"),
    [
        (1.0, np.nan, 2, "1.00"),
        (2.0, 1.0, 2, "2.00 ± 1.00"),
        (100.0, 0.0, 2, "100.00 ± 0.00"),
        (2e20, 1.4142e20, 4, "2.0e20 ± 1.4e20"),
        (5e8, 7.07e8, 4, "5.0e8 ± 7.1e8"),
        (20.0, 1500.0, 4, "2.0e1 ± 1.5e3"),
        (-5e8, 1.0, 4, "-5.0e8 ± 1.0e0"),
        (999.9, np.nan, 4, "999.9000"),
        (1000.0, np.nan, 4, "1.0e3"),
        (5e-5, np.nan, 4, "0.0001"),
        (1.5e-5, np.nan, 4, "1.5e-5"),
        (-1.5e-5, np.nan, 4, "-1.5e-5"),
        (0.0, 0.0, 4, "0.0000 ± 0.0000"),
        (np.inf, np.nan, 4, "inf"),
        (np.nan, np.nan, 4, ""),
    ],
)
def test_mean_and_spread(mean, spread, digits, text):
    """Numbers of diverging networks stay short."""
    assert numbers.mean_and_spread(mean, spread, digits) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((-1.325, "-1.33"), (91.985, "+91.99"), (0.125, "+0.13"), (-0.004, "-0.00"), (2.1849, "+2.18")),
        (1.3249999999, "+1.32"),  # no noise
    ],
)
@pytest.mark.parametrize("noise", [-2e-13, -2e-16, 0, 2e-16, 2e-13])  # of a mean, up to those of thousands of numbers
def test_ties_are_rounded_away_from_zero(value, text, noise):
    assert numbers.points(value * (1 + noise) / 100) == text


@pytest.mark.parametrize(
    ("value", "style", "text"), [(1.5e14, ".1e", "1.5e14"), (2e-5, ".2g", "2e-5"), (3.0, ".0f", "3")]
)
def test_exponents_are_short(value, style, text):
    assert numbers.number(value, style) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        *((0, "0 B"), (999, "999 B"), (1024, "1 KiB"), (1010 * 2**20, "0.986 GiB"), (2**31, "2 GiB"), (2**62, "4 EiB")),
        *((999.4 * 2**20, "999 MiB"), (999.5 * 2**20, "0.976 GiB"), (999.9 * 2**50, "0.976 EiB")),
    ],
)
def test_sizes_have_units(count, text):
    assert numbers.size(count) == text


def test_a_noun_is_singular_after_one_only():
    assert [numbers.counted(count, "paired seed") for count in (0, 1, 2)] == [
        "0 paired seeds", "1 paired seed", "2 paired seeds"
    ]  # fmt: skip
