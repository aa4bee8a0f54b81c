"""The report's headline: what a run found, the conclusion first and its numbers after it."""

from dataclasses import dataclass
from typing import Any

from bnrenorm.analysis import aggregates, stats
from bnrenorm.analysis.report.words import pair
from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.analysis.verdicts import (
    IDENTICAL,
    Verdict,
    divergences,
    equivalent,
    interval,
    is_by_divergence,
    is_one_measurement,
    more_seeds,
    p_text,
    winner,
)
from bnrenorm.config.trial import before, point_text, value_text
from bnrenorm.numbers import counted, from_to, listed, number, points

_DETAILED = 3  # up to this number, every comparison has a line with its numbers
_LINES = 6
_POINTS = 6  # grid points that a line names
_NAMES = 6  # variants that a line names


@dataclass(frozen=True)
class Line:
    """A conclusion, and in smaller letters the numbers that it rests on."""

    text: str
    numbers: str = ""


def answer(results: ExperimentResults) -> list[Line]:
    """Return the conclusions, BN against BRN first: a line per comparison if there are few, else one per pair.

    Of many variants without a grid or a baseline, the first line says which is the highest, and how sure that is.
    """
    verdicts = sorted(results.verdicts, key=lambda verdict: not _is_decisive(results, verdict))
    if not verdicts:
        return _without_comparison(results)
    count = len(results.experiment.points)
    if len(verdicts) > _DETAILED and count > 1:
        pairs: dict[tuple[str, str], list[Verdict]] = {}
        for verdict in verdicts:
            pairs.setdefault((verdict["a"], verdict["b"]), []).append(verdict)
        lines = [_over_grid(of_pair, count) for of_pair in pairs.values()]
    else:
        lines = [
            Line(_at(verdict) + _conclusion(verdict), _numbers(verdict) if i < _DETAILED else "")
            for i, verdict in enumerate(verdicts)
        ]
    is_ranked = count == 1 and len(verdicts) > _DETAILED and not results.experiment.baseline
    ranking = _highest(results) if is_ranked else []
    room = _LINES - len(ranking)
    more = [Line("", f"The table of comparisons has {len(lines) - room} more.")] if len(lines) > room else []
    return [*ranking, *lines[:room], *more]


def _highest(results: ExperimentResults) -> list[Line]:
    """Return which variant has the highest mean, and what the comparisons with the others say.

    Of variants that diverged, those that did so least are asked. Nothing is said if one is better than the highest, or
    diverged less in the seeds that both have: means are of all seeds that finished.
    """
    final: Any = results.final
    steady = final[final["diverged"] == final["diverged"].min()].dropna(subset="test_accuracy")
    if steady.empty:
        return []
    row = steady.loc[steady["test_accuracy"].idxmax()]
    highest, others = row["variant"], {"better than": [], "equivalent to": [], "undecided against": []}
    diverged = []
    for verdict in results.verdicts:
        if highest in (verdict["a"], verdict["b"]):
            other = verdict["b"] if highest == verdict["a"] else verdict["a"]
            better = winner(verdict)
            if better == other or verdict["verdict"] == f"{highest} diverged":
                return []
            is_equal = verdict["verdict"] in ("equivalent", IDENTICAL)
            if is_by_divergence(verdict):
                diverged.append(
                    f"{other} diverged in {verdict['diverged'][other]} of {counted(verdict['seeds'], 'seed')}"
                )
            else:
                how = "better than" if better else "equivalent to" if is_equal else "undecided against"
                others[how].append(other)
    parts = [*(f"{how} {_named(names)}" for how, names in others.items() if names), *diverged]
    whose = "Of the variants that diverged least, " if len(steady) < len(final) else ""
    text = f"{whose}{highest} has the highest mean test accuracy, {number(100 * row['test_accuracy'], '.2f')} %."
    return [Line(text, "; ".join(parts))]


def _named(names: list[str]) -> str:
    return listed(names) if len(names) <= _NAMES else f"{len(names)} others"


