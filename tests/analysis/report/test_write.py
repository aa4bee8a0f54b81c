"""The report in the run folder, and what a failing one costs."""

import sys

from bnrenorm.analysis.report import page, write
from tests.analysis.report.runs import Page, results


def test_the_report_is_written_into_the_run_folder(tmp_path):
    made = results(folder=tmp_path)
    assert write.write(made) == []
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    written, again = Page((tmp_path / "report.html").read_text(encoding="utf-8")), Page(page.render([made]))
    assert (written.text, written.tags) == (again.text, again.tags)
    assert "BRN against BN is inconclusive: " in written.text


def test_a_failing_report_costs_one_line(tmp_path, monkeypatch):
    def fail(runs):
        raise ValueError("one\nline")

    monkeypatch.setattr(page, "render", fail)
    assert write.write(results(folder=tmp_path)) == [f"{tmp_path / 'report.html'}: not written: ValueError: one line"]
    assert list(tmp_path.iterdir()) == []


def test_a_bokeh_that_cannot_be_imported_costs_one_line(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "bnrenorm.analysis.report.page")
    monkeypatch.delattr("bnrenorm.analysis.report.page")
    monkeypatch.setitem(sys.modules, "bokeh.resources", None)
    (line,) = write.write(results(folder=tmp_path))
    assert line.startswith(f"{tmp_path / 'report.html'}: not written: ModuleNotFoundError: ")
