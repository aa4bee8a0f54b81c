"""What is printed when a comparison has ended, for each kind of experiment."""

import io
import json

import pytest

from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.cli import progress, summary
from bnrenorm.training.records import TrialResults
from tests.helpers import COMPARED, experiment_of, results_of, some_digits


def printed(text, folder, accuracy=lambda trial: 0.5, outcome="finished", **options):
    """Return the lines that end an experiment whose trials have a given test accuracy, without training it."""
    experiment, data = experiment_of(text), some_digits(200, 100)
    trials = []
    for trial in experiment.trials(len(data.x_train)):
        records = {"step": [1], "epoch": [1.0], "train_loss": [1.0], "test_loss": [1.0]}
        records |= {"train_accuracy": [accuracy(trial)], "test_accuracy": [accuracy(trial)]}
        trials.append((trial, TrialResults(outcome, 1.0, records, {"engine": "cpu", "device": "cpu"})))
    file = io.StringIO()
    screen = progress.Screen(file=file, width=160, **options)
    summary.show(screen, ExperimentResults(experiment, data.described, "cpu", trials, folder))
    return [" ".join(line.split()) for line in file.getvalue().splitlines()]


def test_two_variants_end_with_table_sentence_and_folder(tmp_path):
    lines = printed(COMPARED, tmp_path, lambda trial: 0.6 if trial.variant == "BRN" else 0.5)
    assert "BRN 1.0000 ± 0.0000 1.0000 ± 0.0000 60.00 ± 0.00 60.00 ± 0.00" in lines
    assert lines[-2].startswith("BRN - BN = +10.00 points of test accuracy (by seed: +10.00, +10.00): inconclusive")
    assert lines[-1] == f"Report, next to tables and figures: {tmp_path / 'report.html'}"


@pytest.mark.parametrize("training_set", ["true", "false"])
def test_what_training_values_are_is_said(tmp_path, training_set):
    lines = printed(f"{COMPARED}evaluation: {{training_set: {training_set}}}", tmp_path)
    note = "Training values are means over the batches since the last record, in training mode."
    assert (note in lines) is (training_set == "false")
    mixed = COMPARED.replace(
        "{norm: {kind: batch}}", f"{{norm: {{kind: batch}}, evaluation: {{training_set: {training_set}}}}}"
    )
    but = note[:-1] + ", but where evaluation.training_set is true."
    assert (but if training_set == "true" else note) in printed(mixed, tmp_path), "BRN's are means over the batches"


def test_several_comparisons_end_with_a_table(tmp_path):
    three = COMPARED.replace("variants:", "variants:\n  none: {norm: {kind: none}}")
    lines = printed(three, tmp_path)
    assert "paired differences in test accuracy (percentage points)" in lines, "no p is shown"
    assert "BRN - BN +0.00 inconclusive at least 5" in lines
    lines = printed(f"{three}baseline: BN\n", tmp_path)
    assert [line.split(" +")[0] for line in lines if "inconclusive" in line] == ["none - BN", "BRN - BN"]


def test_a_grid_ends_with_a_table_of_verdicts(tmp_path):
    lines = printed(f"{COMPARED}grid: {{training.optimizer.momentum: [0.5, 0.9]}}", tmp_path)
    assert any(line.startswith("paired differences in test accuracy") for line in lines)
    assert "0.5 BRN - BN +0.00 inconclusive at least 5" in lines


@pytest.mark.parametrize(("gap", "percent"), [(0.0, "0.00"), (0.02, "2.00"), (-0.03, "3.00")])
def test_identical_variants_end_with_their_measured_difference(tmp_path, gap, percent):
    text = COMPARED.replace("r_max: 3, d_max: 5", "r_max: 1, d_max: 0")
    lines = printed(text, tmp_path, lambda trial: 0.5 + gap * (trial.variant == "BRN") * trial.seed)
    assert lines[-2] == (
        "Where variants are identical by construction, their measured test accuracies differ by at most "
        f"{percent} points."
    )


