"""The command as a user gives it, in its own process where the exit matters."""

import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import yaml

from bnrenorm import _compat
from bnrenorm.cli.printer import Printer
from bnrenorm.data import mnist
from bnrenorm.engines import device
from bnrenorm.errors import DeviceError, Hint
from bnrenorm.runs.interrupt import SIGNALS
from bnrenorm.training import loop
from tests.helpers import COMPARED

COMPARE_QUICKLY = ("compare", "--engine", "chainer")


def bnrenorm(*arguments, cwd=None, env=None):
    command = [sys.executable, "-m", "bnrenorm", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env)


@pytest.mark.slow
def test_compare_leaves_the_run_folder_of_the_contract(config_file, few_digits_file, tmp_path):
    out = tmp_path / "out"
    done = bnrenorm("compare", config_file(), "--set", f"data.path={few_digits_file}", "--out", out, "--device", "cpu")
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


def test_a_gpu_that_cannot_compute_is_one_line_and_exit_code_2(call, tmp_path, monkeypatch):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 1)
    monkeypatch.setattr(device, "problem", lambda index: "ImportError: libcublasLt.so.12: cannot open")
    code, out, err = call("compare", "quick", "--device", "cuda:0", "--out", tmp_path / "out")
    line = "--device cuda:0: ImportError: libcublasLt.so.12: cannot open; `bnrenorm doctor` says what is missing"
    assert (code, out, err) == (2, "", f"bnrenorm: {line}\n")
    assert not (tmp_path / "out").exists()


def test_a_gpu_that_fails_is_one_line_and_exit_code_1(call, config_file, few_digits_file, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise DeviceError("cuda:0: CUDARuntimeError: cudaErrorIllegalAddress")

    monkeypatch.setattr(loop.Training, "_advance", fail)
    data = ("--set", f"data.path={few_digits_file}")
    code, _, err = call(*COMPARE_QUICKLY, config_file(), *data, "--out", tmp_path / "out", "--device", "cpu")
    assert code == 1
    assert err == (
        "bnrenorm: cuda:0: CUDARuntimeError: cudaErrorIllegalAddress; finished trials are kept, the same command goes on "
        "from them\n"
    )


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
def test_a_second_call_trains_nothing(call, config_file, few_digits_file, tmp_path, no_pictures):
    arguments = ("compare", config_file(), "--set", f"data.path={few_digits_file}", "--out", tmp_path / "out")
    _, first, _ = call(*arguments)
    _, second, _ = call(*arguments)
    assert "%  step" in first
    assert "%  step" not in second
    assert first.splitlines()[-1] == second.splitlines()[-1]


@pytest.mark.slow
def test_a_runs_experiment_yaml_repeats_it(call, config_file, few_digits_file, tmp_path, no_pictures):
    out = tmp_path / "out"
    settings = ("--set", f"data.path={few_digits_file}", "--set", "training.optimizer.lr=1e-2", "--seeds", "1")
    _, first, _ = call("compare", config_file(COMPARED + "grid: {training.batch: [10, full]}"), *settings, "--out", out)
    (folder,) = out.glob("compared-*")
    trials = sorted((out / "trials").iterdir())
    files = {path.name: path.read_bytes() for path in folder.glob("*.*")}
    code, again, err = call("compare", folder / "experiment.yaml", "--out", out)
    assert (code, err) == (0, "")
    assert "%  step" not in again
    assert again.splitlines()[-1] == first.splitlines()[-1]
    assert list(out.glob("compared-*")) == [folder]
    assert sorted((out / "trials").iterdir()) == trials
    for name in ("experiment.yaml", "curves.csv", "summary.csv", "verdict.json"):
        assert (folder / name).read_bytes() == files[name], name


@pytest.mark.slow
def test_an_encoding_without_the_plus_minus_sign_escapes_it(config_file, few_digits_file, tmp_path):
    text = COMPARED.replace("BRN:", "BÄRN:")
    arguments = ("compare", config_file(text), "--set", f"data.path={few_digits_file}", "--out", tmp_path / "out")
    done = bnrenorm(*arguments, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"\d \+- \d", done.stdout)
    assert r"B\xc4RN - BN" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["auto", "cpu"])
