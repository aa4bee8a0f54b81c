"""The answer on many variants: which has the highest mean, and what its comparisons with the others say."""

from dataclasses import replace

import pytest

from bnrenorm.analysis.report.answer import Line, answer
from tests.helpers import results_of

LEVELS = {"A": 0.5, "B": 0.9, "C": 0.9, "D": 0.899, "E": 0.7}


def of_levels(levels, diverged):
    """Return results of twelve seeds of variants of which each ends at a level, D and E with much noise."""
    variants = "".join(
        f"  {name}: {{norm: {{kind: batch}}, model: {{hidden: [{i}]}}}}\n" for i, name in enumerate(levels, 3)
    )
    made = results_of(
        f"name: levels\nvariants:\n{variants}seeds: 12\n",
        accuracy=lambda trial: levels[trial.variant] + (trial.variant in "DE") * 0.05 * (-1) ** trial.seed,
    )
    trials = [(t, replace(r, outcome="diverged") if t.seed < diverged.get(t.variant, 0) else r) for t, r in made.trials]
    return replace(made, trials=trials)


@pytest.mark.parametrize(
    ("levels", "diverged", "text", "numbers"),
    [
        (LEVELS, {}, "B has the highest mean test accuracy, 90.00 %.",
         "better than A and E; equivalent to C; undecided against D"),
        ({**LEVELS, "A": 0.95, "C": 0.92}, {"A": 12},
         "Of the variants that diverged least, C has the highest mean test accuracy, 92.00 %.",
         "better than B and E; undecided against D; A diverged in 12 of 12 seeds"),
        ({**LEVELS, "A": 0.95, "C": 0.92}, {"A": 1},
         "Of the variants that diverged least, C has the highest mean test accuracy, 92.00 %.",
         "better than B and E; undecided against D; A diverged in 1 of 12 seeds"),
        (dict.fromkeys("ABCDFGHI", 0.5) | {"X": 0.9}, {}, "X has the highest mean test accuracy, 90.00 %.",
         "better than 8 others"),
    ],
)  # fmt: skip
def test_of_many_variants_the_highest_is_named_and_how_sure_that_is(levels, diverged, text, numbers):
    assert answer(of_levels(levels, diverged))[0] == Line(text, numbers)


def test_variants_that_are_the_same_are_as_good():
    variants = "".join(
        f"  {name}: {{norm: {{kind: {kind}}}}}\n" for name, kind in {"A": "batch", "B": "batch", "C": "none"}.items()
    )
    made = results_of(f"name: same\nvariants:\n{variants}  D: {{norm: {{kind: layer}}}}\nseeds: 12\n",
                      accuracy=lambda trial: 0.9 if trial.variant in "AB" else 0.5)  # fmt: skip
    assert answer(made)[0].numbers == "better than C and D; equivalent to B"


def test_none_is_the_highest_that_loses_where_both_have_trials():
    """As where a cluster lost the seeds in which the other is good."""
    made = results_of(
        "name: lost\nvariants:\n"
        + "".join(
            f"  {name}: {{norm: {{kind: batch}}, model: {{hidden: [{i}]}}}}\n" for i, name in enumerate("ABCD", 3)
        )
        + "seeds: 12\n",
        accuracy=lambda t: {"A": 0.5 if t.seed < 9 else 0.99, "B": 0.6}.get(t.variant, 0.1),
    )
    trials = [(trial, result) for trial, result in made.trials if trial.variant != "B" or trial.seed < 9]
    made = replace(made, trials=trials)
    assert made.final.set_index("variant")["test_accuracy"].idxmax() == "A"
    assert made.verdicts[0]["verdict"] == "B better"
    assert "highest" not in " ".join(line.text for line in answer(made))


def test_none_is_the_highest_that_diverged_more_where_both_have_trials():
    """As where a cluster lost the seed in which all others diverged."""
    made = of_levels({"A": 0.9, "B": 0.6, "C": 0.5, "F": 0.4}, {"A": 2, "B": 1, "C": 1, "F": 1})
    made = replace(made, trials=[(t, r) for t, r in made.trials if (t.variant, t.seed) != ("A", 0)])
    assert set(made.final["diverged"]) == {1}
    assert made.verdicts[0]["verdict"] == "A diverged"
    assert "highest" not in " ".join(line.text for line in answer(made))


def test_where_all_diverged_none_is_the_highest():
    assert "highest" not in " ".join(line.text for line in answer(of_levels(LEVELS, dict.fromkeys(LEVELS, 12))))
