"""The files of a run folder: which there are for each kind of experiment, and what is in them."""

import json
import sys
from dataclasses import replace
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import bnrenorm
from bnrenorm.analysis import outputs
from bnrenorm.analysis.plots import effects, pages, parameters, style
from tests.helpers import COMPARED, FEW, results_of

TABLES = {"curves.csv", "diagnostics.csv", "summary.csv", "verdict.json", "environment.json", "report.html"}
WRITTEN_BY_THE_SESSION = {"experiment.yaml"}
FOUR = "none: {norm: {kind: none}}\n  N: {norm: {kind: batch, affine: none}}"


def figures(names):
    """Return the files of figures."""
    return {f"{name}.{kind}" for name in names.split() for kind in ("png", "svg")}


KINDS = {
    "two variants": (COMPARED, figures("effect loss accuracy diagnostics")),
    "one variant": (COMPARED.replace("  BRN: {norm: {kind: renorm, r_max: 3, d_max: 5}}\n", ""), figures("loss accuracy diagnostics")),
    "four variants": (COMPARED.replace("variants:\n", f"variants:\n  {FOUR}\n"), figures("effect difference loss accuracy diagnostics")),
    "a grid": (
        f"{COMPARED}grid: {{training.optimizer.momentum: [0.5, 0.9]}}",
        figures("effect curves training_curves difference diagnostics"),
    ),
    "a grid of one variant": (
        COMPARED.replace("  BN: {norm: {kind: batch}}\n", "") + "grid: {norm.d_max: [1, 5]}",
        figures("effect curves training_curves diagnostics"),
    ),
    "parameters": (
        f"{COMPARED}evaluation: {{parameters: true}}",
        figures("effect loss accuracy diagnostics weights affine affine_epochs"),
    ),
    "published differences": (
        f"{COMPARED}published: brn17\ngrid: {{batches: {{independent: {{}}, few labels: {{training: {{batch: 10}}}}}}}}",
        figures("effect curves training_curves difference diagnostics") | {"published.csv"},
    ),
    "published values": (
        f"{COMPARED}published: article2/normalisation\ngrid: {{training.optimizer.lr: [0.1, 0.5]}}",
        figures("effect curves training_curves difference diagnostics") | {"published.csv"},
    ),
}  # fmt: skip


@pytest.fixture
def run(config_file, few_digits_file, tmp_path):
    """A function that runs a config on few digits."""

    def run(text, **overrides):
        experiment = bnrenorm.load(config_file(text), data__path=str(few_digits_file), **overrides)
        return bnrenorm.run(experiment, device="cpu", out=tmp_path / "runs")

    return run


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_every_kind_of_experiment_leaves_its_files(run, monkeypatch, kind):
    text, files = KINDS[kind]
    for render in ("png", "svg"):
        monkeypatch.setattr(style, render, lambda figure: b"drawn")  # which files, not which pixels
    monkeypatch.setattr(parameters, "_LEARNED", -1.0)
    results = run(text)
    written = {path.name for path in results.folder.iterdir() if not path.name.startswith(".")}
    assert written == TABLES | WRITTEN_BY_THE_SESSION | files


@pytest.mark.slow
def test_the_files_hold_the_tables_and_real_figures(run):
    results = run(COMPARED)
    for name in ("curves", "diagnostics", "summary"):
        table = pd.read_csv(results.folder / f"{name}.csv")
        pd.testing.assert_frame_equal(table, getattr(results, name), check_dtype=False)
    assert json.loads((results.folder / "verdict.json").read_text()) == results.verdicts
    for name, draw in outputs.figures(results, "effect").items():
        figure = draw()
        for suffix, render, start in ((".png", style.png, b"\x89PNG"), (".svg", style.svg, b"<?xml")):
            content = (results.folder / f"{name}{suffix}").read_bytes()
            assert content.startswith(start)
            assert content == render(figure)


