"""Names that Matplotlib's own font lacks. STIXGeneral, which comes with Matplotlib too, stands for a Japanese font."""

import io
import warnings

import matplotlib
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

from bnrenorm.analysis import outputs
from bnrenorm.analysis.plots import fonts
from bnrenorm.errors import Hint
from tests.helpers import COMPARED, results_of

STIX = "の"  # the one Japanese character of STIXGeneral; DejaVu Sans lacks it, see the first test
NAMES = ("正規化なし", "バッチ再正規化")


@pytest.fixture(autouse=True)
def _no_names_numbered_yet(monkeypatch):
    monkeypatch.setattr(fonts, "_numbers", {})


@pytest.fixture
def only_stix(monkeypatch):
    """No font of this machine, and of Matplotlib's DejaVu Sans and STIXGeneral."""
    monkeypatch.setattr(fonts, "FAMILIES", ("DejaVu Sans", "No Such Font", "STIXGeneral"))
    monkeypatch.setattr(font_manager, "findSystemFonts", list)


@pytest.fixture
def no_fonts(monkeypatch):
    monkeypatch.setattr(fonts, "FAMILIES", ("DejaVu Sans",))
    monkeypatch.setattr(font_manager, "findSystemFonts", list)


def figure_of(*names, title=""):
    """A figure with the names in its legend and at its ticks."""
    figure = Figure()
    ax = figure.subplots()
    for i, name in enumerate(names):
        ax.plot([0, 1], [i, i + 1], label=name)
    ax.set_xticks(range(len(names)), names)
    ax.set(title=title, ylabel="accuracy (%)", xlim=(-1, 5))
    ax.legend()
    return figure


def texts_of(figure):
    figure.savefig(io.BytesIO())  # warnings are errors: no character is a box
    return {text.get_text() for text in figure.findobj(Text)} - {""}


def test_the_character_of_these_tests_is_in_one_font_of_two():
    assert STIX in fonts._characters("STIXGeneral") - fonts._characters("DejaVu Sans")
    assert fonts._characters("No Such Font") == frozenset()


def test_a_name_is_drawn_by_an_installed_font_that_has_its_characters(only_stix):
    figure, settings = figure_of("BN", STIX), dict(matplotlib.rcParams)
    fonts.complete(figure)
    assert STIX in texts_of(figure)
    assert {tuple(text.get_fontfamily()) for text in figure.findobj(Text)} == {("sans-serif", "STIXGeneral")}
    assert dict(matplotlib.rcParams) == settings


def test_names_at_ticks_alone_are_seen(only_stix):
    """Matplotlib gives tick labels their texts when it draws."""
    figure = Figure()
    figure.subplots().bar(["BN", STIX], [1, 2])
    fonts.complete(figure)
    assert STIX in texts_of(figure)


def test_a_figure_whose_fonts_suffice_is_left_alone(only_stix):
    figure = figure_of("BN", "0.2 ± 0.1\n1 diverged", "−1 …")
    fonts.complete(figure)
    assert {tuple(text.get_fontfamily()) for text in figure.findobj(Text)} == {("sans-serif",)}
    with matplotlib.rc_context({"font.family": ["DejaVu Sans", "STIXGeneral"]}):
        figure = figure_of(STIX)
        fonts.complete(figure)
    assert {tuple(text.get_fontfamily()) for text in figure.findobj(Text)} == {("DejaVu Sans", "STIXGeneral")}


def test_each_character_is_drawn_by_a_font_that_has_it_and_the_others_are_numbers(no_fonts, monkeypatch):
    monkeypatch.setattr(fonts, "FAMILIES", ("STIXGeneral", "STIXSizeOneSym"))
    bracket = "⎰"  # in STIXSizeOneSym alone
    figure = figure_of(f"{STIX}{bracket}", f"{NAMES[0]}{STIX}")
    with pytest.warns(Hint, match=rf'show "{NAMES[0]}" as \[1\]; fonts'):
        fonts.complete(figure)
    assert {f"{STIX}{bracket}", f"[1]{STIX}"} <= texts_of(figure)


def test_the_users_sans_serif_fonts_come_first(only_stix):
    both = "⎴"  # in either font
    with matplotlib.rc_context({"font.sans-serif": ["DejaVu Sans", "STIXSizeOneSym"]}):
        figure = figure_of(both)
        fonts.complete(figure)
    assert both in texts_of(figure)
    assert {tuple(text.get_fontfamily()) for text in figure.findobj(Text)} == {("sans-serif", "STIXSizeOneSym")}


