"""The paired comparisons of an experiment: a verdict and a sentence per pair of variants and grid point.

The keys of an entry are a contract (docs/outputs.md, verdict.json); docs/verdicts.md says how they are reached.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from bnrenorm.analysis import stats
from bnrenorm.analysis.tables import TrainedTrials, summary
from bnrenorm.config.identity import Identity
from bnrenorm.config.trial import Point
from bnrenorm.numbers import counted, points

IDENTICAL = "identical by construction"
"""The verdict on two variants that are the same computation."""

BOTH_DIVERGED = "both diverged"
"""The verdict on two variants of which no trial finished."""

EQUIVALENT = f"equivalent within {100 * stats.MARGIN:g} points"
"""What is said of two variants that differ by less than the margin."""

_METRIC = "final_test_accuracy"


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


def winner(verdict: Verdict) -> str | None:
    """Return the variant that is better, None if neither is."""
    return next((name for name in (verdict["a"], verdict["b"]) if verdict["verdict"] == f"{name} better"), None)


def interval(verdict: Verdict) -> tuple[float, float] | None:
    """Return the bounds of the mean difference, None where there are too few pairs."""
    low, high = verdict["low"], verdict["high"]
    return None if low is None or high is None else (low, high)


def in_points(verdict: Verdict) -> list[float | None]:
    """Return mean, low and high in percentage points."""
    values = (verdict["mean"], verdict["low"], verdict["high"])
    return [None if value is None else 100 * value for value in values]


def is_by_divergence(verdict: Verdict) -> bool:
    """Tell whether the verdict is that one variant diverged in more seeds than the other, or that both did in all."""
    return verdict["verdict"] in (BOTH_DIVERGED, f"{verdict['a']} diverged", f"{verdict['b']} diverged")


def is_one_measurement(verdict: Verdict) -> bool:
    """Tell whether nothing depends on the seed, so that no number of seeds gives an interval."""
    return verdict["verdict"] == "inconclusive" and verdict["pairs"] == 1 and not verdict["more_seeds"]


@dataclass(frozen=True)
class _Pair:
    """Two variants at a grid point: their values (S,) of the seeds in which both finished.

    Where no setting depends on the seed (`is_once`), all seeds are one measurement, and the values are those of one.
    """

    a: str
    b: str
    point: Point
    seeds: int
    values: tuple[np.ndarray, np.ndarray]
    diverged: dict[str, int]
    identical_because: str | None
    is_once: bool

    @property
    def is_tested(self) -> bool:
        """Whether the pair belongs to the family: neither known to be equal, nor measured once, nor without values."""
        return self.identical_because is None and not self.is_once and (self.seeds == 0 or len(self.values[0]) > 0)


def verdicts(trials: TrainedTrials, identical: list[Identity], baseline: str | None = None) -> list[Verdict]:
    """Compare variants pair by pair at every grid point by their test accuracy; return plain data for verdict.json.

    Every pair of variants, or every other variant with `baseline`. All comparisons of the experiment are one family for
    Holm's correction, except those of variants that are `identical` (`config.identity`) or that never finished.
    Differences are b - a, as fractions (0.01 is one percentage point), of the seeds in which both finished.
    """
    pairs = _pairs(trials, identical, baseline)
    family = [pair.values for pair in pairs if pair.is_tested]
    tested = iter(stats.compare(family))
    return [_entry(pair, next(tested) if pair.is_tested else stats.paired(*pair.values), len(family)) for pair in pairs]


def _pairs(trials: TrainedTrials, identical: list[Identity], baseline: str | None) -> list[_Pair]:
    """Return the pairs that are compared: by grid point, then in the variants' order, the baseline first."""
    cells: dict[Point, dict[str, dict[int, Any]]] = {}
    random = {(trial.point, trial.variant) for trial, _ in trials if trial.depends_on_seed}
    for (trial, _), row in zip(trials, summary(trials).to_dict("records"), strict=True):
        cells.setdefault(trial.point, {}).setdefault(trial.variant, {})[trial.seed] = row
    names = list(dict.fromkeys(trial.variant for trial, _ in trials))
    if baseline is None:
        chosen = list(itertools.combinations(names, 2))
    else:
        chosen = [(baseline, name) for name in names if name != baseline]
    reasons = {(frozenset((same.a, same.b)), same.point): same.reason for same in identical}
    pairs = []
    for point, cell in cells.items():
        for a, b in chosen:
            if a in cell and b in cell:
                seeds = [seed for seed in cell[a] if seed in cell[b]]
                diverged = {name: sum(cell[name][seed]["outcome"] == "diverged" for seed in seeds) for name in (a, b)}
                finished = [seed for seed in seeds if all(cell[n][seed]["outcome"] != "diverged" for n in (a, b))]
                is_once = not {(point, a), (point, b)} & random
                finished = finished[:1] if is_once else finished
                values = tuple(np.array([cell[name][seed][_METRIC] for seed in finished], float) for name in (a, b))
                reason = reasons.get((frozenset((a, b)), point))
                pairs.append(_Pair(a, b, point, len(seeds), (values[0], values[1]), diverged, reason, is_once))
    return pairs