def test_identical_variants_that_all_diverge_have_no_difference(tmp_path):
    text = COMPARED.replace("r_max: 3, d_max: 5", "r_max: 1, d_max: 0")
    lines = printed(text, tmp_path, lambda trial: float("nan"), outcome="diverged")
    assert lines[-2].startswith("BN and BRN are identical by construction")


def test_equivalence_on_few_test_images_comes_with_caution(tmp_path):
    lines = printed(COMPARED.replace("seeds: 2", "seeds: 8"), tmp_path)
    assert lines[-2].startswith("Caution: equivalent on 100 test images, of which one is 1 %")
    lines = printed(
        COMPARED.replace("seeds: 2", "seeds: 8"), tmp_path, lambda trial: 0.5 + 0.3 * (trial.variant == "BN")
    )
    assert not any(line.startswith("Caution") for line in lines)


def test_published_values_replace_the_summary(tmp_path):
    text = COMPARED.replace("BRN: {norm: {kind: renorm, r_max: 3, d_max: 5}}", "none: {norm: {kind: none}}")
    lines = printed(f"{text}published: article2/normalisation\ngrid: {{training.optimizer.lr: [0.1, 0.5]}}", tmp_path)
    assert lines[0].startswith("ours, and below it what was published")
    assert lines[1].endswith("epochs to 95 % epochs to 97 % epochs to 98 % best % best epoch seconds verdict")
    assert "of 4 published rows: 4 other settings" in lines
    assert lines[-2].startswith("Published: The second article")


def test_published_differences_follow_the_verdicts(tmp_path):
    batches = "grid: {batches: {independent: {}, few labels: {training: {batch: 10}}}}"
    lines = printed(f"{COMPARED}published: brn17\n{batches}", tmp_path)
    assert "few labels BRN - BN +11.5 +0.00 not decided here" in lines
    assert lines[-2].startswith("Published: S. Ioffe")


def test_a_published_table_that_has_none_of_the_settings_is_no_error(tmp_path):
    lines = printed(f"{COMPARED}published: brn17\ngrid: {{training.optimizer.momentum: [0.5, 0.9]}}", tmp_path)
    assert not any("published and measured" in line for line in lines)
    assert lines[-2].startswith("Published: S. Ioffe")


@pytest.mark.parametrize("grid", ["", "grid: {'[how]': {'[a]': {}, '[/b]': {training: {steps: 5}}}}"])
def test_names_are_printed_literally(tmp_path, grid):
    text = COMPARED.replace("BN:", "'[x] :smile:':", 1)
    lines = "\n".join(printed(f"{text}{grid}", tmp_path))
    assert "[x] :smile:" in lines
    assert all(name in lines for name in ("[how]", "[a]", "[/b]")) or not grid


def test_the_document_for_programs_has_experiment_folder_and_verdicts(tmp_path):
    results = results_of(COMPARED, folder=tmp_path)
    content = json.loads(summary.document(results))
    assert content == {
        "experiment": "compared",
        "variants": ["BN", "BRN"],
        "seeds": [0, 1],
        "device": "cpu",
        "folder": str(tmp_path),
        "verdicts": json.loads(json.dumps(results.verdicts)),
    }


def test_six_seeds_have_a_p_and_what_it_is_corrected_for(tmp_path):
    three = COMPARED.replace("variants:", "variants:\n  none: {norm: {kind: none}}").replace("seeds: 2", "seeds: 6")
    text = " ".join(printed(three, tmp_path, lambda trial: 0.5 + 0.1 * (trial.variant == "BN") + 0.01 * trial.seed))
    assert "(percentage points), p after Holm's correction over 3 comparisons" in text
    assert "fewer than 6 seeds" not in text


def test_a_quiet_screen_has_results_alone(tmp_path):
    three = COMPARED.replace("variants:", "variants:\n  none: {norm: {kind: none}}")
    lines = printed(three, tmp_path, is_quiet=True)
    assert any(line.startswith("paired differences") for line in lines)
    assert not any(line.startswith(("Training values", "With fewer")) for line in lines)
