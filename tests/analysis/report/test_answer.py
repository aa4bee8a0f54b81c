"""The answer of a report: conclusions first, their numbers after them."""

import pytest

from bnrenorm.analysis.report.answer import Line, answer
from tests.analysis.report.runs import TEXT, results

TWO = "name: two\nvariants:\n  BN: {norm: {kind: batch}}\n  BRN: {norm: {kind: renorm}}\nseeds: 6\n"
ONE = "name: one\nvariants:\n  BN: {norm: {kind: batch}}\nseeds: 6\n"
GRID = "grid: {training.micro_batch: [2, 4, null]}\n"
FOUR = "grid: {training.optimizer.lr: [0.1, 0.2], training.optimizer.momentum: [0, 0.9]}\n"
EIGHT = "grid: {training.micro_batch: [1, 2, 4, 5, 8, 10, 20, 25]}\n"


def texts(made):
    return [line.text for line in answer(made)]


def test_the_conclusion_comes_first_and_its_numbers_after():
    (verdict,) = (made := results(TWO)).verdicts
    mean, low, high = (100 * verdict[name] for name in ("mean", "low", "high"))
    assert answer(made) == [
        Line(
            f"BRN is better than BN by {mean:.2f} points of test accuracy.",
            f"BRN - BN: 95 % interval {low:+.2f} to {high:+.2f}, p = {verdict['p']:.3g}, 6 paired seeds",
        )
    ]


def test_a_variants_name_that_is_a_word_of_verdicts_changes_nothing():
    (line,) = answer(results(TWO.replace("BRN", "never diverged")))
    assert line.text.startswith("never diverged is better than BN by ")
    assert "95 % interval +" in line.numbers


def test_the_interval_has_the_sign_of_the_conclusion():
    text = TWO.replace("  BN: {norm: {kind: batch}}\n", "") + "baseline: BRN\n"
    (verdict,) = (made := results(text.replace("seeds", "  BN: {norm: {kind: batch}}\nseeds"))).verdicts
    assert (verdict["a"], verdict["mean"] < 0) == ("BRN", True)
    (line,) = answer(made)
    assert line.text == f"BRN is better than BN by {-100 * verdict['mean']:.2f} points of test accuracy."
    assert f"interval {-100 * verdict['high']:+.2f} to {-100 * verdict['low']:+.2f}," in line.numbers


def test_three_comparisons_have_a_line_each_bn_against_brn_first():
    starts = ("BRN against BN is inconclusive: ", "BN against none is inconclusive: ", "BRN against none is ")
    for line, start in zip(answer(results()), starts, strict=True):
        assert line.text.startswith(start)
        assert "after Holm's correction over 3 comparisons" in line.numbers
    by_pair = {f"{verdict['b']} against {verdict['a']}": verdict for verdict in results().verdicts}
    for line in answer(results()):
        of = by_pair[line.text.partition(" is ")[0]]
        low, high = (f"{100 * of[side]:+.2f}" for side in ("low", "high"))
        assert line.numbers.startswith(f"{of['b']} - {of['a']}: 95 % interval {low} to {high}, ")


def test_two_kinds_of_renormalisation_come_first_too():
    first, *_ = answer(results(TEXT.replace("BN: {norm: {kind: batch}}", "mild: {norm: {kind: renorm, r_max: 2}}")))
    assert first.text.startswith("BRN against mild is ")


def test_of_many_comparisons_the_table_has_the_rest():
    variants = "".join(f"  {name}: {{norm: {{kind: batch}}}}\n" for name in "ABCDE")
    text = f"name: five\nvariants:\n{variants}seeds: 2\n"
    lines = answer(results(f"{text}baseline: A\n".replace("  B:", "  B2: {norm: {kind: layer}}\n  B:")))
    assert len(lines) == 5
    first, *lines, rest = answer(results(text))
    assert (len(lines), rest) == (5, Line("", "The table of comparisons has 5 more."))
    assert " has the highest mean test accuracy, " in first.text


def test_where_nothing_depends_on_the_seed_no_seeds_are_asked_for():
    (line,) = answer(results(f"{TWO}model: {{weight_init: ones}}\n"))
    assert line.text.endswith(" points of test accuracy ahead; all seeds are the same.")
    assert line.numbers.startswith("BRN - BN: 1 paired seed: ")
    assert line.numbers.endswith(" (no seed changes it)")