def _is_decisive(results: ExperimentResults, verdict: Verdict) -> bool:
    """Tell whether a comparison is one of batch normalisation and renormalisation, or of kinds of these."""
    at = tuple(verdict["point"].items())
    kinds = {results.experiment.settings[verdict[name], at].norm.kind for name in ("a", "b")}
    return kinds <= {"batch", "renorm"}


def _at(verdict: Verdict) -> str:
    return f"At {point_text(verdict['point'].items())}, " if verdict["point"] else ""


def _conclusion(verdict: Verdict) -> str:
    a, b, mean = verdict["a"], verdict["b"], verdict["mean"]
    if verdict["verdict"] == IDENTICAL:
        return verdict["sentence"]  # it gives the reason
    if is_by_divergence(verdict):
        return f"{_diverged(verdict)}."
    if mean is not None and (better := winner(verdict)):
        worse = b if better == a else a
        where = " where both finished" if any(verdict["diverged"].values()) else ""
        return f"{better} is better than {worse} by {number(100 * abs(mean), '.2f')} points of test accuracy{where}."
    if verdict["verdict"] == "equivalent":
        return f"{a} and {b} are {equivalent(verdict['margin'])} of test accuracy."
    needed = more_seeds(verdict["more_seeds"], verdict["pairs"])
    if not mean:
        return f"{b} against {a} is inconclusive: {needed}."
    ahead = b if mean > 0 else a
    by = number(100 * abs(mean), ".2f")
    return f"{b} against {a} is inconclusive: {ahead} is {by} points of test accuracy ahead; {needed}."


def _numbers(verdict: Verdict) -> str:
    """Return interval, p and seeds of a comparison; the interval's sign is that of the conclusion."""
    if verdict["mean"] is None or verdict["verdict"] == IDENTICAL:
        return ""
    parts, seeds = [], counted(verdict["pairs"], "paired seed")
    a_is_ahead = verdict["verdict"] == "inconclusive" and verdict["mean"] < 0
    sign = -100 if a_is_ahead or winner(verdict) == verdict["a"] else 100
    of = pair(verdict) if sign > 0 else f"{verdict['a']} - {verdict['b']}"
    if is_by_divergence(verdict) or verdict["verdict"] == "equivalent":
        parts.append(f"{of} = {points(verdict['mean'])} points of test accuracy")
        of = ""
    of += ": " if of else ""
    bounds = interval(verdict)
    if bounds is None:
        by_seed = ", ".join(number(sign * value, "+.2f") for value in verdict["differences"])
        why = "no seed changes it" if is_one_measurement(verdict) else f"no interval below {stats.MIN_PAIRS}"
        parts.append(f"{of}{seeds}: {by_seed} ({why})")
    else:
        low, high = sorted(sign * bound for bound in bounds)
        parts.append(f"{of}95 % interval {number(low, '+.2f')} to {number(high, '+.2f')}")
        if verdict["p"] is not None and verdict["p_holm"] is not None:
            parts.append(p_text(verdict["p"], verdict["p_holm"], verdict["comparisons"]))
        parts.append(seeds)
    text = ", ".join(parts)
    if is_by_divergence(verdict):
        return f"where both finished: {text}"
    return f"{text}; {_diverged(verdict)}" if any(verdict["diverged"].values()) else text


def _diverged(verdict: Verdict) -> str:
    return divergences(verdict["diverged"], verdict["seeds"], verdict["p_diverged"])