def test_a_comparison_by_two_engines_says_so(call, config_file, few_digits_file, tmp_path, no_pictures, engine):
    """There are no compiled kernels for tanh."""
    text = COMPARED.replace("  BRN: {", "  tanh: {model: {activation: tanh}, ")
    settings = ("--set", f"data.path={few_digits_file}", "--device", "cpu", "--engine", engine)
    code, out, _ = call("compare", config_file(text), *settings, "--out", tmp_path / "out")
    assert code == 0
    (line,) = [line for line in out.splitlines() if "engine" in line]
    assert line == (
        "Note: no compiled kernels for tanh (model.activation: tanh): trained by the Chainer engine on cpu, whose "
        "rounding differs."
    )
    summary = pd.read_csv(next((tmp_path / "out").glob("compared-*/summary.csv")))
    assert list(summary["variant"]) == ["BN", "BN", "tanh", "tanh"]
    assert list(summary["engine"]) == ["cpu", "cpu", "chainer", "chainer"]


@pytest.mark.slow
def test_the_chainer_engine_trains_all_if_asked_to(call, config_file, few_digits_file, tmp_path, no_pictures):
    settings = ("--set", f"data.path={few_digits_file}", "--device", "cpu", "--engine", "chainer")
    code, out, _ = call("compare", config_file(), *settings, "--out", tmp_path / "out")
    assert code == 0
    assert "Note:" not in out
    assert set(pd.read_csv(next((tmp_path / "out").glob("compared-*/summary.csv")))["engine"]) == {"chainer"}