@pytest.mark.parametrize(
    ("seeds", "values", "text", "numbers"),
    [
        (
            2,
            {"mean": 0.0125, "differences": [0.02, 0.005]},
            "BRN is 1.25 points of test accuracy ahead; at least 4 more seeds needed.",
            "BRN - BN: 2 paired seeds: +2.00, +0.50 (no interval below 6)",
        ),
        (
            2,
            {"mean": -0.0125, "differences": [-0.02, -0.005]},
            "BN is 1.25 points of test accuracy ahead; at least 4 more seeds needed.",
            "BN - BRN: 2 paired seeds: +2.00, +0.50 (no interval below 6)",
        ),
        (
            2,
            {"mean": 0.0, "differences": [-0.01, 0.01]},
            "at least 4 more seeds needed.",
            "BRN - BN: 2 paired seeds: -1.00, +1.00 (no interval below 6)",
        ),
        (
            6,
            {"mean": -0.001, "low": -0.01, "high": 0.008, "p": 0.5, "more_seeds": 9},
            "BN is 0.10 points of test accuracy ahead; about 9 more seeds needed.",
            "BN - BRN: 95 % interval -0.80 to +1.00, p = 0.5, 6 paired seeds",
        ),
    ],
)
def test_an_inconclusive_comparison_says_who_is_ahead_and_what_is_missing(seeds, values, text, numbers):
    made = results(TWO.replace("seeds: 6", f"seeds: {seeds}"))
    made.verdicts[0] |= {"verdict": "inconclusive", **values}
    assert answer(made) == [Line(f"BRN against BN is inconclusive: {text}", numbers)]


def test_a_grid_of_few_comparisons_names_the_point():
    assert texts(results(TWO + GRID))[0].startswith("At micro_batch 2, BRN against BN is inconclusive: BRN is ")


def test_a_colon_stands_before_a_point_that_is_named():
    named = "grid: {batches: {independent: {}, few labels: {training: {batch: 10}}}}\n"
    assert texts(results(TWO + named))[0].startswith("At batches: independent, BRN against BN is inconclusive: ")
    made = results(TEXT.replace("seeds: 6", "seeds: 1") + named)
    made.verdicts[-1]["verdict"] = "BRN better"
    assert texts(made)[0] == "BRN is better than BN at batches: few labels; inconclusive at independent."


def test_equal_variants_are_equivalent():
    made = results(TWO)
    verdict = made.verdicts[0]
    verdict |= {"verdict": "equivalent", "mean": 0.0004, "low": -0.001, "high": 0.0012, "p": 0.5}
    assert answer(made) == [
        Line(
            "BN and BRN are equivalent within 0.2 points of test accuracy.",
            "BRN - BN = +0.04 points of test accuracy, 95 % interval -0.10 to +0.12, p = 0.5, 6 paired seeds",
        )
    ]


def test_a_divergence_is_the_conclusion():
    assert answer(results(TWO, diverged=[("BRN", seed) for seed in range(6)])) == [
        Line("BRN diverged in 6 of 6 seeds and BN in 0 (p = 0.0312 by McNemar's exact test).")
    ]
    (line,) = answer(results(TWO, diverged=[("BRN", 1)]))
    assert line.text == "BRN diverged in 1 of 6 seeds and BN in 0 (p = 1 by McNemar's exact test)."
    assert line.numbers.startswith("where both finished: BRN - BN = +")


def test_seeds_that_diverged_are_told_after_the_numbers():
    made = results(TWO, diverged=[("BN", 1), ("BRN", 2)])
    made.verdicts[0] |= {"verdict": "BRN better"}
    assert answer(made)[0].numbers.endswith("; BN diverged in 1 of 6 seeds and BRN diverged in 1 of 6 seeds")


def test_two_variants_that_always_diverged_are_told_so_and_no_seeds_are_asked_for():
    made = results(TWO, diverged=[(name, seed) for name in ("BN", "BRN") for seed in range(6)])
    assert answer(made) == [Line("BN diverged in 6 of 6 seeds and BRN diverged in 6 of 6 seeds.")]


def test_the_points_of_a_grid_are_grouped_by_outcome():
    made = results(TWO + EIGHT)
    outcomes = [*["inconclusive"] * 5, "equivalent", "BRN better", "BRN better"]
    for verdict, outcome in zip(made.verdicts, outcomes, strict=True):
        verdict["verdict"] = outcome
    assert texts(made) == [
        "BRN is better than BN at micro_batch 20 and 25; equivalent at 10; inconclusive at the other 5."
    ]
    means = [100 * verdict["mean"] for verdict in made.verdicts]
    (numbers,) = [line.numbers for line in answer(made)]
    low, high = min(means), max(means)
    assert numbers == f"BRN - BN from {low:+.2f} to {high:+.2f} points of test accuracy, 6 paired seeds each"


