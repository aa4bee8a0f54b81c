"""The report in a real browser: its charts, and the page as a whole."""

import json

import pytest

from tests.analysis.report.runs import NAME

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