def test_a_dry_run_trains_and_writes_nothing(call, config_file, few_digits_file, tmp_path):
    arguments = ("compare", config_file(), "--set", f"data.path={few_digits_file}", "--out", tmp_path / "out")
    code, out, _ = call(*arguments, "--dry-run")
    assert code == 0
    assert "4 trials, 0 finished, 4 to train" in out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "comprae"], "comprae: no such file; unknown config 'comprae'; did you mean compare?"),
        (["compare", "--seeds", "0"], "Invalid value for '--seeds': "),
        (["compare", "--seeds", "-2"], "Invalid value for '--seeds': "),
        (["compare", "--seeds", "200000"], "--seeds 200000: seeds is 200000, expected at least 1 and at most 100,000"),
        (["compare", "--seeds", "two"], "--seeds"),
        (["compare", "--set", "training.optimizer.lr=nan"], "training.optimizer.lr is 'nan', expected a number"),
        (["compare", "--set", "norm.kind=layer"], "no trial sees norm.kind; set variants.BN.norm.kind or variants.BRN"),
        (["compare", "--set", "training.steps=!!int ''"], "--set training.steps=!!int '': '' is no int"),
        (
            ["compare", "--set", "data.path=a=b #1.npz"],
            "data.path: 'a=b #1.npz' cannot be read: No such file or directory (relative to the working directory)",
        ),
        (
            ["compare", "--set", "model.hidden=[1000000000000]", "--dry-run"],
            "BN: one network needs about 233 PiB of memory",
        ),
        (["compare", "--memory", "1KiB", "--dry-run"], "BN: one network needs about"),
        (["compare", "/dev/zero"], "/dev/zero: cannot be read: expected a regular file"),
        (
            ["compare", "/"],
            "/: cannot be read: a folder without experiment.yaml, expected a config or the folder of a run",
        ),
        (["compare", "--set", "trainin.steps=3"], "did you mean training?"),
        (["compare", "--baseline", "bn"], "--baseline bn: baseline: unknown variant 'bn'; did you mean BN?"),
        (["config", "--baseline", "bn"], "--baseline bn: baseline: unknown variant 'bn'; did you mean BN?"),
        (["compare", "--set", "data.path=/no/where"], "data.path: '/no/where' cannot be read: No such file"),
        (["compare", "--device", "cuda"], "--device cuda:0: there is no such GPU"),
        (["compare", "--device", "gpu"], "--device gpu: expected auto, cpu, cuda or cuda:N"),
        (["compare", "--device", "cuda:99"], "--device cuda:99: there is no such GPU"),
        (["compare", "x" * 300], "x: cannot be read: File name too long"),
        (["config", "x" * 300], "x: cannot be read: File name too long"),
        (["report", "x" * 300], "x: no such folder"),
        (["compare", "--json", "--dry-run"], "--json: a --dry-run has no verdicts"),
        (["compare", "--engine", "gpu"], "--engine gpu: expected auto, cpu, cuda or chainer"),
        (["compare", "--memory", "much"], "--memory much: expected a size such as 4GiB"),
        (["compare", "--out", "/dev/null/x"], "--out /dev/null/x: cannot be written"),
        (["compare", "--frobnicate"], "No such option: --frobnicate"),
        (["comprae"], "No such command 'comprae'"),
        (["compare", "--set", "data.path=/dev/zero"], "/dev/zero: is a device, expected a regular file"),
        (["compare", "--dry-run", "--set", "data.path=/dev/zero"], "/dev/zero: is a device"),
        (["compare", "--set", "data.first_label=2"], "data.first_label is 2, expected 0 or 1"),
        (["data", "export", "idx", "--path", "/dev/zero"], "/dev/zero: is a device"),
        (["data", "verify", "--first-label", "2"], "--first-label"),
        (["data", "show", "--index", "60000"], "--index 60000: expected 0 to 59999"),
        (["data", "show", "--save", "/dev/null/x.png"], "--save /dev/null/x.png: cannot be written"),
        (["data", "show", "--save", "."], "--save .: cannot be written: Is a directory"),
        (["data", "export", "/dev/null/x"], "/dev/null/x: cannot be written"),
        (["data", "verify", "--path", "/no/where"], "data.path: '/no/where' cannot be read: No such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(call, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*arguments)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_a_fifo_is_no_config(call, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    code, _, err = call("compare", tmp_path / "fifo")
    assert code == 2
    assert "fifo: cannot be read: expected a regular file" in err


def test_images_are_no_config(call, few_digits_file):
    code, _, err = call("compare", few_digits_file)
    assert code == 2
    assert err == f"bnrenorm: {few_digits_file}: is not YAML; to train on images, set data.path={few_digits_file}\n"


def test_a_file_larger_than_any_config_is_refused(call, tmp_path):
    (tmp_path / "large.yaml").write_text("name: a\n" + "# x\n" * 300_000)
    code, _, err = call("compare", tmp_path / "large.yaml")
    assert code == 2
    assert "large.yaml: cannot be read: expected at most 1,048,576 bytes" in err


def test_a_bad_data_file_stops_before_anything_is_written(call, config_file, tmp_path):
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"PK no archive")
    code, _, err = call("compare", config_file(), "--set", f"data.path={bad}", "--out", tmp_path / "out")
    assert (code, err.count("\n")) == (2, 1)
    assert "bad.npz: is cut off or damaged" in err
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_one_line_and_exit_code_one(call, config_file, few_digits_file, tmp_path, monkeypatch):
    from bnrenorm.runs.store import Store

    def full(*arguments):
        raise OSError(28, "No space left on device", "trials/x.json")

    monkeypatch.setattr(Store, "write", full)
    code, _, err = call("compare", config_file(), "--set", f"data.path={few_digits_file}", "--out", tmp_path / "out")
    assert (code, err.count("\n")) == (1, 1)
    assert "No space left on device" in err
    assert "finished trials are kept" in err


