from pathlib import Path

import pytest

from benchmarks import report as cpu_report
from benchmarks.cuda import report
from benchmarks.cuda.jobs import JOBS
from benchmarks.results import merge, read, write
from tests.benchmarks.cuda.measured import rows_of

README = Path(report.__file__).parents[1] / "README.md"


def test_a_section_has_table_roofline_gates_and_card():
    job = JOBS["micro-batch-999"]
    text = report.markdown(rows_of(job, ours=2.0, eager=400.0))
    section = text[text.index(f"### {job.title}") :]
    section = section[: section.index("###", 3)]
    assert "In µs a step and replica:" in section
    assert "| bnrenorm | 999 together | 2 | 1 | 3 | 1.00 |" in section
    assert "| PyTorch eager | 3 networks in turn, scaled to 999 | 400 | 200 | 600 | 200.00 |" in section
    assert "- floor: 1.69 µs, of which bnrenorm reaches 85%" in section
    assert "- at least 10 times as fast as PyTorch eager: 200.00" in section
    assert "3 samples, " in section
    assert ": Card 9, 80 GiB, driver 580.1, CUDA 13.0, cupy 14.2.0; " in section
    assert "Not measured yet" not in section


def test_jobs_without_rows_are_not_measured_yet():
    assert report.markdown([]).count("Not measured yet.") == len(JOBS)
    one = report.markdown(rows_of(JOBS["small-1"], ours=1.0))
    assert one.count("Not measured yet.") == len(JOBS) - 1


def test_an_unknown_version_is_left_out():
    (row,) = rows_of(JOBS["small-1"], ours=1.0)
    assert report.sentence(row | {"driver": ""}).startswith("Card 9, 80 GiB, CUDA 13.0, cupy 14.2.0; ")


def test_a_later_run_replaces_its_own_section_of_the_page_alone(tmp_path):
    page = tmp_path / "README.md"
    page.write_text(README.read_text(encoding="utf-8"), encoding="utf-8")
    report.fill(page, rows_of(JOBS["small-1"], ours=1.25))
    first = page.read_text(encoding="utf-8")
    before, _, rest = README.read_text(encoding="utf-8").partition("<!-- cuda results -->")
    assert first.startswith(before)
    assert first.endswith(rest.partition("<!-- /cuda results -->")[2])
    assert "| bnrenorm | 1 network | 1.25 | 0.625 | 1.88 | 1.00 |" in first
    report.fill(page, rows_of(JOBS["small-1"], ours=2.5))
    assert "0.625" not in page.read_text(encoding="utf-8").removeprefix(before)
    cpu_report.fill(page, [])
    assert "| bnrenorm | 1 network | 2.5 |" in page.read_text(encoding="utf-8")


def test_a_page_without_markers_is_an_error(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="README.md: expected <!-- cuda results --> and <!-- /cuda results -->, once"):
        report.fill(page, [])


def test_rows_survive_the_file_and_the_next_job(tmp_path):
    path, small, micro = tmp_path / "cuda.csv", JOBS["small-1"], JOBS["micro-batch-1"]
    old = rows_of(small, ours=1.0, eager=2.0)
    write(path, merge([], old, list(JOBS)))
    both = merge(read(path), rows_of(micro, ours=3.0), list(JOBS))
    write(path, both)
    assert [row["job"] for row in both] == ["micro-batch-1", "small-1", "small-1"]
    assert report.markdown(read(path)) == report.markdown(both)
    report.write(tmp_path / "cuda.md", both)
    assert (tmp_path / "cuda.md").read_text(encoding="utf-8").count("Not measured yet.") == len(JOBS) - 2


def test_the_terminals_table_has_a_row_for_each_contender():
    rows = rows_of(JOBS["small-1"], ours=1.0, eager=2.0)
    table = report.table(JOBS["small-1"], rows)
    assert (table.row_count, len(table.columns)) == (2, 6)
    assert report.lines(JOBS["small-1"], rows)[-1].endswith("met")