def _entry(pair: _Pair, difference: stats.PairedDifference, comparisons: int) -> Verdict:
    verdict, more_seeds = _decide(pair, difference)
    return {
        "a": pair.a,
        "b": pair.b,
        "point": dict(pair.point),
        "metric": _METRIC,
        "verdict": verdict,
        "sentence": _sentence(pair, difference, comparisons),
        "seeds": pair.seeds,
        "pairs": len(difference.differences),
        "differences": difference.differences.tolist(),
        "mean": _or_none(difference.mean),
        "low": _or_none(difference.low),
        "high": _or_none(difference.high),
        "p": _or_none(difference.p),
        "p_holm": _or_none(difference.p_holm),
        "comparisons": comparisons,
        "margin": stats.MARGIN,
        "more_seeds": more_seeds,
        "diverged": pair.diverged,
    }


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _decide(pair: _Pair, difference: stats.PairedDifference) -> tuple[str, int]:
    """Return the verdict and the number of further seeds that a decision needs.

    A diverged trial is an outcome. A variant that diverged in more seeds than the other is neither better than it nor
    equivalent to it, whatever the seeds say in which both finished.
    """
    if pair.identical_because is not None:
        return IDENTICAL, 0
    if pair.seeds and min(pair.diverged.values()) == pair.seeds:
        return BOTH_DIVERGED, 0
    better = {"a better": pair.a, "b better": pair.b}.get(difference.verdict)
    fewest = min(pair.diverged, key=lambda name: pair.diverged[name])
    if len(set(pair.diverged.values())) > 1 and better != fewest:
        return f"{pair.b if fewest == pair.a else pair.a} diverged", 0
    return (f"{better} better" if better else difference.verdict), 0 if pair.is_once else difference.more_pairs


def _sentence(pair: _Pair, difference: stats.PairedDifference, comparisons: int) -> str:
    a, b, n = pair.a, pair.b, len(difference.differences)
    if pair.identical_because is not None:
        return f"{a} and {b} are {IDENTICAL}: {pair.identical_because}."
    if not any(pair.diverged.values()):
        return _of_differences(pair, difference, comparisons)
    text = divergences(pair.diverged, pair.seeds)
    if n:
        return f"{text}. Where both finished: {_of_differences(pair, difference, comparisons)}"
    none = ": no seed in which both finished, so there is no comparison" if all(pair.diverged.values()) else ""
    return f"{text}{none}."


def divergences(diverged: dict[str, int], seeds: int) -> str:
    """Return "BN diverged in 2 of 6 seeds and BRN in none" of variants of which some diverged, with their counts."""
    counts = [f"{name} diverged in {count} of {counted(seeds, 'seed')}" for name, count in diverged.items() if count]
    return " and ".join([*counts, *(f"{name} in none" for name, count in diverged.items() if not count)])


def _of_differences(pair: _Pair, difference: stats.PairedDifference, comparisons: int) -> str:
    """Say what the seeds show in which both variants finished."""
    a, b = pair.a, pair.b
    pairs, more = len(difference.differences), difference.more_pairs
    if not pairs:
        return f"{a} and {b} have no seed in common: inconclusive: {more} paired seeds needed."
    mean = f"{b} - {a} = {points(difference.mean)} points of test accuracy"
    if pair.is_once:
        return (
            f"{mean}: inconclusive: nothing in {a} and {b} depends on the seed, so that all seeds are one measurement."
        )
    if pairs < stats.MIN_PAIRS:
        by_seed = ", ".join(points(value) for value in difference.differences)
        return (
            f"{mean} (by seed: {by_seed}): inconclusive: {counted(pairs, 'paired seed')} can never reach "
            f"p < .05; {more} more needed (--seeds {pair.seeds + more})."
        )
    if not difference.differences.any():
        return f"{b} - {a} = 0 in every one of {pairs} paired seeds: {EQUIVALENT}."
    interval = f"[{points(difference.low)}, {points(difference.high)}]"
    ending = {
        "a better": f"{a} is better",
        "b better": f"{b} is better",
        "equivalent": EQUIVALENT,
        "inconclusive": f"inconclusive: {more_seeds(more)}",
    }[difference.verdict]
    p = p_text(difference.p, difference.p_holm, comparisons)
    return f"{mean} {interval}, {p}, {pairs} paired seeds: {ending}."


def p_text(p: float, p_holm: float, comparisons: int) -> str:
    """Return "p = 0.0312", of several comparisons with the p after Holm's correction."""
    corrected = f" ({p_holm:.3g} after Holm's correction over {comparisons} comparisons)" if comparisons > 1 else ""
    return f"p = {p:.3g}{corrected}"


def more_seeds(count: int) -> str:
    """Return "about 3 more seeds needed" for an estimate of further seeds, 0 where they would change nothing."""
    if not count:
        return "all seeds are the same"
    return f"about {counted(count, 'more seed')} needed"
