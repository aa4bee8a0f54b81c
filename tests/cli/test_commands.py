"""`bnrenorm compare` as a user gives it, in its own process where the exit matters; versions and help."""

import json
import os
import re
import subprocess
import sys
import warnings

import pandas as pd
import pytest
import yaml
from matplotlib.figure import Figure

from bnrenorm import config
from bnrenorm.analysis import outputs
from bnrenorm.errors import Hint
from tests.helpers import COMPARED, run_command


@pytest.mark.slow
def test_compare_leaves_the_run_folder_of_the_contract(config_file, few_digits_file, tmp_path):
    out = tmp_path / "out"
    done = run_command(
        "compare", config_file(), "--set", f"data.path={few_digits_file}", "--out", out, "--device", "cpu"
    )
    assert (done.returncode, done.stderr) == (0, "")
    (folder,) = out.glob("compared-*")
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == [
        "accuracy.png", "accuracy.svg", "curves.csv", "diagnostics.csv", "diagnostics.png", "diagnostics.svg",
        "effect.png", "effect.svg", "environment.json", "experiment.yaml", "loss.png", "loss.svg", "report.html",
        "summary.csv", "verdict.json",
    ]  # fmt: skip
    curves = pd.read_csv(folder / "curves.csv")
    assert len(curves) == 2 * 2 * 4
    summary = pd.read_csv(folder / "summary.csv")
    assert list(summary["outcome"]) == ["finished"] * 4
    last = curves[(curves.variant == "BRN") & (curves.seed == 1)].iloc[-1]
    assert summary.iloc[3]["final_test_loss"] == last["test_loss"]
    (verdict,) = json.loads((folder / "verdict.json").read_text())
    assert verdict["verdict"] == "inconclusive"
    assert verdict["sentence"] in done.stdout
    resolved = yaml.safe_load((folder / "experiment.yaml").read_text())
    assert resolved["variants"]["BRN"]["norm"]["r_max"] == 3
    assert list(summary.columns[-2:]) == ["engine", "device"]
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["versions"]["chainer"] == "7.8.1"
    assert environment["device"] == "cpu"
    assert len(environment["data"]["checksum"]) == 64
    for value in (summary.groupby("variant")["final_train_loss"].mean()).round(4):
        assert f"{value:.4f}" in done.stdout


@pytest.mark.slow
def test_the_articles_variants_are_known_to_be_identical_and_agree(call, few_digits_file, tmp_path, no_pictures):
    settings = [f"data.path={few_digits_file}", "training.steps=5", "model.hidden=[30]"]
    code, out, _ = call("compare", "article", "--out", tmp_path / "out", *(a for s in settings for a in ("--set", s)))
    assert code == 0
    assert out.count("BN and BRN are identical by construction: in BRN r is clipped to [1, 1]") == 2
    assert "their measured test accuracies differ by at most 0.00 points" in out
    (path,) = (tmp_path / "out").glob("article-*/verdict.json")
    (verdict,) = json.loads(path.read_text())
    assert verdict["verdict"] == "identical by construction"
    curves = pd.read_csv(path.with_name("curves.csv"))
    bn, brn = (curves[curves.variant == v].drop(columns="variant").to_numpy() for v in ("BN", "BRN"))
    assert (bn == brn).all()


@pytest.mark.slow
def test_a_runs_experiment_yaml_repeats_it(call, compare, tmp_path, no_pictures):
    out, text = tmp_path / "out", COMPARED + "grid: {training.batch: [10, full]}"
    _, first, _ = compare("--set", "training.optimizer.lr=1e-2", "--seeds", "1", text=text)
    assert " %  group " in first
    (folder,) = out.glob("compared-*")
    trials = sorted((out / "trials").iterdir())
    files = {path.name: path.read_bytes() for path in folder.glob("*.*")}
    code, again, err = call(
        "compare", folder / "experiment.yaml", "--engine", "chainer", "--device", "cpu", "--out", out
    )
    assert (code, err) == (0, "")
    assert " %  group " not in again
    assert again.splitlines()[-1] == first.splitlines()[-1]
    assert list(out.glob("compared-*")) == [folder]
    assert sorted((out / "trials").iterdir()) == trials
    for name in ("experiment.yaml", "curves.csv", "summary.csv", "verdict.json"):
        assert (folder / name).read_bytes() == files[name], name


@pytest.mark.slow
def test_an_encoding_without_the_plus_minus_sign_escapes_it(config_file, few_digits_file, tmp_path):
    text = COMPARED.replace("BRN:", "BÄRN:")
    arguments = ("compare", config_file(text), "--set", f"data.path={few_digits_file}", "--out", tmp_path / "out")
    done = run_command(*arguments, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"\d \+- \d", done.stdout)
    assert r"B\xc4RN - BN" in done.stdout


NOTE = (
    "Note: no compiled kernels for tanh (model.activation: tanh): trained by the Chainer engine on cpu, whose rounding "
    "differs."
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "engines", "notes"),
    [
        ("auto", ["cpu", "cpu", "chainer", "chainer"], [NOTE]),
        ("cpu", ["cpu", "cpu", "chainer", "chainer"], [NOTE]),
        ("chainer", ["chainer"] * 4, []),
    ],
)
def test_a_comparison_by_two_engines_says_so(compare, tmp_path, no_pictures, engine, engines, notes):
    text = COMPARED.replace("  BRN: {", "  tanh: {model: {activation: tanh}, ")
    code, out, _ = compare("--engine", engine, text=text)
    assert code == 0
    assert [line for line in out.splitlines() if "engine" in line] == notes
    summary = pd.read_csv(next((tmp_path / "out").glob("compared-*/summary.csv")))
    assert list(summary["variant"]) == ["BN", "BN", "tanh", "tanh"]
    assert list(summary["engine"]) == engines