def test_a_font_that_was_installed_just_now_is_used(only_stix, monkeypatch, tmp_path):
    """Matplotlib searches once and keeps the list in a file."""
    manager = font_manager.fontManager
    path = font_manager.findfont("STIXGeneral")
    unreadable = tmp_path / "unreadable.ttf"
    unreadable.write_bytes(b"none")
    monkeypatch.setattr(manager, "ttflist", [font for font in manager.ttflist if font.name != "STIXGeneral"])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(unreadable), str(path)])
    manager.addfont(font_manager.findfont("DejaVu Sans"))  # forgets what was looked up before
    figure = figure_of(STIX)
    fonts.complete(figure)
    assert STIX in texts_of(figure)


def test_names_that_no_font_has_are_numbers_and_one_hint_says_which(no_fonts):
    figure = figure_of(f"{NAMES[0]} 0.1", NAMES[1], "BN", title="比較")
    with pytest.warns(Hint) as hints:
        fonts.complete(figure)
    (hint,) = [str(hint.message) for hint in hints]
    assert {"[1] 0.1", "[2]", "BN", "[3]", "accuracy (%)"} <= texts_of(figure)
    for name, number in zip((*NAMES, "比較"), (1, 2, 3), strict=True):
        assert f'"{name}" as [{number}]' in hint
    assert "apt-get install fonts-ipafont-gothic" in hint
    (ax,) = figure.axes
    assert ax.get_xlim() == (-1, 5)
    ax.set_ylim(0, 1000)
    assert ax.get_yticks()[-1] >= 1000, "other axes have ticks where they need them"


def test_a_name_of_several_words_is_one_number(no_fonts):
    name = "再正規化（r_max 3、d_max 5）"
    figure = figure_of(name, f"{name} - {NAMES[0]}, 学習率 0.1", "学習率: 正規化", "正規化 = 学習率")
    with pytest.warns(Hint, match=rf'show "{name}" as \[1\], "{NAMES[0]}" as \[2\], "学習率" as \[3\], "正規化" as'):
        fonts.complete(figure)
    assert {"[1]", "[1] - [2], [3] 0.1", "[3]: [4]", "[4] = [3]"} <= texts_of(figure)


def test_brackets_of_a_name_are_part_of_its_number(no_fonts):
    figure = figure_of("正規化 (高速)", "accuracy (正規化 (高速))", "(正規化)")
    with pytest.warns(Hint, match=r'"正規化 \(高速\)" as \[1\], "正規化" as \[2\]; fonts'):
        fonts.complete(figure)
    assert {"[1]", "accuracy ([1])", "([2])"} <= texts_of(figure)


def test_names_of_a_categorical_axis_are_numbers_too(no_fonts):
    figure = Figure()
    figure.subplots().bar(["BN", NAMES[0]], [1, 2])
    with pytest.warns(Hint) as hints:
        fonts.complete(figure)
    assert len(hints) == 1
    assert {"BN", "[1]"} <= texts_of(figure)


def test_other_figures_show_the_same_numbers_without_another_hint(no_fonts):
    with pytest.warns(Hint):
        fonts.complete(figure_of(*NAMES))
    figure = figure_of(NAMES[1])
    fonts.complete(figure)
    assert "[2]" in texts_of(figure)
    with pytest.warns(Hint, match=r'names, figures show "学習率" as \[3\]; fonts'):
        fonts.complete(figure_of(NAMES[0], "学習率"))


def test_an_ax_of_a_notebook_is_completed_alone(no_fonts):
    figure = Figure()
    left, right = figure.subplots(1, 2)
    left.set_title("左")
    right.set_title("右")
    with pytest.warns(Hint):
        fonts.complete(left)
    assert (left.get_title(), right.get_title()) == ("[1]", "右")


@pytest.mark.parametrize("method", ["curves", "diagnosis", "accuracy", "difference"])
def test_the_figures_of_a_notebook_are_completed(no_fonts, method):
    ax = Figure().subplots()
    with pytest.warns(Hint, match=r'"正規化あり" as \[1\]; fonts'):
        getattr(results_of(COMPARED.replace("BRN:", "正規化あり:")).plot, method)(ax)
    assert any("[1]" in text for text in texts_of(ax.figure))


def test_the_figures_of_a_run_are_drawn_with_one_hint(no_fonts, tmp_path):
    text = COMPARED.replace("BRN:", "正規化あり:") + "grid: {training.optimizer.momentum: [0.5, 0.9]}"
    with pytest.warns(Hint) as hints:
        assert outputs.write_figures(results_of(text, folder=tmp_path)) == []
    assert len(hints) == 1
    assert len(list(tmp_path.glob("*.png"))) >= 3


def test_japanese_names_are_drawn_whole_where_a_japanese_font_is_installed():
    if not any("規" in fonts._characters(family) for family in fonts.FAMILIES):
        pytest.skip("no Japanese font is installed, such as Debian's package fonts-ipafont-gothic")
    figure = figure_of(*NAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fonts.complete(figure)
    assert set(NAMES) <= texts_of(figure)
