"""A browser for the report's tests: Chromium, driven by Playwright, which the extra `browser` installs."""

import json
import os
import shutil

import pytest

from bnrenorm.analysis.report import write
from tests.analysis.report.runs import GRID, NAME, TEXT, results

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


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


@pytest.fixture
def open_run(open_page, tmp_path):
    """A function that opens the report of results of a config, as `open_page` does."""

    def open_run(text, **options):
        write.save(tmp_path / "report.html", [results(text)])
        return open_page(tmp_path / "report.html", **options)

    return open_run