def test_a_dry_run_trains_and_writes_nothing(compare, tmp_path):
    code, out, _ = compare("--dry-run")
    assert code == 0
    assert "4 trials, 0 finished, 4 to train" in out
    assert not (tmp_path / "out").exists()


def test_a_run_is_repeated_by_its_folder_and_its_name_is_not_a_config(call, few_digits_file, config_file, tmp_path):
    run = tmp_path / "quick-d9dea2ac"
    run.mkdir()
    experiment = config.load(config_file(), [f"data.path={few_digits_file}"])
    (run / "experiment.yaml").write_text(experiment.as_config())
    code, out, _ = call("compare", run, "--out", tmp_path, "--dry-run")
    assert (code, "compared: BN, BRN" in out) == (0, True)
    code, _, err = call("compare", run.name, "--out", tmp_path)
    assert (code, err) == (2, f"bnrenorm: {run.name}: no such file; did you mean {run}?\n")


def test_a_figure_that_fails_is_one_line_after_the_results_and_exit_code_one(compare, tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "figures", lambda *_: {"loss": lambda: 1 / 0, "accuracy": Figure})
    code, out, err = compare()
    (folder,) = (tmp_path / "out").glob("compared-*")
    assert (code, err) == (1, f"bnrenorm: {folder / 'loss.png'}: not drawn: ZeroDivisionError: division by zero\n")
    assert out.splitlines()[-1] == f"Report, next to tables and figures: {folder / 'report.html'}"
    assert {"summary.csv", "verdict.json", "accuracy.png", "accuracy.svg"} <= {path.name for path in folder.iterdir()}


def test_json_is_all_of_standard_output(compare, tmp_path, no_pictures):
    code, out, err = compare("--json")
    (folder,) = (tmp_path / "out").glob("compared-*")
    content = json.loads(out)
    assert (code, content["folder"]) == (0, str(folder))
    assert content["verdicts"] == json.loads((folder / "verdict.json").read_text())
    assert "compared: BN, BRN" in err
    assert "%  step" in err
    code, out, err = compare("--json", "--quiet")
    assert (code, json.loads(out), err) == (0, content, "")
    code, out, err = compare("--quiet")
    assert (code, out.splitlines()[0], err) == (0, "final values, mean ± standard deviation over seeds", "")


def test_the_axes_of_the_figures_are_chosen(compare, monkeypatch):
    choices = []
    monkeypatch.setattr(outputs, "write_figures", lambda results, axes: choices.append(axes) or [])
    assert compare()[0] == compare("--axes", "article")[0] == 0
    assert choices == ["effect", "article"]
    assert compare("--axes", "other")[0] == 2


def test_tables_and_verdicts_are_there_before_the_first_figure(compare, monkeypatch, capsys):
    seen = []

    def look(results, axes):
        seen.append(({path.name for path in results.folder.iterdir()}, capsys.readouterr().out))
        return {}

    monkeypatch.setattr(outputs, "figures", look)
    compare()
    ((files, printed),) = seen
    assert {"curves.csv", "diagnostics.csv", "summary.csv", "verdict.json", "environment.json"} <= files
    assert "BRN - BN = " in printed


def test_a_hint_is_one_line_and_other_warnings_are_pythons(call, monkeypatch):
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)  # restored after the test
    call("--version")
    assert warnings.formatwarning("install a font", Hint, "fonts.py", 7) == "bnrenorm: install a font\n"
    assert warnings.formatwarning("old", DeprecationWarning, "no.py", 7) == "no.py:7: DeprecationWarning: old\n"


def test_version_and_help(call):
    assert call("--version")[1].strip() == "0.1.0"
    code, out, err = call("--help")
    assert (code, err) == (0, "")
    assert "compare" in out
    assert call() == (0, out, "")
    assert call("data") == (0, call("data", "--help")[1], "")


@pytest.mark.parametrize("columns", [40, 80])
def test_help_is_no_wider_than_the_terminal(columns):
    for command in ([], ["compare"], ["data", "show"]):
        done = run_command(*command, "--help", env={**os.environ, "COLUMNS": str(columns)})
        assert done.returncode == 0
        assert max(map(len, done.stdout.splitlines())) < columns


def test_the_installed_command_finds_its_configs_in_any_folder(tmp_path):
    done = run_command("list", cwd=tmp_path)
    assert done.returncode == 0
    assert "article" in done.stdout


def test_a_module_that_is_run_completes_the_command():
    """`python -m bnrenorm` is no name that a shell could complete: its script had broken the completion of python."""
    script = 'true && "$0" -m bnrenorm --show-completion'  # a shell is what it looks for among its parents
    done = subprocess.run(["bash", "-c", script, sys.executable], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "_BNRENORM_COMPLETE=complete_bash" in done.stdout
    assert done.stdout.rstrip().endswith(" bnrenorm")
