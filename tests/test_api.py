import pytest
from matplotlib.figure import Figure

import bnrenorm
from tests.conftest import COMPARED


@pytest.fixture
def results(tmp_path, few_digits_file, config_file):
    experiment = bnrenorm.load(config_file(), seeds=3, training__steps=2, data__path=str(few_digits_file))
    return bnrenorm.run(experiment, device="cpu", out=tmp_path / "runs")


def test_a_notebook_gets_tables_verdicts_and_figures(results):
    assert len(results.summary) == 6
    assert list(results.curves["step"]) == [1, 2] * 6
    assert {"training_mode_accuracy", "layer1_r_50"} <= set(results.diagnostics.columns)
    (verdict,) = results.verdicts
    assert verdict["more_seeds"] == 3
    ax = results.plot.difference(ax=Figure().subplots())
    assert ax.get_legend_handles_labels()[1] == ["BRN - BN"]
    ax = results.plot.difference(ax=Figure().subplots(), only=("BN", "BRN"))
    assert ax.get_legend_handles_labels()[1] == ["BRN - BN"]
    assert results.plot.diagnosis(ax=Figure().subplots()).get_lines()[0].get_label().startswith("BN: ")
    lines = results.plot.curves(ax=Figure().subplots(), metric="train_loss").get_lines()
    want = results.curves[results.curves["variant"] == "BN"].groupby("step")["train_loss"].mean()
    assert list(lines[0].get_ydata()) == list(want)


def test_a_second_run_finds_everything(results, tmp_path):
    calls = []
    again = bnrenorm.run(results.experiment, device="cpu", out=tmp_path / "runs", report=calls.append)
    assert calls == []
    assert again.summary.equals(results.summary)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"training__steps": 0}, "training.steps=0: training.steps expected at least 1"),
        ({"trainin__steps": 3}, "unknown key 'trainin'; did you mean training"),
        ({"seeds": [1, 1]}, "repeated seed"),
    ],
)
def test_bad_overrides_are_named(config_file, overrides, message):
    with pytest.raises(bnrenorm.InputError, match=message):
        bnrenorm.load(config_file(COMPARED), **overrides).trials(100)
