"""Seeds as a config gives them, and as the command line is asked for them. What is refused: tests/cli/test_bad_input.py."""

import pytest

from bnrenorm.config import document, reader, seeds


@pytest.mark.parametrize(
    ("numbers", "option"),
    [
        ([0], "--seeds 1"),
        ([0, 1, 2], "--seeds 3"),
        ([1, 0], "--set 'seeds=[1,0]'"),
        ([4, 5], "--set 'seeds=[4,5]'"),
        ([0, 2], "--set 'seeds=[0,2]'"),
    ],
)
def test_an_option_gives_the_seeds_that_it_was_made_of(numbers, option):
    assert seeds.option(numbers) == option
    text = option.partition("=")[2].rstrip("'") or option.partition(" ")[2]
    asked = document.parse(f"seeds: {text}", "config.yaml")
    assert seeds.read(asked) == tuple(numbers)
    assert seeds.read(document.parse(f"seeds: {reader.dump(seeds.compact(numbers), flow=True)}", "a")) == tuple(numbers)


def test_one_seed_is_the_default():
    assert seeds.read(document.parse("name: a", "config.yaml")) == (0,)


@pytest.mark.parametrize(
    ("numbers", "more", "all_of_them"),
    [([0, 1], 2, [0, 1, 2, 3]), ([9, 3], 1, [9, 3, 10]), ([], 2, [0, 1]), ([5], 0, [5])],
)
def test_further_seeds_are_none_that_are_there(numbers, more, all_of_them):
    assert seeds.followed_by(numbers, more) == all_of_them
