"""Tables in narrow terminals: whatever the width, no cell is lost."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from bnrenorm.cli.narrow import fitted

ROWS = [("BN", "final", "0.2550 ± 0.0071", "25.50 ± 0.71"), ("BRN warmed up [a]", "", "0.2460 ± 0.0072", "diverged")]


@pytest.fixture
def table():
    table = Table(title="means", box=None)
    table.add_column("variant", overflow="fold")
    table.add_column("")
    for heading in ("test loss", "test %"):
        table.add_column(heading, no_wrap=True)
    for row in ROWS:
        table.add_row(*row)
    return table


def printed(table, width):
    file = io.StringIO()
    Console(file=file, width=width).print(fitted(table, width), markup=False)
    return file.getvalue()


@pytest.mark.parametrize("width", [10, 20, 30, 40, 50, 60, 80, 200])
def test_every_word_of_every_cell_is_shown(table, width):
    cells = ("means", "variant", "test loss", "test %", *(cell for row in ROWS for cell in row))
    assert {word for cell in cells for word in cell.split()} <= set(printed(table, width).split())


def test_a_table_that_fits_stays_one(table):
    assert fitted(table, 80) is table
    assert printed(table, 80).splitlines()[1].split() == ["variant", "test", "loss", "test", "%"]


def test_a_table_that_does_not_fit_becomes_a_list(table):
    assert printed(table, 40).splitlines() == [
        "means",
        "variant BN",
        "  final",
        "  test loss 0.2550 ± 0.0071",
        "  test % 25.50 ± 0.71",
        "variant BRN warmed up [a]",
        "  test loss 0.2460 ± 0.0072",
        "  test % diverged",
    ]


def test_a_long_name_is_folded_before_a_table_becomes_a_list(table):
    table.add_row("a" * 100, "", "", "")
    assert fitted(table, 60) is table
    assert fitted(table, 40) is not table
