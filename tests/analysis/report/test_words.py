"""The question of a report, and what its letters stand for."""

import pytest

from bnrenorm.analysis.report import words
from tests.analysis.report.runs import TEXT, results


def test_a_question_is_made_of_the_variants():
    assert words.question(results()) == "Which of none, BN and BRN has the highest test accuracy?"
    based = [results(f"{text}baseline: none\n") for text in (TEXT, TEXT.replace("  BN: {norm: {kind: batch}}\n", ""))]
    assert words.question(based[0]) == "What do BN and BRN gain on none?"
    assert words.question(based[1]) == "What does BRN gain on none?"
    two = results("name: x\nvariants:\n  A: {}\n  B: {norm: {kind: none}}\n")
    assert words.question(two) == "Which of A and B has the higher test accuracy?"
    assert words.question(results("name: x\nvariants:\n  A: {}\n")) == "How does A train?"


def test_the_question_in_a_config_is_asked():
    asking = results(f"# Question: which one\n#   is it?\n# Expected: none\n{TEXT}")
    assert words.question(asking) == "Which one is it?"


def test_letters_are_those_that_occur():
    told = words.letters(results(), "by 2 points, 6 paired seeds")
    assert told == (
        "BN: batch normalisation; BRN: batch renormalisation (Ioffe, 2017); “points”: percentage points of accuracy; "
        "“paired”: the same seed gives every variant the same initial weights and batches."
    )
    assert words.letters(results("name: x\nvariants:\n  A: {norm: {kind: batch}}\n"), "4 grid points") == ""
    # a variant may use the letters for something else
    assert words.letters(results("name: x\nvariants:\n  BN: {norm: {kind: none}}\n"), "") == ""


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        ("{model: {hidden: [7]}}", False),
        ("{training: {batch: 8}}", False),
        ("{model: {weight_init: he_normal}}", False),
        ("{model: {activation: tanh}, training: {optimizer: {lr: 0.5}}, norm: {kind: none}}", True),
    ],
)
def test_what_pairs_have_in_common_is_said_as_it_is(other, alike):
    told = words.letters(results(f"name: x\nvariants:\n  A: {{}}\n  B: {other}\n"), "6 paired seeds")
    assert told.startswith(
        "“paired”: the same seed gives every variant the same" if alike else "“paired”: seed by seed"
    )