def _over_grid(verdicts: list[Verdict], of: int) -> Line:
    """Return "BRN is better than BN at batch 2 and 4; equivalent at 32; inconclusive at the other 8." of one pair."""
    a, b = verdicts[0]["a"], verdicts[0]["b"]
    outcomes: dict[str, list[Verdict]] = {}
    for verdict in sorted(verdicts, key=_rank):
        outcomes.setdefault(verdict["verdict"], []).append(verdict)
    parts = []
    for i, alike in enumerate(outcomes.values()):
        is_rest = 0 < i == len(outcomes) - 1 and len(alike) > 2
        at = [verdict["point"] for verdict in alike]
        where = f"the other {len(at)}" if is_rest else _where(at, of, names_axis=i == 0)
        parts.append(f"{_outcome(alike, is_first=i == 0)} at {where}")
    head = f"{b} against {a}: " if min(map(_rank, verdicts)) else ""
    means = [100 * verdict["mean"] for verdict in verdicts if verdict["mean"] is not None]
    numbers = ""
    if means:
        pairs = [verdict["pairs"] for verdict in verdicts]
        low, high = number(min(means), "+.2f"), number(max(means), "+.2f")
        numbers = f"{b} - {a} from {low} to {high} points of test accuracy, {from_to(pairs)} paired seeds each"
        numbers += f"; a verdict needs {stats.MIN_PAIRS}" if max(pairs) < stats.MIN_PAIRS else ""
    return Line(f"{head}{'; '.join(parts)}.", numbers)


def _rank(verdict: Verdict) -> int:
    if winner(verdict):
        return 0
    return 1 if is_by_divergence(verdict) else {"equivalent": 2, IDENTICAL: 3}.get(verdict["verdict"], 4)


def _outcome(alike: list[Verdict], *, is_first: bool) -> str:
    verdict = alike[0]
    better = winner(verdict)
    lost = next((name for name in (verdict["a"], verdict["b"]) if verdict["verdict"] == f"{name} diverged"), None)
    if lost is not None:
        counts = [one["diverged"][lost] for one in alike]
        return f"{lost} diverged in {from_to(counts)} of {counted(max(one['seeds'] for one in alike), 'seed')}"
    if better is None:
        return verdict["verdict"]
    worse = verdict["b"] if better == verdict["a"] else verdict["a"]
    return f"{better} is better than {worse}" if is_first else f"{better} is better"


def _where(points: list[dict[str, Any]], of: int, *, names_axis: bool) -> str:
    """Return "micro_batch 2, 4 and 8", or "all 8 grid points"."""
    if len(points) == of:
        return "both grid points" if of == 2 else f"all {of} grid points"
    shorter = points if len(points) <= _POINTS else points[:_POINTS]
    axis = ""
    if len(points[0]) == 1:
        ((key, first),) = points[0].items()
        named = [value_text(value) for one in shorter for value in one.values()]
        axis = f"{before(key, first)} " if names_axis else ""
    else:
        named = [f"({point_text(one.items())})" for one in shorter]
    if len(shorter) < len(points):
        named.append(f"{len(points) - len(shorter)} more")
    return axis + listed(named)


def _without_comparison(results: ExperimentResults) -> list[Line]:
    """Return the final test accuracy of the only variant, with a grid at its best point."""
    name, *others = results.experiment.variants
    if others:
        return [Line("No grid point has trials of two variants yet: there is nothing to compare.")]
    summary = results.summary
    means: Any = aggregates.means(summary, {"final_test_accuracy": "mean"})
    reached = means[means["mean"].notna()]
    diverged, trials = int(means["diverged"].sum()), int(means["seeds"].sum())
    ended = f"{name} diverged in {diverged} of {counted(trials, 'trial')}"
    if reached.empty:
        return [Line(f"{ended}.")]
    best = reached.loc[reached["mean"].idxmax()]
    finished = int(best["seeds"] - best["diverged"])
    spread = number(100 * best["mean_std"], ".2f")
    numbers = "one seed" if finished == 1 else f"mean of {finished} seeds, standard deviation {spread}"
    accuracy = f"{number(100 * best['mean'], '.2f')} % test accuracy"
    text = f"{name} reaches {accuracy}."
    if len(results.experiment.points) > 1:
        text = f"Best at {point_text((key, best[key]) for key, _ in results.experiment.points[0])}: {accuracy}."
        numbers += f"; the lowest of {len(reached)} grid points has {number(100 * reached['mean'].min(), '.2f')} %"
        numbers += "; the best of many is flattered: choose by validation accuracy"
    return [Line(text, f"{numbers}; {ended}" if diverged else numbers)]
