"""A config that names a file of the user's own, on the command line."""

import pytest

from bnrenorm.norm import registry
from tests.config.test_plugins import CONFIG, MINE

SMALL = "model: {hidden: [5]}\ntraining: {batch: 10, steps: 2}\n"


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})


@pytest.mark.slow
def test_a_run_says_what_it_runs_and_keeps_a_copy_that_repeats_it(call, tmp_path, few_digits_file, no_pictures):
    (tmp_path / "my.yaml").write_text(f"{CONFIG}{SMALL}data: {{path: {few_digits_file}}}\n")
    (tmp_path / "mine.py").write_text(MINE)
    out = tmp_path / "runs"
    code, _, error = call("compare", tmp_path / "my.yaml", "--engine", "chainer", "--device", "cpu", "--out", out)
    assert code == 0
    assert f"bnrenorm: running the Python code in {tmp_path / 'mine.py'}, a plugin of" in error
    (folder,) = out.glob("own-*")
    assert (folder / "plugins" / "mine.py").read_text() == MINE
    (tmp_path / "mine.py").unlink()
    experiment = folder / "experiment.yaml"
    code, printed, _ = call("compare", experiment, "--engine", "chainer", "--device", "cpu", "--out", out, "--dry-run")
    assert code == 0
    assert "2 trials, 2 finished" in printed
    assert registry.digest_of("mine") in experiment.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        ("1 / 0\n", "mine.py:1: ZeroDivisionError: division by zero"),
    ],
)
def test_a_missing_file_and_one_that_raises_are_one_line_and_exit_code_2(call, tmp_path, text, message):
    (tmp_path / "my.yaml").write_text(CONFIG)
    if text is not None:
        (tmp_path / "mine.py").write_text(text)
    code, printed, error = call("compare", tmp_path / "my.yaml", "--out", tmp_path / "runs")
    assert (code, printed) == (2, "")
    last = error.splitlines()[-1]
    assert last.startswith(f"bnrenorm: {tmp_path / 'my.yaml'}:3: plugins: ")
    assert last.endswith(message)
    assert len(error.splitlines()) == (1 if text is None else 2)
    assert not (tmp_path / "runs").exists()
