"""The results of an experiment: each table once."""

from dataclasses import replace

import pytest

from bnrenorm import config
from bnrenorm.analysis import outputs
from bnrenorm.analysis.report import provenance
from bnrenorm.errors import InputError
from tests.helpers import COMPARED, results_of, some_digits


def test_tables_are_those_of_the_trials_and_computed_once():
    results = results_of(accuracy=lambda trial: 0.8 if trial.variant == "BRN" else 0.7)
    assert len(results.summary) == 4
    assert len(results.curves) == len(results.diagnostics) == 8
    assert "inference_mode_accuracy" in results.diagnostics
    assert "inference_mode_accuracy" not in results.curves
    (verdict,) = results.verdicts
    assert verdict["mean"] == pytest.approx(0.1)
    assert results.summary is results.summary


def test_results_compare_by_identity():
    results = results_of()
    assert results == results
    assert results != results_of()
    assert len({results, results}) == 1


def test_variants_with_equal_settings_are_identical_by_construction():
    text = COMPARED.replace("{kind: renorm, r_max: 3, d_max: 5}", "{kind: renorm, r_max: 1, d_max: 0}")
    (verdict,) = results_of(text).verdicts
    assert verdict["verdict"] == "identical by construction"


def test_differences_are_against_the_baseline():
    (verdict,) = results_of(
        f"{COMPARED}baseline: BRN\n", lambda trial: 0.75 if trial.variant == "BRN" else 0.5
    ).verdicts
    assert (verdict["a"], verdict["b"], verdict["mean"]) == ("BRN", "BN", -0.25)


def test_differences_below_the_margin_that_a_config_gives_are_equivalent():
    text, accuracy = COMPARED.replace("seeds: 2", "seeds: 6"), lambda trial: 0.5 + 0.009 * (trial.variant == "BN")
    (verdict,) = results_of(text, accuracy).verdicts
    assert (verdict["verdict"], verdict["margin"]) == ("BN better", 0.002)
    results = results_of(f"{text}margin: 1\n", accuracy)
    (verdict,) = results.verdicts
    assert (verdict["verdict"], verdict["margin"]) == ("equivalent", 0.01)
    assert verdict["sentence"].endswith("6 paired seeds: equivalent within 1 point.")
    assert len(results.cautions) == (results.data.test * 0.01 < 1)
    fewer = results_of(f"{text.replace('seeds: 6', 'seeds: 4')}margin: 1\n", accuracy).verdicts[0]["sentence"]
    assert fewer.endswith("2 more needed (--seeds 6)."), "as many as a difference takes"


def test_without_a_published_table_there_is_none():
    results = results_of()
    assert (results.published, results.published_differences, results.published_values) == (None, None, None)


@pytest.mark.parametrize(
    ("published", "grid", "differences", "values"),
    [
        ("brn17", "batches: {independent: {}, few labels: {training: {batch: 10}}}", 2, None),
        ("article2/normalisation", "training.optimizer.lr: [0.1, 0.5]", None, 4),
    ],
)
def test_a_published_table_compares_differences_or_values(published, grid, differences, values):
    results = results_of(f"{COMPARED}published: {published}\ngrid: {{{grid}}}\n")
    for table, rows in ((results.published_differences, differences), (results.published_values, values)):
        assert table is None if rows is None else len(table) == rows


def test_a_terminal_shows_results_in_one_line():
    results = results_of()
    assert repr(results) == "ExperimentResults(compared: BN, BRN; 2 seeds; 4 trials on cpu; in nowhere)"
    assert replace(results, trials=results.trials[:3]).headline == "compared: BN, BRN; 2 seeds; 3 trials on cpu"


def test_losses_say_what_they_are():
    squared = COMPARED.replace("steps: 4", "steps: 4, loss: squared_error") + "evaluation: {penalty: true}\n"
    both = COMPARED.replace("d_max: 5}", "d_max: 5}, training: {loss: squared_error}")
    assert results_of().loss == "mean cross entropy (nats)"
    assert results_of(squared).loss == "half the squared error with penalty"
    assert results_of(both).loss == "mean cross entropy (nats) or half the squared error"


def test_equivalence_on_few_test_images_is_told_with_caution():
    seeds = COMPARED.replace("seeds: 2", "seeds: 6")
    same = results_of(seeds)
    assert same.verdicts[0]["verdict"] == "equivalent"
    (caution,) = same.cautions
    assert caution == "equivalent on 100 test images, of which one is 1 %: it says little of other images"
    assert caution in provenance.notes(same)
    assert f"Caution: {caution}." in same._repr_html_()
    assert results_of(seeds, accuracy=lambda trial: 0.5 + 0.3 * (trial.variant == "BRN")).cautions == []
    assert replace(same, data=some_digits(200, 500).described).cautions == []
    third = seeds.replace("variants:\n", "variants:\n  none: {norm: {kind: none}}\n")
    some = results_of(third, accuracy=lambda trial: 0.5 + 0.3 * (trial.variant == "none"))
    assert some.cautions == [caution], "of three comparisons one is equivalent"


def test_published_values_are_counted():
    text = f"{COMPARED}published: article2/normalisation\ngrid: {{training.optimizer.lr: [0.1, 0.5]}}\n"
    assert results_of(text).published_count == "of 2 published rows: 2 other settings"
    assert results_of().published_count is None


def test_results_are_saved_into_another_folder_as_a_run_leaves_them(tmp_path):
    results = results_of(folder=tmp_path / "run")
    place = results.save(tmp_path / "a" / "b")
    assert place == tmp_path / "a" / "b"
    files = {path.name for path in place.iterdir()}
    tables = {"curves.csv", "diagnostics.csv", "summary.csv", "verdict.json", "environment.json"}
    figures = {f"{name}{suffix}" for name in outputs.figures(results, "effect") for suffix in (".png", ".svg")}
    assert files == {"experiment.yaml", "report.html", *tables, *figures}
    assert config.load(place / "experiment.yaml").resolved() == results.experiment.resolved()
    assert not (tmp_path / "run").exists()


def test_a_file_in_the_way_is_named_and_left_alone(tmp_path):
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(InputError, match="mine: is a file, expected a folder"):
        results_of(folder=tmp_path).save(tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "kept"


@pytest.mark.slow
def test_the_results_of_others_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "figures", lambda results, axes: {})
    (tmp_path / "runs" / "trials").mkdir(parents=True)
    mine, other, new = (tmp_path / "runs" / name for name in ("a-00000001", "b-00000002", "new"))
    mine, other = results_of(folder=mine), results_of(folder=other)
    for results in (mine, other, mine):
        results.save(results.folder)
        (results.folder / ".trials.json").touch()
    for place in (other.folder, tmp_path / "runs"):
        before = sorted(path.name for path in place.iterdir())
        with pytest.raises(InputError, match=f"^{place}: has the results of others, expected a folder of its own"):
            mine.save(place)
        assert sorted(path.name for path in place.iterdir()) == before
    for results in (mine, other):
        assert results.save(new) == new, "what another one has saved is written anew"


def test_a_figure_that_is_not_saved_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "figures", lambda results, axes: {"loss": lambda: 1 / 0})
    with pytest.warns(UserWarning, match=r"loss\.png: not drawn: ZeroDivisionError") as caught:
        results_of(folder=tmp_path).save(tmp_path / "there")
    assert caught[0].filename == __file__