def test_only_a_comparison_says_that_trials_are_kept(call, tmp_path, monkeypatch):
    from bnrenorm.runs import inventory

    def refuse(store):
        raise PermissionError(13, "Permission denied", "runs")

    monkeypatch.setattr(inventory, "runs", refuse)
    assert call("runs", "--out", tmp_path) == (1, "", "bnrenorm: [Errno 13] Permission denied: 'runs'\n")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_does_not_cost_the_line(call, tmp_path, monkeypatch, number):
    say = Printer.say

    def interrupted(self, text):
        os.kill(os.getpid(), number)
        say(self, text)

    monkeypatch.setattr(Printer, "say", interrupted)
    code, _, err = call("report", tmp_path)
    assert (code, err) == (2, f"bnrenorm: {tmp_path}: no run folder: it has no experiment.yaml\n")


@pytest.mark.parametrize(
    ("where", "ending"),
    [
        ("bnrenorm.config.load", " before the training began"),
        ("bnrenorm.runs.session.compile_kernels", " before the training began"),
        ("bnrenorm.runs.runner.train", "; the same command goes on from the last checkpoint"),
        ("bnrenorm.api.results_of", "; the same command goes on from the last checkpoint"),
    ],
)
def test_an_interrupt_says_what_there_is_to_go_on_from(
    call, config_file, few_digits_file, tmp_path, monkeypatch, no_pictures, where, ending
):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(where, interrupt)
    data = ("--set", f"data.path={few_digits_file}")
    code, _, err = call(*COMPARE_QUICKLY, config_file(), *data, "--out", tmp_path / "out")
    assert (code, err) == (130, f"bnrenorm: interrupted{ending}\n")


