"""Tables for terminals of any width: no word is cut, keys and verdicts are never left out, and a file has everything."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from bnrenorm.cli.sheet import Sheet, wrapped

ROWS = [
    ("BN", "0.2550 ± 0.0071", "25.50 ± 0.71", "inconclusive"),
    ("バッチ再正規化 [a]", "0.2460 ± 0.0072", "1.5e14 ± 2.0e13", "identical by construction"),
]
HEADINGS = (("variant", None, False), ("test loss", 0, True), ("test %", 1, True), ("verdict", None, False))


@pytest.fixture
def sheet():
    sheet = Sheet("means")
    for (heading, rank, is_number), texts in zip(HEADINGS, zip(*ROWS, strict=True), strict=True):
        sheet.add(heading, texts, rank=rank, is_number=is_number)
    return sheet


def printed(content, width):
    file = io.StringIO()
    console = Console(file=file, width=width)
    for line in content if isinstance(content, list) else [content]:
        console.print(line, markup=False)
    return file.getvalue()


def words(text):
    return set(text.split())


@pytest.mark.parametrize("width", range(24, 100, 3))
def test_no_word_is_cut_and_what_is_left_out_is_named(sheet, width):
    table, out = sheet.fitted(width)
    text = printed(table, width)
    shown = [i for i, (heading, *_) in enumerate(HEADINGS) if heading not in out]
    assert {0, 3} <= set(shown)
    assert {word for row in ROWS for i in shown for word in row[i].split()} <= words(text)
    assert all(cell_len(line) <= width for line in text.splitlines()) or not isinstance(table, Table)


def test_columns_are_left_out_by_rank_then_a_table_becomes_lines(sheet):
    left_out = [sheet.fitted(width)[1] for width in (81, 66, 50, 34, 33)]
    assert left_out == [[], [], ["test loss"], ["test loss", "test %"], ["test loss", "test %"]]
    lines, out = sheet.fitted(20)
    assert out == []
    assert lines[:5] == ["variant BN", "  test loss 0.2550 ± 0.0071", "  test % 25.50 ± 0.71", "  verdict inconclusive",
                         "variant バッチ再正規化 [a]"]  # fmt: skip


def test_a_file_gets_every_column_however_wide(sheet):
    table, out = sheet.fitted(100_000)
    assert out == []
    assert len(printed(table, 1000).splitlines()) == 2 + len(ROWS)


def test_an_optional_column_without_a_text_is_no_column():
    sheet = Sheet("means")
    for heading, text, rank in (("variant", "BN", None), ("p", "", 0), ("verdict", "", None)):
        sheet.add(heading, [text], rank=rank)
    table, out = sheet.fitted(80)
    assert [column.header for column in table.columns] == ["variant", "verdict"]
    assert out == []


def test_plain_characters_and_sections(sheet):
    sheet.ends = {len(ROWS) - 2}
    text = printed(
        sheet.translated(lambda text: text.encode("ascii", "replace").decode()).fitted(99, is_ascii=True)[0], 99
    )
    assert text.isascii()
    assert "---" in text
    assert text.splitlines()[3].strip() == ""


@pytest.mark.parametrize("width", [5, 10, 17, 40, 200])
def test_a_text_is_broken_between_words_only(width):
    text = "  curves and tables: /a/path/of/some/length"
    lines = wrapped(text, width).split("\n")
    assert " ".join(line.strip() for line in lines) == text.strip()
    assert all(cell_len(line) <= width or len(line.split()) == 1 for line in lines)
    assert all(line.startswith("  ") for line in lines)


def test_blanks_between_words_stay():
    assert wrapped(" 10 %  step 5", 20) == " 10 %  step 5"
    assert wrapped("ok   Python     3.11 on a card", 22) == "ok   Python     3.11\non a card"
    assert wrapped("", 5) == ""