def test_numbers_of_pairs_that_differ_over_a_grid_are_a_range():
    made = results(TWO + EIGHT)
    made.verdicts[3]["pairs"] = 4
    for verdict, mean in zip(made.verdicts, (0.02, -0.03, 0.05, 0.01, 0.04, 0.0, 0.01, 0.03), strict=True):
        verdict["mean"] = mean
    assert answer(made)[0].numbers == "BRN - BN from -3.00 to +5.00 points of test accuracy, 4 to 6 paired seeds each"


def test_many_verdicts_are_a_line_per_pair():
    made = results(TEXT.replace("seeds: 6", "seeds: 1") + GRID)
    assert texts(made)[0] == "BRN against BN: inconclusive at all 3 grid points."
    made.verdicts[-1]["verdict"] = "BRN better"
    assert texts(made)[:2] == [
        "BRN is better than BN at micro_batch null; inconclusive at 2 and 4.",
        "BN against none: inconclusive at all 3 grid points.",
    ]


def test_two_grid_points_are_both():
    pairs = results(TEXT.replace("seeds: 6", "seeds: 1") + GRID.replace(", null", ""))
    assert texts(pairs)[0] == "BRN against BN: inconclusive at both grid points."


def test_points_of_several_axes_name_all_of_them():
    made = results(TWO.replace("seeds: 6", "seeds: 1") + FOUR)
    made.verdicts[-1]["verdict"] = "equivalent"
    assert texts(made) == ["BRN against BN: equivalent at (lr 0.2, momentum 0.9); inconclusive at the other 3."]


def test_long_lists_of_points_are_cut():
    made = results(TWO.replace("seeds: 6", "seeds: 1") + EIGHT)
    made.verdicts[-1]["verdict"] = "inconclusive"
    for verdict in made.verdicts[:-1]:
        verdict["verdict"] = "equivalent"
    assert texts(made) == [
        "BRN against BN: equivalent at micro_batch 1, 2, 4, 5, 8, 10 and 1 more; inconclusive at 25."
    ]


@pytest.mark.parametrize(
    ("diverged", "seeds", "told"), [([], 6, ""), ([("BN", 1)], 5, "; BN diverged in 1 of 6 trials")]
)
def test_one_variant_has_its_final_accuracy(diverged, seeds, told):
    made = results(ONE, diverged=diverged)
    final = 100 * made.summary.query("outcome == 'finished'").final_test_accuracy
    assert answer(made) == [
        Line(
            f"BN reaches {final.mean():.2f} % test accuracy.",
            f"mean of {seeds} seeds, standard deviation {final.std(ddof=1):.2f}{told}",
        )
    ]


def test_one_variant_that_always_diverged_or_has_one_seed_has_no_deviation():
    assert texts(results(ONE, diverged=[("BN", seed) for seed in range(6)])) == ["BN diverged in 6 of 6 trials."]
    assert answer(results(ONE.replace("seeds: 6", "seeds: 1")))[0].numbers == "one seed"


@pytest.mark.parametrize("best", [2, 4])
def test_one_variant_with_a_grid_has_its_best_point(best):
    made = results(ONE + "grid: {training.micro_batch: [2, 4]}\n")
    column = made.summary["training.micro_batch"]
    made.summary.loc[column == best, "final_test_accuracy"] = 0.75
    (line,) = answer(made)
    assert line.text == f"Best at micro_batch {best}: 75.00 % test accuracy."


def test_the_lowest_point_of_a_grid_is_one_of_which_a_seed_finished():
    made = results(ONE + "grid: {training.micro_batch: [2, 4, 5]}\n")
    points = made.summary["training.micro_batch"]
    made.summary["final_test_accuracy"] = points.map({2: 0.25, 4: 0.75, 5: 0.1})
    made.summary.loc[points == 5, "outcome"] = "diverged"
    (line,) = answer(made)
    assert line.text == "Best at micro_batch 4: 75.00 % test accuracy."
    spread, lowest, flattered, diverged = line.numbers.split("; ")
    assert flattered == "the best of many is flattered: choose by validation accuracy"
    assert spread == "mean of 6 seeds, standard deviation 0.00"
    assert lowest == "the lowest of 2 grid points has 25.00 %"
    assert diverged == "BN diverged in 6 of 18 trials"
