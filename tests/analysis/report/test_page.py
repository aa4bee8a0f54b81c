"""The page: complete, self-contained, and safe whatever the names in it."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bnrenorm.analysis.report import compared, page
from bnrenorm.analysis.report.answer import answer
from tests.analysis.report.runs import TEXT, Page, results

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>$$x$$&'\""


@pytest.fixture(scope="module")
def html():
    return page.render([results()])


@pytest.fixture(scope="module")
def hostile():
    return page.render([results(TEXT.replace("  BN: {", f"  {json.dumps(HOSTILE)}: {{"))])


def test_it_has_the_parts_of_a_report_in_their_order(html):
    parts = [attributes["id"] for attributes in Page(html).having("id")]
    assert [part for part in parts if not part.endswith("-title")] == [
        "run1", "run1-forest", "run1-curves", "run1-differences", "run1-corrections", "run1-gap",
        "run1-verdicts", "run1-variants", "run1-settings", "run1-trials", "run1-provenance", "run1-document",
    ]  # fmt: skip
    for line in answer(results()):
        assert line.text in Page(html).text
        assert line.numbers in Page(html).text
    assert "BN: batch normalisation; BRN: " in Page(html).text


def test_thirty_trials_take_less_than_three_million_bytes():
    thirty = results(TEXT.replace("seeds: 6", "seeds: 10"))
    assert len(thirty.trials) == 30
    assert len(page.render([thirty]).encode()) < 3e6


def test_nothing_is_loaded_from_elsewhere(html, hostile):
    for text in (html, hostile):
        shown = Page(text)
        loaded = [
            attributes[name]
            for name in ("src", "href", "srcset", "data", "action")
            for attributes in shown.having(name)
        ]
        assert set(loaded) == {"data:,"}
        style = text[text.index("<style>") : text.index("</style>")]
        assert "url(" not in style
        assert "@import" not in style
        assert not re.search(r"</(?!script)", "".join(content for kind, content in shown.scripts if kind))


def test_the_policy_allows_the_scripts_of_the_page_and_no_other(html):
    shown = Page(html)
    (policy,) = [tag["content"] for tag in shown.having("http-equiv")]
    assert policy.startswith("default-src 'none'; script-src ")
    allowed = re.search("script-src ([^;]*)", policy)[1].split()
    scripts = [content for kind, content in shown.scripts if not kind]
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert [f"'sha256-{digest}'" for digest in digests] == allowed
    assert len(scripts) == 3


def test_a_hostile_name_stays_text(html, hostile):
    before, after = Page(html), Page(hostile)
    assert [tag for tag, _ in before.tags] == [tag for tag, _ in after.tags]
    assert [kind for kind, _ in before.scripts] == [kind for kind, _ in after.scripts]
    assert HOSTILE in after.text
    assert not after.having("onerror")


def test_data_in_the_page_are_json_without_markup(hostile):
    data = [content for kind, content in Page(hostile).scripts if kind == {"type": "application/json"}]
    assert len(data) == 5 + 5
    for content in data:
        json.loads(content, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        assert "<" not in content
        assert "&" not in content


def test_numbers_are_those_of_the_verdicts(html):
    table = next(
        data
        for kind, content in Page(html).scripts
        if kind
        for data in [json.loads(content)]
        if data.get("key") == "verdicts"
    )
    heads = [column["name"] for column in table["columns"]]
    assert len(table["rows"]) == 3
    for row, verdict in zip(table["rows"], results().verdicts, strict=True):
        cells = dict(zip(heads, row, strict=True))
        assert (cells["against"], cells["variant"], cells["verdict"]) == (
            verdict["a"],
            verdict["b"],
            verdict["verdict"],
        )
        assert cells["p"] == verdict["p"]
        assert cells["p after Holm"] == verdict["p_holm"]
        for name, key in (("difference (points)", "mean"), ("low (points)", "low"), ("high (points)", "high")):
            assert cells[name] == 100 * verdict[key]


def test_every_chart_has_a_text_in_its_place_and_every_control_a_name(html):
    shown = Page(html)
    drawn = [
        attributes
        for attributes in shown.having("role")
        if attributes["role"] == "group" and "class" in attributes and attributes["class"] == "plot"
    ]
    assert len(drawn) == 5
    assert all(len(attributes["aria-label"]) > 40 for attributes in drawn)
    assert "BN ends at" in drawn[1]["aria-label"]
    assert all(attributes["aria-pressed"] == "true" for attributes in shown.having("data-tag"))
    assert shown.tags[0] == ("html", {"lang": "en"})


@pytest.mark.parametrize("runs", [1, 2])
def test_no_level_of_headings_is_left_out(runs):
    tags = [tag for tag, _ in Page(page.render([results()] * runs)).tags if tag in ("h1", "h2", "h3")]
    assert tags[0] == "h1"
    assert tags.count("h1") == 1
    assert set(tags) == ({"h1", "h2"} if runs == 1 else {"h1", "h2", "h3"})
    assert tags[1] == "h2"


@pytest.mark.parametrize("runs", [1, 2])
def test_regions_and_tables_have_names_of_their_own(runs):
    shown = Page(page.render([results()] * runs))
    regions = [attributes["aria-label"] for attributes in shown.having("role") if attributes["role"] == "region"]
    assert len(regions) == len(set(regions)) == 5 * runs + (runs > 1)
    names = {attributes["id"] for attributes in shown.having("id")}
    assert {attributes["aria-labelledby"] for attributes in shown.having("aria-labelledby")} <= names
    rows = sum(tag == "tr" for tag, _ in shown.tags)
    heads = [attributes["scope"] for tag, attributes in shown.tags if tag == "th"]
    assert heads.count("row") == rows - len(regions), "every row but those of headings"


def test_diverged_trials_are_shown_as_such():
    html = Page(page.render([results(diverged=[("BRN", seed) for seed in range(6)])])).text
    assert "BRN diverged in 6 of 6 trials" in html
    assert "BRN diverged in 6 of 6 seeds" in html
    assert "NaN" in html


def test_charts_without_values_are_left_out_with_the_reason():
    text = "name: two\nvariants:\n  BN: {norm: {kind: batch}}\n  BRN: {norm: {kind: renorm}}\nseeds: 2\n"
    shown = Page(page.render([results(text, diverged=[("BRN", 0), ("BRN", 1)])]))
    assert "run1-forest" not in [attributes["id"] for attributes in shown.having("id")]
    assert "Not drawn, for want of finite values (BRN diverged in 2 of 2 trials): Paired differences." in shown.text
    assert "Not drawn" not in Page(page.render([results(text)])).text


def test_one_variant_has_no_comparison():
    text = "name: one\nvariants:\n  BN: {norm: {kind: batch}}\nseeds: 2\n"
    html = page.render([results(text)])
    assert "BN reaches " in html
    assert "run1-forest" not in html
    assert "run1-verdicts" not in html


def test_two_runs_stand_side_by_side():
    other = results(TEXT.replace("training: {steps: 8}", "training: {steps: 8, optimizer: {lr: 0.5}}"))
    shown = Page(page.render([results(), other]))
    parts = [attributes["id"] for attributes in shown.having("id")]
    assert len(parts) == len(set(parts)) == 2 * 2 + 2 * (12 + 5)
    assert "What differs between the runs" in shown.text
    differing = next(
        data
        for kind, text in shown.scripts
        if kind
        for data in [json.loads(text)]
        if data.get("key") == "both-settings"
    )
    assert differing["rows"] == [["training.optimizer.lr", "0.01", "0.5"]]


def test_the_verdicts_of_two_runs_stand_side_by_side_in_points():
    one = results()
    two = replace(results(diverged=[("BRN", seed) for seed in range(6)]), folder=Path("nowhere/other"))
    table, _ = compared.tables_of([one, two])
    (row,) = [row for row in table.rows if row[:3] == ["BRN", "BN", ""]]
    (verdict,) = [verdict for verdict in one.verdicts if (verdict["a"], verdict["b"]) == ("BN", "BRN")]
    assert row[3:7] == [*(100 * verdict[name] for name in ("mean", "low", "high")), verdict["verdict"]]
    assert row[7:] == [None, None, None, "BRN diverged"]


@pytest.mark.slow
def test_two_runs_are_titled_by_their_conclusions():
    made = results()
    other = results(TEXT.replace("seeds: 6", "seeds: 2"), folder=Path("nowhere/other"))
    assert title_of([made, made]) == f"Both runs: {answer(made)[0].text}"
    assert title_of([made, other]) == f"shown-00000000: {answer(made)[0].text} other: {answer(other)[0].text}"
    unlike = results("name: x\nvariants:\n  A: {norm: {kind: batch}}\n  B: {norm: {kind: renorm}}\n")
    assert title_of([made, unlike]) == "Two runs that compare different things"


def title_of(runs):
    return re.search("<h1>(.*)</h1>", page.render(runs))[1]


def test_headings_that_need_it_are_explained(html):
    titles = [attributes["title"] for tag, attributes in Page(html).tags if tag == "th" and "title" in attributes]
    assert "the variant that it is compared with" in titles


def test_what_repeats_a_run_is_said_with_what_it_needs(html):
    assert (
        "Saved under its name, bnrenorm compare experiment.yaml --engine cpu --device cpu repeats the run."
        in Page(html).text
    )
    own = page.render([results(f"{TEXT}data: {{path: somewhere.npz}}\n")])
    assert " repeats the run, if its images are where they were." in Page(own).text


def test_what_headings_mean_can_be_read_without_a_pointer(html):
    shown = Page(html)
    titles = {attributes["title"] for tag, attributes in shown.tags if tag == "th" and "title" in attributes}
    assert all(title in shown.text for title in titles)


def test_a_page_of_a_script_that_would_end_early_is_refused():
    with pytest.raises(ValueError, match="contains its own end"):
        page._closed("let text = '</ScRiPt>'")
