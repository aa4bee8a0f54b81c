"""The question and the answer of a report."""

from bnrenorm.analysis.report import words
from tests.analysis.report.runs import TEXT, results

GRID = "grid: {training.micro_batch: [2, 4, null]}\n"
FOUR = "grid: {training.optimizer.lr: [0.1, 0.2], training.optimizer.momentum: [0, 0.9]}\n"


def test_a_shipped_configs_question_is_asked():
    shipped = "name: compare\nvariants:\n  BN: {norm: {kind: batch}}\n  BRN: {norm: {kind: renorm}}\nseeds: 1\n"
    assert words.question(results(shipped)).startswith("Does batch renormalisation beat batch normalisation when")


def test_another_experiment_of_that_name_asks_its_own_question():
    own = "name: compare\nvariants:\n  A: {}\n  B: {model: {hidden: [3]}}\n  C: {model: {hidden: [4]}}\nseeds: 1\n"
    assert words.question(results(own)) == "Which of A, B and C has the higher test accuracy?"


def test_the_question_in_a_users_config_is_asked(config_file):
    path = config_file(f"# Question: which one\n#   is it?\n# Expected: none\n{TEXT}")
    made = results()
    made.experiment.document.source = str(path)
    assert words.question(made) == "Which one is it?"
    path.write_text("no: config\n")
    assert words.question(made) == "Which of none, BN and BRN has the higher test accuracy?"


def test_few_verdicts_are_told_in_their_own_sentences_bn_against_brn_first():
    made = results()
    sentences = {(verdict["a"], verdict["b"]): verdict["sentence"] for verdict in made.verdicts}
    assert words.answer(made) == [sentences[pair] for pair in (("BN", "BRN"), ("none", "BN"), ("none", "BRN"))]


def test_many_verdicts_are_a_line_per_pair():
    made = results(TEXT.replace("seeds: 6", "seeds: 1") + GRID)
    assert words.answer(made)[0] == "BRN against BN: inconclusive at all 3 grid points."
    for verdict in made.verdicts[-3:]:
        verdict["verdict"] = "BRN better"
    assert words.answer(made) == [
        "BRN against BN: inconclusive at micro_batch 2 and 4; BRN better at micro_batch null.",
        "BN against none: inconclusive at micro_batch 2 and 4; BRN better at micro_batch null.",
        "BRN against none: inconclusive at micro_batch 2 and 4; BRN better at micro_batch null.",
    ]


def test_points_of_several_axes_name_all_of_them():
    made = results(TEXT.replace("seeds: 6", "seeds: 1") + FOUR)
    made.verdicts[-1]["verdict"] = "BRN better"
    assert words.answer(made)[0] == (
        "BRN against BN: inconclusive at (lr 0.1, momentum 0), (lr 0.1, momentum 0.9) and (lr 0.2, momentum 0); "
        "BRN better at (lr 0.2, momentum 0.9)."
    )


def test_long_lists_of_points_are_cut():
    made = results(TEXT.replace("seeds: 6", "seeds: 1") + "grid: {training.micro_batch: [1, 2, 4, 5, 8, 10, 20, 25]}\n")
    made.verdicts[-1]["verdict"] = "BRN better"
    assert words.answer(made)[0] == (
        "BRN against BN: inconclusive at micro_batch 1, 2, 4, 5, 8, 10 and 1 more; BRN better at micro_batch 25."
    )
