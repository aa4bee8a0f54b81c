"""What stands below the charts: it is true of what is drawn."""

from dataclasses import replace

import pytest

from bnrenorm.analysis.report import charts, corrections
from bnrenorm.analysis.report.cells import Cells
from tests.analysis.report.runs import TEXT, results

BANDS = "Bands: 95 % interval of the mean over the seeds, at each step by itself: of many steps some lie outside."


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        (1, "One seed."),
        (2, "Thick: mean over the seeds; thin: single seeds. Bands need 6."),
        (5, "Thick: mean over the seeds; thin: single seeds. Bands need 6."),
        (6, BANDS),
        (13, BANDS),
        (14, f"{BANDS} They come from random subsets of the seeds, the intervals in tables from all."),
        (31, BANDS),
    ],
)
def test_a_caption_says_what_is_drawn_of_so_many_seeds(seeds, said):
    assert charts.curves(Cells(results(TEXT.replace("seeds: 6", f"seeds: {seeds}")))).caption == said


def test_a_caption_of_an_unfinished_run_says_what_is_drawn_of_the_trials_that_are_there():
    made = results()
    some = [(trial, result) for trial, result in made.trials if trial.variant == "none" or trial.seed < 3]
    cells = Cells(replace(made, trials=some))
    thin = "Thick: mean over the seeds; thin: single seeds. Bands need 6."
    assert charts.curves(cells).caption == f"{BANDS} {thin}"
    assert charts.differences(cells).caption.endswith(f"count as equivalent. {thin}")
    first = [(trial, result) for trial, result in made.trials if not trial.seed]
    assert charts.curves(Cells(replace(made, trials=first))).caption == "One seed."


def test_where_too_few_seeds_are_left_at_every_step_they_are_drawn_one_by_one():
    made = results()
    for trial, result in made.trials:
        if trial.seed < 3:
            result.records.update({name: [float("nan")] * 4 for name in result.records if name.endswith("accuracy")})
    chart = charts.differences(Cells(made))
    assert chart.caption.endswith("Thick: mean over the seeds; thin: single seeds. Bands need 6.")
    assert all(len(chart.frames[""]["sources"][f"lines {i}"]["xs"]) == 6 for i in range(3))


def test_seeds_that_change_nothing_have_no_bands():
    made = results()
    for _, result in made.trials:
        result.records.update({name: [0.5] * 4 for name in result.records if name.endswith(("accuracy", "loss"))})
    assert charts.curves(Cells(made)).caption == "No bands: all seeds have the same values."


def test_a_cross_is_explained_where_there_is_one():
    assert "cross" not in charts.curves(Cells(results())).caption
    cross = "A red cross is the last value of a trial that diverged; means are of the seeds that have a value."
    assert charts.curves(Cells(results(diverged=[("BN", 2)]))).caption.endswith(cross)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", "training mode (statistics of the batch), of the"),
        ("model: {dropout: {keep_hidden: 0.5}}\n", "(statistics of the batch, and dropout where a variant has it)"),
        ("training: {batch: 8, micro_batch: 4}\n", "(statistics of the images that are normalised together)"),
    ],
)
def test_the_modes_are_explained_by_the_settings(more, said):
    text = TEXT if "training" not in more else TEXT.replace("training: {steps: 8}\n", "")
    assert said in charts.gap(Cells(results(text + more))).caption


def test_what_one_variant_of_several_does_is_explained():
    mixed = TEXT.replace("norm: {kind: batch}", "norm: {kind: batch}, model: {dropout: {keep_hidden: 0.5}}")
    assert "and dropout where a variant has it" in charts.gap(Cells(results(mixed))).caption


@pytest.mark.parametrize(("seeds", "said"), [(1, "One seed."), (2, "Means over the seeds.")])
def test_corrections_of_one_seed_are_no_means(seeds, said):
    cells = Cells(results(TEXT.replace("seeds: 6", f"seeds: {seeds}")))
    assert corrections.corrections(cells).caption.startswith(said)


def test_where_nothing_is_renormalised_corrections_are_distances():
    chart = corrections.corrections(
        Cells(results(TEXT.replace("kind: renorm, r_max: 3, d_max: 5, warmup: 2, ramp_r: 4, ramp_d: 2", "kind: batch")))
    )
    assert (chart.title, chart.caption) == ("Distances of batch and running statistics", "Means over the seeds.")
    assert "r and d: median" in corrections.corrections(Cells(results())).caption


def test_early_stopping_is_told_wherever_curves_go_on():
    text = TEXT.replace("steps: 8}", "steps: 8, early_stopping: {patience: 2}}\ndata: {validation: 50}")
    made = results(text)
    for _, result in made.trials:
        result.records["validation_loss"] = result.records["test_loss"]
    cells = Cells(made)
    for chart in (charts.curves(cells), charts.differences(cells), charts.gap(cells), corrections.corrections(cells)):
        assert "best on validation, and curves need not end there" in chart.caption