@pytest.mark.parametrize("options", [(), ("--json", "--quiet")])
@pytest.mark.slow
def test_a_pipe_that_is_closed_costs_no_file(config_file, few_digits_file, tmp_path, options):
    arguments = (*COMPARE_QUICKLY, config_file(), "--set", f"data.path={few_digits_file}", "--out", tmp_path / "out")
    command = [sys.executable, "-m", "bnrenorm", *map(str, arguments), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        if not options:
            process.stdout.readline()
        process.stdout.close()
        assert (process.wait(), process.stderr.read()) == (1, "")
    (folder,) = (tmp_path / "out").glob("compared-*")
    assert {"verdict.json", "accuracy.png", "report.html"} <= {path.name for path in folder.iterdir()}


def test_a_run_is_repeated_by_its_folder_and_its_name_is_not_a_config(call, few_digits_file, config_file, tmp_path):
    from bnrenorm import config

    run = tmp_path / "quick-d9dea2ac"
    run.mkdir()
    experiment = config.load(config_file(), [f"data.path={few_digits_file}"])
    (run / "experiment.yaml").write_text(experiment.as_config())
    code, out, _ = call(*COMPARE_QUICKLY, run, "--out", tmp_path, "--dry-run")
    assert (code, "compared: BN, BRN" in out) == (0, True)
    code, _, err = call("compare", run.name, "--out", tmp_path)
    assert (code, err) == (2, f"bnrenorm: {run.name}: no such file; did you mean {run}?\n")


def test_a_figure_that_fails_is_one_line_after_the_results_and_exit_code_one(
    call, config_file, few_digits_file, tmp_path, monkeypatch
):
    from bnrenorm.analysis import outputs

    monkeypatch.setattr(outputs, "pictures", lambda *_: {"loss.png": lambda: 1 / 0, "accuracy.png": lambda: b"PNG"})
    code, out, err = call(
        *COMPARE_QUICKLY, config_file(), "--set", f"data.path={few_digits_file}", "--out", tmp_path / "out"
    )
    (folder,) = (tmp_path / "out").glob("compared-*")
    assert (code, err) == (1, f"bnrenorm: {folder / 'loss.png'}: not drawn: ZeroDivisionError: division by zero\n")
    assert out.splitlines()[-1] == f"Report, next to tables and figures: {folder / 'report.html'}"
    assert {"summary.csv", "verdict.json", "accuracy.png"} <= {path.name for path in folder.iterdir()}


def test_json_is_all_of_standard_output(call, config_file, few_digits_file, tmp_path, no_pictures):
    arguments = (*COMPARE_QUICKLY, config_file(), "--set", f"data.path={few_digits_file}", "--out", tmp_path / "out")
    code, out, err = call(*arguments, "--json")
    (folder,) = (tmp_path / "out").glob("compared-*")
    content = json.loads(out)
    assert (code, content["folder"]) == (0, str(folder))
    assert content["verdicts"] == json.loads((folder / "verdict.json").read_text())
    assert "compared: BN, BRN" in err
    assert "%  step" in err
    code, out, err = call(*arguments, "--json", "--quiet")
    assert (code, json.loads(out), err) == (0, content, "")
    code, out, err = call(*arguments, "--quiet")
    assert (code, out.splitlines()[0], err) == (0, "final values, mean ± standard deviation over seeds", "")


def test_the_axes_of_the_figures_are_chosen(call, config_file, few_digits_file, tmp_path, monkeypatch):
    from bnrenorm.analysis import outputs

    choices = []
    monkeypatch.setattr(outputs, "write_figures", lambda results, axes: choices.append(axes) or [])
    given = [*COMPARE_QUICKLY, config_file(), "--set", f"data.path={few_digits_file}", "--out", tmp_path / "out"]
    assert call(*given)[0] == call(*given, "--axes", "article")[0] == 0
    assert choices == ["effect", "article"]
    assert call(*given, "--axes", "other")[0] == 2


def test_tables_and_verdicts_are_there_before_the_first_figure(
    call, config_file, few_digits_file, tmp_path, monkeypatch, capsys
):
    from bnrenorm.analysis import outputs

    seen = []

    def look(results, axes):
        seen.append(({path.name for path in results.folder.iterdir()}, capsys.readouterr().out))
        return {}

    monkeypatch.setattr(outputs, "pictures", look)
    call(*COMPARE_QUICKLY, config_file(), "--set", f"data.path={few_digits_file}", "--out", tmp_path / "out")
    ((files, printed),) = seen
    assert {"curves.csv", "diagnostics.csv", "summary.csv", "verdict.json", "environment.json"} <= files
    assert "BRN - BN = " in printed


@pytest.mark.slow
def test_data_export_writes_the_canonical_files(call, tmp_path):
    code, _, _ = call("data", "export", tmp_path / "idx")
    assert code == 0
    for stem, md5 in mnist.MD5.items():
        assert hashlib.md5(gzip.decompress((tmp_path / f"idx/{stem}.gz").read_bytes())).hexdigest() == md5


@pytest.mark.slow
def test_code_that_reads_the_four_files_itself_finds_the_digits(call, tmp_path):
    """Like the second article's script: decompress, skip the header, reshape."""
    call("data", "export", tmp_path)
    for split, stem in (("train", "train"), ("test", "t10k")):
        with gzip.open(tmp_path / f"{stem}-images-idx3-ubyte.gz", "rb") as file:
            images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)
        with gzip.open(tmp_path / f"{stem}-labels-idx1-ubyte.gz", "rb") as file:
            labels = np.frombuffer(file.read(), np.uint8, offset=8)
        assert (images == mnist.digits()[f"x_{split}"].reshape(-1, 784)).all()
        assert (labels == mnist.digits()[f"y_{split}"]).all()


def test_labels_from_1_are_exported_from_0(call, few_digits_file, tmp_path):
    with np.load(few_digits_file) as arrays:
        shifted = {name: array + name.startswith("y") for name, array in arrays.items()}
    np.savez(tmp_path / "a.npz", **shifted)
    code, _, err = call("data", "export", tmp_path / "idx", "--path", tmp_path / "a.npz")
    assert (code, err.count("\n")) == (2, 1)
    assert "y_train has 10 classes, 1 to 10, expected 0 to 9; set data.first_label: 1" in err
    code, out, _ = call("data", "export", tmp_path / "idx", "--path", tmp_path / "a.npz", "--first-label", "1")
    assert (code, out.count("-ubyte.gz\n")) == (0, 4)
    sums = [call("data", "verify", "--path", path)[1].splitlines()[-1] for path in (tmp_path / "idx", few_digits_file)]
    assert sums[0] == sums[1]


