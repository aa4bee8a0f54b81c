"""The numbers of docs/verdicts.md, by `analysis.stats`, by SciPy, and by enumeration."""

import itertools

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bnrenorm.analysis import stats
from tests.docs import pages
from tests.helpers import COMPARED, save_digits

PAGE = "docs/verdicts.md"


def example():
    _, a, b, differences = np.array(pages.table(PAGE, "seed", "BN", "BRN"), float).T
    return a, b, differences


def test_the_worked_example():
    a, b, differences = example()
    assert b - a == pytest.approx(differences)
    want = dict(pages.table(PAGE, "statistic", "value"))
    found = stats.paired(a / 100, b / 100)
    for name in ("mean", "low", "high"):
        assert 100 * getattr(found, name) == pytest.approx(float(want[name]))
    assert found.p == pytest.approx(float(want["p"]))
    assert found.verdict == want["verdict"]
    scipys = scipy_stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert scipys.pvalue == pytest.approx(float(want["p"]))
    assert float(want["p"]) == 2 / 2 ** len(differences)


def test_the_interval_is_that_of_the_subsets_means():
    _, _, differences = example()
    subsets = [c for n in range(1, 7) for c in itertools.combinations(differences, n)]
    means = sorted(np.mean(subset) for subset in subsets)
    assert len(means) == 63
    want = dict(pages.table(PAGE, "statistic", "value"))
    assert (means[0], means[-1]) == pytest.approx((float(want["low"]), float(want["high"])))
    assert (means[0], means[-1]) == pytest.approx((differences.min(), differences.max()))


def test_holms_correction():
    p, corrected = np.array(pages.table(PAGE, "p", "p_holm"), float).T
    assert stats.holm(list(p)) == pytest.approx(corrected)


def test_pairs_that_a_family_needs():
    for comparisons, pairs in np.array(pages.table(PAGE, "comparisons"), int):
        assert stats.min_pairs(comparisons) == pairs
        assert comparisons * 2 / 2**pairs < 0.05 <= comparisons * 2 / 2 ** (pairs - 1)


@pytest.mark.slow
def test_each_variant_is_judged_at_the_rate_that_was_best_for_it(tmp_path, monkeypatch, no_pictures):
    (tmp_path / "my.yaml").write_text(f"{COMPARED}data: {{path: {save_digits(tmp_path / 'few.npz')}}}\n")
    monkeypatch.chdir(tmp_path)
    (body,) = pages.blocks(PAGE, "python")
    names = {}
    exec(body.replace("5000", "50"), names)
    tuned, results = names["tuned"], names["results"]
    for variant in ("BN", "BRN"):
        own = tuned[tuned["variant"] == variant]
        best = own["training.optimizer.lr"][own["validation_accuracy"].idxmax()]
        assert results.experiment.settings[variant, ()].training.optimizer.lr == best
    assert results.verdicts[0]["seeds"] == 12


def test_the_order_of_the_words():
    """A certain difference within the margin is equivalent; a clear one beyond it is better; fewer than six are neither."""
    base = np.full(8, 0.9)
    small, large = base + 0.001 + 1e-5 * np.arange(8), base + 0.01 + 1e-5 * np.arange(8)
    assert stats.paired(base, small).verdict == "equivalent"
    assert stats.paired(base, large).verdict == "b better"
    assert stats.paired(base[:5], large[:5]).verdict == "inconclusive"
    assert stats.paired(base, large, margin=0.02).verdict == "equivalent"
    assert stats.MARGIN == 0.002
