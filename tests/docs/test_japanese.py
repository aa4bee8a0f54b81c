"""The Japanese pages say what the English ones say: the same commands, links, numbers and rows, section by section."""

import re
from collections import Counter
from itertools import chain

import pytest
from markdown_it import MarkdownIt

from tests.docs import pages

JAPANESE = {
    "README.md": "README.ja.md",
    **{f"docs/{path.name}": f"docs/ja/{path.name}" for path in (pages.ROOT / "docs/ja").glob("*.md")},
}
BOTH = pytest.mark.parametrize(("english", "japanese"), JAPANESE.items(), ids=JAPANESE)
_NUMBER = re.compile(r"(?<![A-Za-z0-9_.])[+-]?\d+(?:[.,]\d+)*|(?<=\s)\.\d+")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def numbers(text):
    """Count the numbers of a text that are not in links."""
    return Counter(_NUMBER.findall(_LINK.sub("]", text)))


def compare_numbers(english, japanese):
    """Check that the Japanese text has all numbers of the English one, and no other with a point, a comma or a sign.

    Other digits may be words in English, as is "half", and numbers may be repeated.
    """
    want, got = numbers(english), numbers(japanese)
    assert not want - got
    assert not {number for number in got - want if not number.isdigit()} - {*want, "0.5"}


def sections(page):
    """List the sections of a page, each as its heading's level and its text."""
    parts = re.split(r"^(#+) ", pages.text(page), flags=re.M)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def without_comments(code):
    return [line.partition("# ")[0].rstrip() for line in code.splitlines()]


def in_english(page):
    return page.replace("/ja/", "/").replace(".ja.md", ".md")


def targets(page):
    """Count the links of a page by the English page or the web address that they lead to, but for those to itself.

    Links to a heading count as links to the one in the same place on the English page.
    """
    found = Counter()
    for target in _LINK.findall(pages.text(page)):
        if not target.startswith("https://"):
            path, _, anchor = target.partition("#")
            linked = pages.name(((pages.ROOT / page).parent / path).resolve()) if path else page
            target = in_english(linked)
            if anchor:
                target += f"#{pages.anchors(target)[pages.anchors(linked).index(anchor)]}"
        found[target] += 1
    own = in_english(page)
    return Counter({target: count for target, count in found.items() if target != own})


@BOTH
def test_every_section_has_the_numbers_and_the_code_of_the_english_one(english, japanese):
    assert [level for level, _ in sections(english)] == [level for level, _ in sections(japanese)]
    for (_, want), (_, got) in zip(sections(english), sections(japanese), strict=True):
        compare_numbers(want, got)


@BOTH
def test_commands_and_names_between_backticks_are_the_same(english, japanese):
    assert not Counter(pages.inline(english)) - Counter(pages.inline(japanese))
    assert Counter(pages.commands(english)) == Counter(pages.commands(japanese))


@BOTH
@pytest.mark.parametrize("language", ["", "yaml", "python"])
def test_blocks_of_code_differ_in_comments_only(english, japanese, language):
    want, got = (list(map(without_comments, pages.blocks(page, language))) for page in (english, japanese))
    assert want == got


@BOTH
def test_every_row_of_every_table_is_there(english, japanese):
    want, got = pages.tables(english), pages.tables(japanese)
    assert [len(rows) for rows in want] == [len(rows) for rows in got]
    for english_row, japanese_row in zip(chain(*want), chain(*got), strict=True):
        assert len(english_row) == len(japanese_row)
        for english_cell, japanese_cell in zip(english_row, japanese_row, strict=True):
            assert bool(english_cell) == bool(japanese_cell)
            compare_numbers(english_cell, japanese_cell)


@BOTH
def test_links_lead_to_the_same_pages_in_japanese_where_there_are_some(english, japanese):
    assert targets(english) == targets(japanese)
    links = _LINK.findall(pages.text(japanese))
    for target in links:
        path = (pages.ROOT / japanese).parent / target.partition("#")[0]
        translated = path.parent / "ja" / path.name
        assert path.parent.name == "ja" or not translated.exists() or path.resolve() == pages.ROOT / english, target


@BOTH
def test_the_two_pages_lead_to_each_other(english, japanese):
    for page, other in ((english, japanese), (japanese, english)):
        found = {((pages.ROOT / page).parent / link).resolve() for link in _LINK.findall(pages.text(page))}
        assert pages.ROOT / other in found


@pytest.mark.parametrize("page", JAPANESE.values())
def test_emphasis_is_rendered(page):
    """Markdown leaves the stars of **これ。**次 as they are: after a full stop they need a blank."""
    assert "**" not in re.sub(r"<code.*?</code>", "", MarkdownIt().enable("table").render(pages.text(page)), flags=re.S)


def test_numbers_that_drift_apart_are_seen():
    compare_numbers("BRN gains 8.5 points within 4 images", "4枚のうち1枚につきBRNが8.5ポイント上です")
    for japanese in ("4枚で8.6ポイント", "4枚で8.5ポイント、p = .03", "8.5ポイント", "4枚で-8.5ポイント"):
        with pytest.raises(AssertionError):
            compare_numbers("BRN gains 8.5 points with 4 images", japanese)
