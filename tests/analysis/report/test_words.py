"""The question of a report, and what its letters stand for."""

from bnrenorm.analysis.report import words
from tests.analysis.report.runs import TEXT, results


def test_a_shipped_configs_question_is_asked():
    shipped = "name: compare\nvariants:\n  BN: {norm: {kind: batch}}\n  BRN: {norm: {kind: renorm}}\nseeds: 1\n"
    assert words.question(results(shipped)).startswith("Does batch renormalisation beat batch normalisation when")


def test_a_shipped_config_in_a_folder_is_found_by_its_name():
    text = "name: article2-l1\nvariants:\n  none: {norm: {kind: none}}\nseeds: 1\n"
    assert words.question(results(text)).startswith("How does L1 decay affect the second article's network")


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


def test_letters_are_those_that_occur():
    told = words.letters(results(), "by 2 points, 6 paired seeds")
    assert told == (
        "BN: batch normalisation; BRN: batch renormalisation (Ioffe, 2017); “points”: percentage points of accuracy; "
        "“paired”: the same seed gives every variant the same initial weights and batches."
    )
    assert words.letters(results("name: x\nvariants:\n  A: {norm: {kind: batch}}\n"), "4 grid points") == ""
    # a variant may use the letters for something else
    assert words.letters(results("name: x\nvariants:\n  BN: {norm: {kind: none}}\n"), "") == ""
