"""Bad input is one line on standard error and exit code 2, before anything is written."""

import os

import pytest

from bnrenorm import _compat
from bnrenorm.engines import device


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", ""], "the config's name or path is empty, expected one such as compare"),
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
        (
            ["compare", "--set", "margin=0.5%"],
            "--set margin=0.5%: margin is '0.5%', expected percentage points, above 0",
        ),
        (["config", "--baseline", "bn"], "--baseline bn: baseline: unknown variant 'bn'; did you mean BN?"),
        (["compare", "--set", "data.path=/no/where"], "data.path: '/no/where' cannot be read: No such file"),
        (
            ["compare", "--tf32", "--device", "cpu"],
            "--tf32: expected --engine auto or cuda on a GPU, and this is auto on cpu",
        ),
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


def test_a_config_in_another_encoding_is_named(call, tmp_path):
    path = tmp_path / "sjis.yaml"
    path.write_bytes("name: a\n# 比較\n".encode("shift_jis"))
    code, _, err = call("compare", path)
    assert (code, err) == (2, f"bnrenorm: {path}: cannot be read at byte 10, expected UTF-8; save it as UTF-8\n")


def test_images_are_no_config(call, few_digits_file):
    code, _, err = call("compare", few_digits_file)
    assert code == 2
    assert err == f"bnrenorm: {few_digits_file}: is not YAML; to train on images, set data.path={few_digits_file}\n"


def test_a_file_larger_than_any_config_is_refused(call, tmp_path):
    (tmp_path / "large.yaml").write_text("name: a\n" + "# x\n" * 300_000)
    code, _, err = call("compare", tmp_path / "large.yaml")
    assert code == 2
    assert "large.yaml: cannot be read: expected at most 1,048,576 bytes" in err


def test_a_bad_data_file_stops_before_anything_is_written(compare, tmp_path):
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"PK no archive")
    code, _, err = compare("--set", f"data.path={bad}")
    assert (code, err.count("\n")) == (2, 1)
    assert "bad.npz: is cut off or damaged" in err
    assert not (tmp_path / "out").exists()


def test_a_gpu_that_cannot_compute_is_one_line_and_exit_code_2(call, tmp_path, monkeypatch):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 1)
    monkeypatch.setattr(device, "problem", lambda index: "ImportError: libcublasLt.so.12: cannot open")
    code, out, err = call("compare", "quick", "--device", "cuda:0", "--out", tmp_path / "out")
    line = "--device cuda:0: ImportError: libcublasLt.so.12: cannot open; `bnrenorm doctor` says what is missing"
    assert (code, out, err) == (2, "", f"bnrenorm: {line}\n")
    assert not (tmp_path / "out").exists()
