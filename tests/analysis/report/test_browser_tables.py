"""The report's tables in a real browser: sorted, turned, saved and printed."""

import csv

import pytest

from tests.analysis.report.runs import NAME, TEXT


@pytest.mark.slow
def test_tables_are_sorted_turned_and_saved(open_page, file):
    page, wrong = open_page(file, accept_downloads=True)
    table = page.locator("#run1-verdicts")
    column = [head.strip() for head in table.locator("thead th").all_inner_texts()].index("difference (points)")
    for direction in ("ascending", "descending"):
        table.locator("thead button").nth(column).click()
        assert table.locator("thead th").nth(column).get_attribute("aria-sort") == direction
        cells = table.locator(f"tbody tr > :nth-child({column + 1})").all_inner_texts()
        values = [float(cell) for cell in cells if cell]
        assert values == sorted(values, reverse=direction == "descending")
        assert "" in cells
        assert not any(cells[len(values) :]), "pairs without a difference come last"
    contents = {}
    for kind in ("CSV", "Markdown", "LaTeX"):
        with page.expect_download() as download:
            table.locator("button", has_text=kind).click()
        contents[kind] = (download.value.suggested_filename, download.value.path().read_text())
    assert [name for name, _ in contents.values()] == ["verdicts.csv", "verdicts.md", "verdicts.tex"]
    assert f"{NAME}" in contents["CSV"][1]
    assert r"\<script\>alert(1)\</script\> \& \$\$x\$\$" in contents["Markdown"][1]
    assert r"<script>alert(1)</script> \& \$\$x\$\$" in contents["LaTeX"][1]
    assert len(contents["CSV"][1].splitlines()) == 1 + 6
    assert wrong == []


@pytest.mark.slow
def test_numbers_are_shown_as_before_sorting_and_saved_exactly(open_page, file, run):
    page, wrong = open_page(file, accept_downloads=True)
    table = page.locator("#run1-trials")
    heads = [head.strip() for head in table.locator("thead th").all_inner_texts()]
    place = heads.index("test accuracy %")
    column = table.locator(f"tbody tr > :nth-child({place + 1})")
    finals = [100 * result.records["test_accuracy"][-1] for _, result in run.trials]
    before = column.all_inner_texts()
    assert before[0] == "30.11"
    table.locator("thead button").nth(place).click()
    missing = sum(final != final for final in finals)
    after = column.all_inner_texts()
    assert sorted(after) == sorted(before)
    assert after[-missing:] == ["NaN"] * missing, "what is no number comes last"
    assert [float(text) for text in after[:-missing]] == sorted(float(text) for text in before if text != "NaN")
    with page.expect_download() as download:
        table.locator("button", has_text="CSV").click()
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    saved = {(row["variant"], row["training.optimizer.lr"], row["seed"]): row["test accuracy %"] for row in rows}
    for (trial, _), final in zip(run.trials, finals, strict=True):
        text = saved[trial.variant, str(trial.point[0][1]), str(trial.seed)]
        assert text == "nan" if final != final else float(text) == final
    assert wrong == []


@pytest.mark.slow
def test_a_variant_named_like_a_number_keeps_its_name_when_sorted(open_run):
    page, wrong = open_run(TEXT.replace("  BN: {", '  "inf": {'))
    table = page.locator("#run1-trials")
    table.locator("thead button").first.click()
    assert set(table.locator("tbody tr > :first-child").all_inner_texts()) == {"none", "inf", "BRN"}
    assert wrong == []


@pytest.mark.slow
def test_ten_thousand_trials_open_and_their_table_is_turned(open_run):
    page, wrong = open_run(TEXT.replace("seeds: 6", "seeds: 3334"))
    trials = page.locator("#run1-trials")
    assert trials.locator(".pager span").inner_text() == "rows 1 to 50 of 10002"
    trials.locator("button", has_text="Next").click()
    assert trials.locator(".pager span").inner_text() == "rows 51 to 100 of 10002"
    assert trials.locator("tbody tr").count() == 50
    assert trials.locator("tbody tr").first.locator("th, td").all_inner_texts()[:2] == ["none", "50"]
    trials.locator("thead button").nth(1).click()
    assert trials.locator(".pager span").inner_text() == "rows 1 to 50 of 10002"
    assert trials.locator("tbody tr").first.locator("th, td").all_inner_texts()[:2] == ["none", "0"]
    assert wrong == []


@pytest.mark.slow
def test_paper_has_all_rows_and_what_is_folded(open_run):
    page, wrong = open_run(TEXT.replace("seeds: 6", "seeds: 20"))
    rows, next_page = page.locator("#run1-trials tbody tr"), page.locator("#run1-trials button", has_text="Next")
    next_page.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert rows.count() == 60 - 50, "a third page there is not"
    assert page.evaluate("document.activeElement.textContent") == "Next", "the focus stays"
    assert page.locator("details[open]").count() == 0
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert rows.count() == 60
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert (rows.count(), page.locator("details[open]").count()) == (10, 0)
    assert wrong == []


@pytest.mark.slow
def test_a_table_without_an_end_is_cut_on_paper_and_says_so(open_run):
    page, wrong = open_run(TEXT.replace("seeds: 6", "seeds: 400"))
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#run1-trials tbody tr").count() == 1000
    assert "Rows 1 to 1000 of 1200: the files" in page.locator("#run1-trials").inner_text()
    assert wrong == []
