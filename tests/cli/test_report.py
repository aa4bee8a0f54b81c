"""`bnrenorm report`: of a stored run, of two, opened, saved elsewhere, and of what is no run."""

import json
import webbrowser

import pytest

from bnrenorm.analysis.report.answer import answer
from bnrenorm.runs import finished
from bnrenorm.runs.finished import Outcome
from tests.analysis.report.runs import TEXT, Page, results


@pytest.fixture
def stored(monkeypatch):
    """Make every run folder hold the test results, whose name is that of the folder."""

    def read(folder):
        made = results(TEXT, folder)
        return Outcome(made.experiment, made.data, "cpu", made.trials, folder, ("a note",))

    monkeypatch.setattr(finished, "read", read)


def test_it_is_written_into_the_run_folder(call, stored, tmp_path):
    code, out, err = call("report", tmp_path)
    assert (code, out, err) == (0, f"{tmp_path / 'report.html'}\n", "")
    shown = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "a note" in shown.text
    assert answer(results(TEXT))[0].text in shown.text


def test_two_runs_are_written_next_to_the_first(call, stored, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    code, out, _ = call("report", tmp_path / "one", tmp_path / "two")
    assert (code, out) == (0, f"{tmp_path / 'one-and-two.html'}\n")
    assert "one and two" in Page((tmp_path / "one-and-two.html").read_text(encoding="utf-8")).text


def test_it_is_opened_and_saved_where_one_says(call, stored, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    code, _, _ = call("report", tmp_path, "--save", tmp_path / "here.html", "--open")
    assert code == 0
    assert opened == [(tmp_path / "here.html").as_uri()]


def test_a_run_is_found_by_its_name(call, stored, tmp_path):
    run = tmp_path / "quick-d9dea2ac"
    run.mkdir()
    (run / "experiment.yaml").touch()
    assert call("report", run.name, "--out", tmp_path) == (0, f"{run / 'report.html'}\n", "")
    assert call("report", "quick", "--out", tmp_path) == (0, f"{run / 'report.html'}\n", "")
    code, _, err = call("report", "quick-d9dea2ad", "--out", tmp_path)
    assert (code, err) == (2, f"bnrenorm: quick-d9dea2ad: no such folder; did you mean {run}?\n")
    other = tmp_path / "quick-00000000"
    other.mkdir()
    (other / "experiment.yaml").touch()
    code, _, err = call("report", "quick", "--out", tmp_path)
    assert (code, err) == (2, f"bnrenorm: quick: no such folder; did you mean {other} or {run}?\n")


def test_what_is_no_run_is_one_line(call, tmp_path):
    code, out, err = call("report", tmp_path / "none")
    assert (code, out) == (2, "")
    assert err == f"bnrenorm: {tmp_path / 'none'}: no such folder\n"


def test_three_runs_or_one_twice_are_one_line(call, stored, tmp_path):
    code, _, err = call("report", tmp_path, tmp_path, tmp_path)
    assert (code, err) == (2, "bnrenorm: 3 runs: expected one, or two to be shown side by side\n")
    code, _, err = call("report", tmp_path, tmp_path.parent / ".." / tmp_path.parent.name / tmp_path.name)
    assert (code, err) == (2, f"bnrenorm: {tmp_path}: the same run twice, expected two runs\n")


def test_a_file_that_cannot_be_written_is_one_line(call, stored, tmp_path):
    code, _, err = call("report", tmp_path, "--save", tmp_path / "none" / "a.html")
    assert code == 2
    assert err == f"bnrenorm: {tmp_path / 'none' / 'a.html'}: cannot be written: No such file or directory\n"


def test_records_that_no_run_writes_are_one_line(call, stored, tmp_path, monkeypatch):
    read = finished.read

    def damaged(folder):
        run = read(folder)
        for _, result in run.trials:
            result.records["train_accuracy"] = [0.5, 0.5]
        return run

    monkeypatch.setattr(finished, "read", damaged)
    code, _, err = call("report", tmp_path)
    assert code == 2
    assert err.startswith(f"bnrenorm: {tmp_path}: cannot be shown: ValueError: ")


@pytest.mark.slow
def test_a_run_and_its_report_again_say_the_same(call, compare, few_digits_file, tmp_path):
    compare()
    (folder,) = (tmp_path / "out").glob("compared-*")
    before = Page((folder / "report.html").read_text(encoding="utf-8"))
    few_digits_file.unlink()
    code, _, _ = call("report", folder)
    after = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert code == 0
    assert (before.text, before.tags) == (after.text, after.tags)
    tables = [json.loads(text) for kind, text in after.scripts if kind and '"columns"' in text]
    assert tables == [json.loads(text) for kind, text in before.scripts if kind and '"columns"' in text]