@pytest.mark.slow
def test_published_csv_is_the_compared_table(run):
    results = run(KINDS["published values"][0])
    want = pd.read_csv(StringIO(results.published_values.to_csv(index=False)))
    pd.testing.assert_frame_equal(pd.read_csv(results.folder / "published.csv"), want)
    outputs.write_tables(replace(results, experiment=replace(results.experiment, published=None)))
    assert not (results.folder / "published.csv").exists()


@pytest.mark.slow
def test_the_environment_counts_the_trials_by_what_trained_them(run):
    results = run(COMPARED)
    environment = json.loads((results.folder / "environment.json").read_text())
    (trained_by,) = environment["trained_by"]
    date = trained_by.pop("first")
    assert date == trained_by.pop("last")
    assert {**trained_by, "date": date} == {**results.trials[0][1].provenance, "trials": 4}
    images = {"source": results.data.source, "checksum": results.data.checksum}
    assert environment["data"] == {**images, "train": 300, "test": 100, "classes": 10, "most_frequent": 15}
    assert environment["notes"] == [FEW]
    assert environment["device"] == "cpu"


def test_what_trained_several_trials_has_their_first_and_last_date(tmp_path):
    results = results_of(COMPARED.replace("seeds: 2", "seeds: 3"), folder=tmp_path)
    elsewhere = {"engine": "chainer", "device": "cuda:0", "gpu": "H100", "threads": 16, "versions": {}}
    for day, (trial, result) in zip((3, 1, 4, 2, 6, 5), results.trials, strict=True):
        if trial.seed:
            result.provenance.update(elsewhere)
        result.provenance["date"] = f"2026-01-0{day}"
    outputs.write_tables(results)
    here, there = json.loads((tmp_path / "environment.json").read_text())["trained_by"]
    assert here == {"engine": "cpu", "device": "cpu", "trials": 2, "first": "2026-01-02", "last": "2026-01-03"}
    assert there == {**elsewhere, "trials": 4, "first": "2026-01-01", "last": "2026-01-06"}


@pytest.mark.slow
def test_variants_of_two_engines_are_told_apart_in_the_summary(run):
    """There are no compiled kernels for tanh: the Chainer engine trains that variant."""
    text = COMPARED.replace("  BRN: {", "  tanh: {model: {activation: tanh}, ")
    results = run(text)
    engines = pd.read_csv(results.folder / "summary.csv").groupby("variant")["engine"].unique()
    assert list(engines["BN"]) == ["cpu"]
    assert list(engines["tanh"]) == ["chainer"]
    assert {entry["engine"] for entry in outputs._environment(results)["trained_by"]} == {"cpu", "chainer"}


@pytest.mark.slow
def test_titles_name_what_the_lines_are(run, monkeypatch):
    titles = []
    monkeypatch.setattr(
        pages, "training_and_test", lambda table, value, title, choice, loss: titles.append(title) or Figure()
    )
    run(COMPARED, seeds=1)
    run(COMPARED)
    assert titles == [
        "Loss: compared (seed 0)",
        "Accuracy: compared (seed 0)",
        "Loss: compared (mean of 2 seeds, thin: single seeds)",
        "Accuracy: compared (mean of 2 seeds, thin: single seeds)",
    ]


def test_a_loss_is_labelled_as_what_it_is():
    def label(text):
        return outputs.figures(results_of(text), "effect")["loss"]().axes[0].get_ylabel()

    assert label(COMPARED) == "mean cross entropy (nats)"
    assert label(COMPARED.replace("steps: 4", "steps: 4, loss: squared_error")) == "half the squared error"


def test_titles_name_the_variants_that_diverged(tmp_path, monkeypatch):
    results, titles = results_of(folder=tmp_path, accuracy=lambda trial: 0.9 + 0.01 * trial.seed), []
    trials = [
        (trial, replace(result, outcome="diverged") if trial.variant == "BN" or trial.seed else result)
        for trial, result in results.trials
    ]
    monkeypatch.setattr(pages, "training_and_test", lambda table, value, title, choice, loss: titles.append(title))
    outputs.write_figures(replace(results, trials=trials))
    assert titles[1].endswith("single seeds; BN diverged in 2 of 2; BRN diverged in 1 of 2)")


