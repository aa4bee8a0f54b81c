"""Charts of many variants: what is drawn of them, and that it is said."""

import pytest

from bnrenorm.analysis.report import charts
from bnrenorm.analysis.report.cells import Cells
from tests.analysis.report.runs import results

VARIANTS = [f"V{i}" for i in range(6)]


def drawn(count, baseline=""):
    names = "".join(
        f"  {name}: {{norm: {{kind: batch}}, model: {{hidden: [{i}]}}}}\n" for i, name in enumerate(VARIANTS[:count], 3)
    )
    chart = charts.differences(Cells(results(f"name: many\nvariants:\n{names}seeds: 6\n{baseline}")))
    return [entry.name for entry in chart.legend], chart.caption


def test_of_many_pairs_those_with_the_first_variant_are_drawn():
    """The same as in the figures."""
    names, caption = drawn(6)
    assert names == [f"{name} - V0" for name in VARIANTS[1:]]
    assert caption.endswith(" Of 15 pairs, those with V0 are drawn.")


@pytest.mark.parametrize(("count", "baseline", "pairs"), [(5, "", 10), (6, "baseline: V3\n", 5)])
def test_others_are_all_drawn(count, baseline, pairs):
    names, caption = drawn(count, baseline)
    assert len(names) == pairs
    assert "are drawn" not in caption
