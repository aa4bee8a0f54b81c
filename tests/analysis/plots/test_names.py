"""Names and values of the user are drawn as they are."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from bnrenorm.analysis.plots.names import minus, plain, plain_list

NAMES = ["$", "$$", r"$\frac$", r"a\$b$c$", "_x", "__", "%a_b^c {d} #&~", "two\nlines", "\t", "", r"\alpha"]


@pytest.mark.parametrize("name", NAMES)
def test_matplotlib_draws_a_name_literally_and_in_legends(name):
    figure = Figure()
    ax = figure.subplots()
    ax.plot([0], label=plain(name))
    ax.legend()
    figure.draw_without_rendering()
    (text,) = ax.get_legend().get_texts()
    drawn, is_mathematics = text._preprocess_math(text.get_text())
    assert not is_mathematics
    assert drawn.strip() == name.replace("\n", " ").strip()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4, "4"), (4.0, "4"), (np.float64(0.5), "0.5"), (1e-5, "1e-05"), (True, "true"), ((20, 10), "[20, 10]"),
        (None, "null"), (np.nan, "null"), ("4.0", "4.0"), (40 * "x", 16 * "x" + "…" + 15 * "x"),
    ],
)  # fmt: skip
def test_values_are_short_texts(value, text):
    assert plain(value) == text


def test_long_names_that_differ_at_their_ends_read_differently():
    assert len({plain(f"batch renormalisation with a warm-up of {share} %") for share in (10, 50)}) == 2


def test_of_a_difference_the_names_are_shorter_where_both_are_long():
    assert minus("BRN", "BN") == "BRN - BN"
    assert minus(40 * "x", 40 * "y") == f"{10 * 'x'}…{9 * 'x'} - {10 * 'y'}…{9 * 'y'}"
    assert minus(30 * "x", "BN") == f"{30 * 'x'} - BN"
    assert minus("BN", 30 * "x", 20) == f"BN - {9 * 'x'}…{8 * 'x'}"


def test_a_list_has_commas():
    assert plain_list(["a", 4.0, None]) == "a, 4, null"
    assert plain_list([]) == ""