def test_the_articles_axes_are_kept_on_request(tmp_path, monkeypatch):
    choices = []
    monkeypatch.setattr(pages, "training_and_test", lambda table, value, title, choice, loss: choices.append(choice))
    monkeypatch.setattr(effects, "by_steps", lambda table, verdicts, title, choice, judged: choices.append(choice))
    outputs.write_figures(results_of(folder=tmp_path))
    outputs.write_figures(results_of(folder=tmp_path), "article")
    assert choices == 3 * ["effect"] + 3 * ["article"]


@pytest.mark.parametrize(("baseline", "base"), [("", "none"), ("baseline: BN\n", "BN")])
def test_the_ranking_is_against_the_baseline(tmp_path, monkeypatch, baseline, base):
    bases = []
    monkeypatch.setattr(effects, "ranking", lambda verdicts, base, title: bases.append(base))
    results = results_of(KINDS["four variants"][0] + baseline, folder=tmp_path)
    outputs.write_figures(results)
    assert bases == [base]


def test_a_ranking_needs_no_results_of_the_first_variant(tmp_path):
    """They may be lost on a cluster."""
    results = results_of(KINDS["four variants"][0], folder=tmp_path)
    kept = [(trial, result) for trial, result in results.trials if trial.variant != "none"]
    assert outputs.write_figures(replace(results, trials=kept)) == []


def test_a_figure_that_fails_costs_one_line_and_no_other_file(tmp_path, monkeypatch):
    draw = pages.training_and_test

    def fail_at_loss(table, value, *arguments):
        if value == "loss":
            raise ValueError("one\nline")
        return draw(table, value, *arguments)

    monkeypatch.setattr(pages, "training_and_test", fail_at_loss)
    results = results_of(folder=tmp_path)
    assert outputs.write_figures(results) == [f"{tmp_path / 'loss.png'}: not drawn: ValueError: one line"]
    assert {path.name for path in tmp_path.iterdir()} == figures("effect accuracy")


def test_a_matplotlib_that_cannot_be_imported_costs_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bnrenorm.analysis.plots", None)
    (line,) = outputs.write_figures(results_of(folder=tmp_path))
    assert line.startswith(f"{tmp_path / '*.png'}: not drawn: ModuleNotFoundError: ")


@pytest.mark.parametrize("grid", ["", "grid: {'$a$ _': {'_$b': {}, '$\\frac$': {}}}"])
def test_every_name_is_drawn_literally_in_every_figure(tmp_path, monkeypatch, grid):
    drawn_figures = []
    png = style.png

    def keep(figure):
        drawn_figures.append(figure)
        return png(figure)

    monkeypatch.setattr(style, "png", keep)
    names = ["_none", "$x$ %", r"$\frac$", "$"]
    variants = "".join(f"\n  '{name}': {{model: {{hidden: [{10 + i}]}}}}" for i, name in enumerate(names))
    results = results_of(f"name: a\nseeds: 2\n{grid}\nvariants:{variants}\n", lambda trial: 0.5, tmp_path)
    for _, trained in results.trials:
        trained.parameters.update({"linears/0/W": np.ones((2, 3)), "norms/0/affine/gamma": np.ones((1, 3))})
        trained.records.update(layer1_gamma=[1.0, 1.1], training_mode_accuracy=[0.5, 0.6])
    assert outputs.write_figures(results) == []
    assert len(drawn_figures) == len(outputs.figures(results, "effect")) >= 6
    for figure in drawn_figures:
        drawn = [text._preprocess_math(text.get_text()) for text in figure.findobj(Text) if "$" in text.get_text()]
        assert all(kind is False or text.startswith(r"$\mathdefault") for text, kind in drawn)
        literal = " ".join(text for text, kind in drawn if kind is False)
        assert all(name in literal for name in names[1:])
