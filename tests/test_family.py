"""How many seeds a family of comparisons needs, by the smallest p that so many seeds can have."""

import pytest

from bnrenorm.family import ALPHA, MIN_PAIRS, min_pairs, too_few


@pytest.mark.parametrize("comparisons", [1, 2, 3, 5, 12, 30, 66, 1000])
def test_one_pair_fewer_cannot_pass_the_correction(comparisons):
    """Holm multiplies the smallest p by the number of comparisons [Holm 1979]."""
    n = min_pairs(comparisons)
    assert comparisons * 2 / 2**n < ALPHA <= comparisons * 2 / 2 ** (n - 1)


@pytest.mark.parametrize(
    ("seeds", "tested", "said"),
    [(0, 0, ""), (1, 0, ""), (MIN_PAIRS, 1, ""), (9, 12, ""), (12, 66, "")],
)  # fmt: skip
def test_enough_seeds_are_not_remarked(seeds, tested, said):
    assert too_few(seeds, tested, has_choice=True) == said


def test_a_baseline_is_named_where_there_is_a_choice():
    assert (
        too_few(8, 30, has_choice=True)
        == f"{too_few(8, 30, has_choice=False)}; with a baseline there are fewer comparisons"
    )
    assert too_few(1, 30, has_choice=True).startswith("1 seed: with fewer than 6 there is neither")
