"""The report in a real browser: Chromium, driven by Playwright, which the extra `browser` installs."""

import csv
import json
import os
import shutil

import pytest

from bnrenorm.analysis.report import write
from tests.analysis.report.runs import TEXT, results

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
NAME = "<script>alert(1)</script> & $$x$$"
GRID = "grid: {training.optimizer.lr: [0.1, 0.5]}\n"


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install '.[browser]'")
    if CHROMIUM is None:
        pytest.skip("needs an installed Chromium or Chrome")  # it runs where there is one
    with api.sync_playwright() as playwright:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses to run as root
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield started
        started.close()


@pytest.fixture(scope="module")
def run():
    """Results of two grid points, a hostile name, a variant that diverged, and an accuracy that rounds up: 30.105 %."""
    text = TEXT.replace("  BN: {", f"  {json.dumps(NAME)}: {{") + GRID
    made = results(text, diverged=[("BRN", seed) for seed in range(6)])
    for trial, result in made.trials:
        if trial.point[0][1] == 0.5:
            for name in ("test_accuracy", "test_loss"):
                result.records[name] = [0.05 + value for value in result.records[name]]
    made.trials[0][1].records["test_accuracy"][-1] = 0.30105
    return made


@pytest.fixture(scope="module")
def file(tmp_path_factory, run):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write.save(path, [run])
    return path


@pytest.fixture
def open_page(browser):
    """A function that opens a file and returns the page, and the list that gets errors and outside requests."""
    contexts = []

    def open_page(path, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page, wrong = context.new_page(), []
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(f"dialog {dialog.message}"))
        page.on("request", lambda request: wrong.append(request.url) if request.url.startswith("http") else None)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-drawn]", state="attached")
        return page, wrong

    yield open_page
    for context in contexts:
        context.close()


# What Bokeh has in its models, for every chart of a page
VISIBLE = """name => Bokeh.documents.map(made => made.get_model_by_name('linear').renderers
    .filter(drawn => drawn.name === name).map(drawn => drawn.visible))"""
MEANS = """name => Array.from(Bokeh.documents[1].get_model_by_name(name).data.mean)
    .map(value => Number.isNaN(value) ? null : value)"""
LABEL = "Bokeh.documents[1].get_model_by_name('linear').left[0].axis_label"


@pytest.mark.slow
def test_it_opens_without_an_error_or_a_request_and_names_stay_text(open_page, file):
    page, wrong = open_page(file)
    assert wrong == []
    assert page.get_attribute("html", "data-drawn") == "5"
    assert page.locator("#run1-curves .legend button").all_inner_texts() == ["none", NAME, "BRN"]
    assert page.evaluate("document.querySelectorAll('script').length") == 3 + 5 + 5
    assert "BRN diverged" in page.inner_text(".answer")


@pytest.mark.slow
def test_hover_shows_the_values_under_the_pointer(open_page, file):
    page, wrong = open_page(file)
    page.locator("#run1-curves .plot").scroll_into_view_if_needed()
    page.hover("#run1-curves .plot")
    tooltip = page.locator(".bk-tooltip-row-label", has_text="step").first
    tooltip.wait_for(timeout=10_000)
    assert wrong == []


@pytest.mark.slow
def test_a_variant_is_switched_by_keyboard(open_page, file):
    page, wrong = open_page(file)
    button = page.locator("#run1-curves .legend button").nth(2)
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"
    assert page.evaluate(VISIBLE, "drawn 2")[1] == [False] * 4
    assert page.evaluate(VISIBLE, "drawn 1")[1] == [True] * 4
    page.keyboard.press("Space")
    assert page.evaluate(VISIBLE, "drawn 2")[1] == [True] * 4
    assert wrong == []


@pytest.mark.slow
def test_another_metric_and_grid_point_are_drawn_when_chosen(open_page, file):
    page, wrong = open_page(file)
    frames = json.loads(page.locator("#run1-curves script").text_content())["frames"]
    for metric, point in ((0, 1), (1, 1), (1, 0), (0, 0)):
        page.locator("#run1-curves select").nth(0).select_option(index=metric)
        page.locator("#run1-curves select").nth(1).select_option(index=point)
        frame = frames[f"{metric},{point}"]
        for name in ("mean 1", "mean 2"):
            assert page.evaluate(MEANS, name) == frame["sources"][name]["mean"]
        assert page.evaluate(LABEL) == frame["axis"]
        assert page.get_attribute("#run1-curves .plot", "aria-label") == frame["alt"]
        assert page.locator("#run1-curves .seen").text_content() == frame["alt"]
    assert len({json.dumps(frames[f"{metric},{point}"]) for metric in (0, 1) for point in (0, 1)}) == 4
    assert wrong == []


