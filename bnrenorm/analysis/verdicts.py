"""The paired comparisons of an experiment: a verdict and a sentence per pair of variants and grid point.

The keys of an entry are a contract (docs/outputs.md, verdict.json); docs/verdicts.md says how they are reached.
"""

import math
from typing import Any, TypedDict

from bnrenorm.analysis import stats
from bnrenorm.analysis.pairs import METRIC, Pair, pairs_compared
from bnrenorm.analysis.tables import TrainedTrials
from bnrenorm.config.seeds import followed_by, option
from bnrenorm.numbers import counted, points, within

IDENTICAL = "identical by construction"
"""The verdict on two variants that are the same computation."""

BOTH_DIVERGED = "both diverged"
"""The verdict on two variants of which no trial finished."""


class Verdict(TypedDict):
    """A comparison of two variants at a grid point, an entry of verdict.json. Differences are b - a, as fractions."""

    a: str
    b: str
    point: dict[str, Any]  # a value per axis of the grid
    metric: str  # the column of `tables.summary` that is compared
    verdict: str  # "NAME better", "equivalent", "inconclusive", IDENTICAL, "NAME diverged" or BOTH_DIVERGED
    sentence: str
    seeds: int  # that both variants have
    pairs: int  # of these, the ones in which both finished
    differences: list[float]  # of these pairs
    mean: float | None  # None without pairs
    low: float | None  # of the 95 % interval; None with fewer than 6 pairs, as are high, p and p_holm
    high: float | None
    p: float | None
    p_holm: float | None
    comparisons: int  # that Holm's correction is over
    margin: float  # smaller differences count as equivalent
    more_seeds: int  # that a decision needs, estimated
    diverged: dict[str, int]  # by variant
    p_diverged: float | None  # of McNemar's exact test; None where each diverged alone as often, or no seed counts


def winner(verdict: Verdict) -> str | None:
    """Return the variant that is better, None if neither is."""
    return next((name for name in (verdict["a"], verdict["b"]) if verdict["verdict"] == f"{name} better"), None)


def interval(verdict: Verdict) -> tuple[float, float] | None:
    """Return the bounds of the mean difference, None where there are too few pairs."""
    low, high = verdict["low"], verdict["high"]
    return None if low is None or high is None else (low, high)


def pairs_of(verdicts: list[Verdict]) -> list[tuple[str, str]]:
    """Return the pairs (a, b) of variants, each once."""
    return list(dict.fromkeys((verdict["a"], verdict["b"]) for verdict in verdicts))


def few_pairs(verdicts: list[Verdict], most: int) -> tuple[list[Verdict], str]:
    """Return verdicts on at most so many pairs; of more, those with the first variant, and its name, else ""."""
    base = verdicts[0]["a"] if len(pairs_of(verdicts)) > most else ""
    return [verdict for verdict in verdicts if base in ("", verdict["a"])], base


def in_points(verdict: Verdict) -> list[float | None]:
    """Return mean, low and high in percentage points."""
    values = (verdict["mean"], verdict["low"], verdict["high"])
    return [None if value is None else 100 * value for value in values]


def equivalent(margin: float) -> str:
    """Return what is said of two variants that differ by less than the margin."""
    return f"equivalent within {within(margin)}"


def is_by_divergence(verdict: Verdict) -> bool:
    """Tell whether the verdict is that one variant diverged in more seeds than the other, or that both did in all."""
    return verdict["verdict"] in (BOTH_DIVERGED, f"{verdict['a']} diverged", f"{verdict['b']} diverged")


def is_one_measurement(verdict: Verdict) -> bool:
    """Tell whether nothing depends on the seed, so that no number of seeds gives an interval."""
    return verdict["verdict"] == "inconclusive" and verdict["pairs"] == 1 and not verdict["more_seeds"]


def verdicts(trials: TrainedTrials, baseline: str | None = None, margin: float = stats.MARGIN) -> list[Verdict]:
    """Compare variants pair by pair at every grid point by their test accuracy; return plain data for verdict.json.

    Every pair of variants, or every other variant with `baseline`. All comparisons of the experiment are one family for
    Holm's correction, those of the same trainings as one, without those of variants that are the same computation
    (`config.identity`) or never finished. Differences are b - a, as fractions, of the seeds in which both finished;
    those below the margin count as equivalent.
    """
    pairs = pairs_compared(trials, baseline)
    family = [pair for pair in pairs if pair.is_tested]
    measured = [(pair.compared.measured, pair.finished) for pair in family]
    tested, count = iter(stats.compare([pair.values for pair in family], measured, margin)), len(set(measured))
    of_pairs = [next(tested) if pair.is_tested else stats.paired(*pair.values, margin) for pair in pairs]
    return [_entry(pair, difference, count) for pair, difference in zip(pairs, of_pairs, strict=True)]


def _entry(pair: Pair, difference: stats.PairedDifference, count: int) -> Verdict:
    verdict, more_seeds = _decide(pair, difference)
    return {
        "a": pair.compared.a,
        "b": pair.compared.b,
        "point": dict(pair.compared.point),
        "metric": METRIC,
        "verdict": verdict,
        "sentence": _sentence(pair, difference, count),
        "seeds": len(pair.seeds),
        "pairs": len(difference.differences),
        "differences": difference.differences.tolist(),
        "mean": _or_none(difference.mean),
        "low": _or_none(difference.low),
        "high": _or_none(difference.high),
        "p": _or_none(difference.p),
        "p_holm": _or_none(difference.p_holm),
        "comparisons": count,
        "margin": difference.margin,
        "more_seeds": more_seeds,
        "diverged": pair.diverged,
        "p_diverged": _p_diverged(pair),
    }