def test_data_verify_knows_the_originals(call, few_digits_file):
    code, out, _ = call("data", "verify")
    assert code == 0
    assert out.count("(the original)") == 4
    _, out, _ = call("data", "verify", "--path", few_digits_file)
    assert "original" not in out
    assert "uint8  0 to 255\n" in out


def test_data_show_draws_a_digit_with_its_label(call, tmp_path):
    code, out, _ = call("data", "show", "--index", "0", "--save", tmp_path / "five.png")
    assert (code, out.startswith("train image 0: label 5")) == (0, True)
    assert (tmp_path / "five.png").read_bytes().startswith(b"\x89PNG")
    assert "test image 1: label 2" in call("data", "show", "--test", "--index", "1", "--save", tmp_path / "two.png")[1]


def test_doctor_prints_a_line_per_check(call):
    code, out, _ = call("doctor")
    assert code == 0
    assert "BAD" not in out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("ok")][-2:] == ["digits", "links"]


def test_doctor_prints_the_fix_of_a_fault_and_fails(call, monkeypatch):
    from bnrenorm.cli import doctor

    results = [doctor.Finding("GPU", True, "none", "buy one"), doctor.Finding("Chainer", False, "7.8.0", "pip ...")]
    monkeypatch.setattr(doctor, "examine", lambda: results)
    code, out, _ = call("doctor")
    assert code == 1
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "ok GPU none",
        "to improve: buy one",
        "BAD Chainer 7.8.0",
        "to fix: pip ...",
    ]


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
        done = bnrenorm(*command, "--help", env={**os.environ, "COLUMNS": str(columns)})
        assert done.returncode == 0
        assert max(map(len, done.stdout.splitlines())) < columns


def test_the_installed_command_finds_its_configs_in_any_folder(tmp_path):
    done = bnrenorm("list", cwd=tmp_path)
    assert done.returncode == 0
    assert "article" in done.stdout


@pytest.mark.slow
def test_the_users_matplotlib_backend_and_settings_are_not_asked(tmp_path):
    """A backend that is gone stops Matplotlib's import, and TeX that is not installed every figure."""
    settings = tmp_path / "matplotlibrc"
    settings.write_text("text.usetex: True\nfont.family: No Such Font\n")
    command = [sys.executable, "-m", "bnrenorm", "data", "show", "--save", str(tmp_path / "digit.png")]
    environment = {**os.environ, "MPLBACKEND": "Qt4Agg", "MATPLOTLIBRC": str(settings)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "digit.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_matplotlibs_temporary_folder_is_removed(tmp_path):
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.touch()  # a file, so that no settings can be written there
    temporary.mkdir()
    hidden = ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    command = [sys.executable, "-m", "bnrenorm", "data", "show", "--save", str(tmp_path / "digit.png")]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**kept, "HOME": str(home), "TMPDIR": str(temporary)}
    )
    assert done.returncode == 0
    assert str(temporary / "matplotlib-") in done.stderr
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("colours", [3, 4])
def test_data_show_draws_an_image_in_colours(call, tmp_path, rng, colours):
    arrays = {f"x_{split}": rng.integers(0, 256, (20, 6, 5, colours), np.uint8) for split in ("train", "test")}
    np.savez(tmp_path / "mine.npz", **arrays, y_train=np.arange(20) % 10, y_test=np.arange(20) % 10)
    code, out, _ = call("data", "show", "--path", tmp_path / "mine.npz", "--save", tmp_path / "one.png")
    assert (code, out.startswith("train image 0: label 0")) == (0, True)
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
