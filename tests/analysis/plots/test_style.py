"""Looks that stay apart, and figures as bytes."""

import matplotlib
import pytest
from matplotlib.figure import Figure

from bnrenorm.analysis.plots import style


def test_no_two_variants_look_alike_with_or_without_colours():
    looks = [style.look(i) for i in range(32)]
    assert len(set(looks)) == 32
    assert len({look.color for look in looks[:8]}) == 8
    assert len({(look.marker, look.linestyle) for look in looks}) == 32


def test_looks_follow_the_order_of_the_names():
    assert style.looks(["BN", "BRN", "BN"]) == {"BN": style.look(0), "BRN": style.look(1)}
    assert style.looks(["BN"], skip=2) == {"BN": style.look(2)}


def test_the_style_file_is_in_use_inside_only():
    with matplotlib.rc_context({"axes.spines.top": True, "savefig.dpi": 33}):
        with style.own_settings():
            assert not matplotlib.rcParams["axes.spines.top"]
            assert not matplotlib.rcParams["axes.formatter.useoffset"]
            assert matplotlib.rcParams["savefig.dpi"] == 110
        assert matplotlib.rcParams["axes.spines.top"]
        assert matplotlib.rcParams["savefig.dpi"] == 33


@pytest.mark.parametrize("render", [style.png, style.svg])
def test_the_other_format_has_the_same_layout(render):
    def figure():
        with style.own_settings():
            figure = Figure(figsize=(4, 3))
            figure.subplots().set(title="a title", xlabel="x")
        return figure

    one, two = figure(), figure()
    style.png(one)
    render(two)
    assert one.axes[0].get_position().bounds == pytest.approx(two.axes[0].get_position().bounds, abs=0.01)
    before = one.axes[0].get_position().bounds
    style.svg(one)
    assert one.axes[0].get_position().bounds == before