def _p_diverged(pair: Pair) -> float | None:
    is_told = len(set(pair.alone)) > 1 and not pair.compared.is_once
    return stats.mcnemar(*pair.alone) if is_told else None


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _decide(pair: Pair, difference: stats.PairedDifference) -> tuple[str, int]:
    """Return the verdict and the number of further seeds that a decision needs.

    A diverged trial is an outcome. A variant that diverged in more seeds than the other is neither better than it nor
    equivalent to it, whatever the seeds say in which both finished.
    """
    a, b = pair.compared.a, pair.compared.b
    if pair.compared.identical_because is not None:
        return IDENTICAL, 0
    if pair.seeds and min(pair.diverged.values()) == len(pair.seeds):
        return BOTH_DIVERGED, 0
    better = {"a better": a, "b better": b}.get(difference.verdict)
    fewest = min(pair.diverged, key=lambda name: pair.diverged[name])
    if len(set(pair.diverged.values())) > 1 and better != fewest:
        return f"{b if fewest == a else a} diverged", 0
    return (f"{better} better" if better else difference.verdict), 0 if pair.compared.is_once else pair.more(difference)


def _sentence(pair: Pair, difference: stats.PairedDifference, count: int) -> str:
    if pair.compared.identical_because is not None:
        return f"{pair.compared.a} and {pair.compared.b} are {IDENTICAL}: {pair.compared.identical_because}."
    if not any(pair.diverged.values()):
        return _of_differences(pair, difference, count)
    text = divergences(pair.diverged, len(pair.seeds), _p_diverged(pair))
    if len(difference.differences):
        return f"{text}. Where both finished: {_of_differences(pair, difference, count)}"
    none = ": no seed in which both finished, so there is no comparison" if all(pair.diverged.values()) else ""
    return f"{text}{none}."


def divergences(diverged: dict[str, int], seeds: int, p: float | None) -> str:
    """Return "BN diverged in 2 of 6 seeds and BRN in 0 (p = ...)" of variants of which some diverged, by variant."""
    counts = [f"{name} diverged in {count} of {counted(seeds, 'seed')}" for name, count in diverged.items() if count]
    text = " and ".join([*counts, *(f"{name} in 0" for name, count in diverged.items() if not count)])
    return text if p is None else f"{text} (p = {p_cell(p, 3)} by McNemar's exact test)"


def _of_differences(pair: Pair, difference: stats.PairedDifference, count: int) -> str:
    """Say what the seeds show in which both variants finished."""
    a, b = pair.compared.a, pair.compared.b
    pairs, more = len(difference.differences), pair.more(difference)
    if not pairs:
        return f"{a} and {b} have no seed in common: inconclusive: {more} paired seeds needed."
    mean = f"{b} - {a} = {points(difference.mean)} points of test accuracy"
    if pair.compared.is_once:
        return (
            f"{mean}: inconclusive: nothing in {a} and {b} depends on the seed, so that all seeds are one measurement."
        )
    if pairs < stats.MIN_PAIRS:
        by_seed = ", ".join(points(value) for value in difference.differences)
        fewer = stats.MIN_PAIRS - pairs
        is_close = max(map(abs, difference.differences)) < difference.margin  # the interval of 6 holds all differences
        is_enough = is_close and fewer < more and not any(pair.diverged.values())
        equivalence = f", of which {fewer} can show equivalence" if is_enough else ""
        return (
            f"{mean} (by seed: {by_seed}): inconclusive: {counted(pairs, 'paired seed')} can never reach "
            f"p < .05; {more} more needed ({option(followed_by(pair.seeds, more))}){equivalence}."
        )
    if not difference.differences.any():
        return f"{b} - {a} = 0 in every one of {pairs} paired seeds: {equivalent(difference.margin)}."
    interval = f"[{points(difference.low)}, {points(difference.high)}]"
    ending = {
        "a better": f"{a} is better",
        "b better": f"{b} is better",
        "equivalent": equivalent(difference.margin),
        "inconclusive": f"inconclusive: {more_seeds(more, pairs)}",
    }[difference.verdict]
    p = p_text(difference.p, difference.p_holm, count)
    return f"{mean} {interval}, {p}, {pairs} paired seeds: {ending}."


def p_text(p: float, p_holm: float, comparisons: int) -> str:
    """Return "p = 0.0312", of several comparisons with the p after Holm's correction."""
    after = f" ({p_cell(p_holm, 3)} after Holm's correction over {comparisons} comparisons)"
    return f"p = {p_cell(p, 3)}{after * (comparisons > 1)}"


def p_cell(p: float, digits: int = 2) -> str:
    """Return a p-value with so many digits, or as many as tell on which side of .05 it is."""
    texts = (f"{p:.{many}g}".replace("e-0", "e-") for many in range(digits, 18))
    return next(text for text in texts if (float(text) < stats.ALPHA) == (p < stats.ALPHA))


def more_seeds(count: int, pairs: int) -> str:
    """Return "about 3 more seeds needed" for a number that rests on so many pairs, 0 where seeds change nothing."""
    if not count:
        return "all seeds are the same"
    return f"{at_least(pairs)} {counted(count, 'more seed')} needed"


def at_least(pairs: int) -> str:
    """Return what stands before a number of further seeds: from fewer than 6 pairs nothing can be estimated."""
    return "about" if pairs >= stats.MIN_PAIRS else "at least"