@pytest.mark.slow
def test_the_logarithmic_scale_is_shown_on_request(open_page, file):
    page, wrong = open_page(file)
    visible = "['linear', 'log'].map(name => Bokeh.documents[1].get_model_by_name(name).visible)"
    assert page.evaluate(visible) == [True, False]
    page.check("#run1-curves [data-log]")
    assert page.evaluate(visible) == [False, True]
    assert wrong == []


@pytest.mark.slow
def test_tables_are_sorted_turned_and_saved(open_page, file):
    page, wrong = open_page(file, accept_downloads=True)
    table = page.locator("#run1-verdicts")
    column = [head.strip() for head in table.locator("th").all_inner_texts()].index("difference (points)")
    for direction in ("ascending", "descending"):
        table.locator("th button").nth(column).click()
        assert table.locator("th").nth(column).get_attribute("aria-sort") == direction
        cells = table.locator(f"tbody td:nth-child({column + 1})").all_inner_texts()
        values = [float(cell) for cell in cells if cell]
        assert values == sorted(values, reverse=direction == "descending")
    contents = {}
    for kind in ("CSV", "Markdown", "LaTeX"):
        with page.expect_download() as download:
            table.locator("button", has_text=kind).click()
        contents[kind] = (download.value.suggested_filename, download.value.path().read_text())
    assert [name for name, _ in contents.values()] == ["verdicts.csv", "verdicts.md", "verdicts.tex"]
    assert f"{NAME}" in contents["CSV"][1]
    assert r"\<script\>alert(1)\</script\> & \$\$x\$\$" in contents["Markdown"][1]
    assert r"<script>alert(1)</script> \& \$\$x\$\$" in contents["LaTeX"][1]
    assert len(contents["CSV"][1].splitlines()) == 1 + 6
    assert wrong == []


@pytest.mark.slow
def test_numbers_are_shown_as_before_sorting_and_saved_exactly(open_page, file, run):
    page, wrong = open_page(file, accept_downloads=True)
    table = page.locator("#run1-trials")
    heads = [head.strip() for head in table.locator("th").all_inner_texts()]
    place = heads.index("test accuracy %")
    column = table.locator(f"tbody td:nth-child({place + 1})")
    finals = [100 * result.records["test_accuracy"][-1] for _, result in run.trials]
    before = column.all_inner_texts()
    assert before[0] == "30.11"
    table.locator("th button").nth(place).click()
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
def test_a_variant_named_like_a_number_keeps_its_name_when_sorted(open_page, tmp_path):
    write.save(tmp_path / "report.html", [results(TEXT.replace("  BN: {", '  "inf": {'))])
    page, wrong = open_page(tmp_path / "report.html")
    table = page.locator("#run1-trials")
    table.locator("th button").first.click()
    assert set(table.locator("tbody td:first-child").all_inner_texts()) == {"none", "inf", "BRN"}
    assert wrong == []


@pytest.mark.slow
def test_the_settings_are_saved_as_they_are_shown(open_page, file):
    page, wrong = open_page(file, accept_downloads=True)
    with page.expect_download() as download:
        page.click("#run1-document button")
    assert download.value.suggested_filename == "experiment.yaml"
    assert download.value.path().read_text() == page.locator("#run1-document pre").text_content()
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(open_page, file, colour_scheme):
    page, wrong = open_page(file, viewport={"width": 390, "height": 844}, color_scheme=colour_scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(0, 0, 0)"}[colour_scheme]
    assert wrong == []


@pytest.mark.slow
def test_ten_thousand_trials_open_and_their_table_is_turned(open_page, tmp_path):
    write.save(tmp_path / "big.html", [results(TEXT.replace("seeds: 6", "seeds: 3334"))])
    page, wrong = open_page(tmp_path / "big.html")
    trials = page.locator("#run1-trials")
    assert trials.locator(".pager span").inner_text() == "rows 1 to 50 of 10002"
    trials.locator("button", has_text="Next").click()
    assert trials.locator(".pager span").inner_text() == "rows 51 to 100 of 10002"
    assert trials.locator("tbody tr").count() == 50
    assert trials.locator("tbody tr").first.locator("td").all_inner_texts()[:2] == ["none", "50"]
    trials.locator("th button").nth(1).click()
    assert trials.locator(".pager span").inner_text() == "rows 1 to 50 of 10002"
    assert trials.locator("tbody tr").first.locator("td").all_inner_texts()[:2] == ["none", "0"]
    assert wrong == []
