"""What a terminal and a notebook both say of a run: what will be trained, remarks on it, and the losses so far."""

import itertools
import math
import statistics
from collections import Counter

from bnrenorm.config import Experiment, Trial
from bnrenorm.config.comparisons import comparisons, family_size
from bnrenorm.config.identity import Identity, identities
from bnrenorm.config.trial import Point, point_text
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import CHAINER, Backend
from bnrenorm.engines.spec import uncompiled
from bnrenorm.family import too_few
from bnrenorm.numbers import counted, number
from bnrenorm.runs.plan import Keys
from bnrenorm.runs.runner import Progress

_LISTED = 6  # seeds that are listed one by one

COMPILING = "Compiling kernels for this kind of training, once per machine ..."
NOT_CACHED = (
    "compiled kernels cannot be kept, as their cache folder cannot be written: every run compiles them first; set "
    "NUMBA_CACHE_DIR to a folder that can be written"
)


def headline(experiment: Experiment, keys: Keys, data: Dataset, backend: Backend) -> str:
    """Say what will be trained, the trials of these keys, on which images and device."""
    validation = experiment.data.validation
    learning = f"{len(data.x_train) - validation} + {validation} validation" if validation else f"{len(data.x_train)}"
    differ = len(set(keys.values()))
    return (
        f"{experiment.name}: {', '.join(experiment.variants)}; seeds {_seeds(experiment.seeds)}; "
        f"{counted(len(keys), 'trial')}{f', of which {differ} differ' if differ < len(keys) else ''}; "
        f"{learning} + {len(data.x_test)} images of {data.source}; on {backend.device}"
    )


def workers(count: int, dashboard: str) -> str:
    """Say how many workers a cluster has, and where they can be watched."""
    return f"{counted(count, 'worker')}, to be watched at {dashboard}"


def remarks(experiment: Experiment, trials: list[Trial], data: Dataset, backend: Backend) -> list[str]:
    """Return what the user should know before the training: pixels, engines, identical variants; no full stops."""
    lone = ["one variant: nothing is compared"] if len(experiment.variants) == 1 and not experiment.published else []
    whole = experiment.trials(len(data.x_train), data.classes)  # of which a shard has some
    pairs = identities(whole)
    few = [] if experiment.published else _seed_notes(experiment, whole, pairs)
    return [*lone, *_data_notes(experiment, data), *_engine_notes(trials, backend), *_identity_notes(pairs), *few]


def losses(progress: Progress) -> list[str]:
    """Return each variant's training loss as text: the mean over its networks in training that have not diverged."""
    by_variant: dict[str, list[float]] = {trial.variant: [] for trial in progress.trials}
    for trial, loss in zip(progress.trials, progress.record.values["train_loss"], strict=True):
        if math.isfinite(loss):
            by_variant[trial.variant].append(float(loss))
    ended = zip(progress.trials, progress.record.diverged, strict=True)
    diverged = {trial.variant for trial, has_diverged in ended if has_diverged}
    means = {variant: number(statistics.fmean(values), ".3g") for variant, values in by_variant.items() if values}
    other = "stopped" if progress.record.step else "not finite"
    return [f"{name} {means.get(name, 'diverged' if name in diverged else other)}" for name in by_variant]


def group(progress: Progress) -> tuple[str, str]:
    """Return "group 2 of 7" and the part of the grid's point that its trials share, both "" for a single group."""
    if progress.groups == 1:
        return "", ""
    shared = dict(progress.trials[0].point).items()
    for trial in progress.trials:
        shared = [pair for pair in shared if pair in trial.point]
    return f"group {progress.group} of {progress.groups}", point_text(shared)


def _seeds(seeds: tuple[int, ...]) -> str:
    if len(seeds) > _LISTED and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def _seed_notes(experiment: Experiment, trials: list[Trial], identical: list[Identity]) -> list[str]:
    """Say that there are too few seeds to show any variant to be better, whatever the training gives."""
    of = comparisons(trials, identical, experiment.baseline)
    has_choice = experiment.baseline is None and len(experiment.variants) > 2
    note = too_few(len(experiment.seeds), family_size(of), has_choice=has_choice)
    return [note] if note else []


def _identity_notes(pairs: list[Identity]) -> list[str]:
    """Return a note per set of variants that are identical, for all points of the grid where they are."""
    points: dict[tuple[str, ...], dict[Point, str]] = {}
    for point, of_point in itertools.groupby(pairs, lambda pair: pair.point):
        groups: list[tuple[set[str], str]] = []
        for pair in of_point:  # identity is transitive, and each pair of a group is listed
            group = next((names for names, _ in groups if pair.a in names), None)
            if group is None:
                groups.append(({pair.a, pair.b}, pair.reason))
            else:
                group.add(pair.b)
        for names, reason in groups:
            points.setdefault(tuple(sorted(names)), {})[point] = reason
    notes = []
    for names, reasons in points.items():
        (point, reason), *others = reasons.items()
        at = point_text(point)
        at = f" at {at}{f' and {len(others)} more points' if others else ''}" if at else ""
        *first, last = names
        notes.append(f"{', '.join(first)} and {last}{at} are identical by construction: {reason}")
    return notes


def _data_notes(experiment: Experiment, data: Dataset) -> list[str]:
    """Say how images were read, and that pixels are not in 0..1 where no scaling by the training set is asked for."""
    notes = [data.note] if data.note else []
    if data.unusual_range is not None and experiment.data.scaling == "unit":
        low, high = data.unusual_range
        how = "floats are taken as they are" if data.x_train.dtype.kind == "f" else "bytes are divided by 255"
        notes.append(f"pixels are {low:.3g} to {high:.3g} ({how}); data.scaling: min_max would map them to 0..1")
    return notes


def _engine_notes(trials: list[Trial], backend: Backend) -> list[str]:
    """Return a note on why a faster engine is unavailable, and one on the variants that it cannot train."""
    notes = [backend.note] if backend.note else []
    lacking: dict[str, list[str]] = {}  # variants, by the settings for which there are no kernels
    for trial in trials:
        lacking.setdefault(uncompiled(trial.settings), []).append(trial.variant)
    compiled = lacking.pop("", [])
    if backend.engine != CHAINER and lacking:
        names = ", ".join(f"{', '.join(dict.fromkeys(names))} ({why})" for why, names in lacking.items())
        differs = ", whose rounding differs" if compiled else ""
        notes.append(f"no compiled kernels for {names}: trained by the Chainer engine on {backend.device}{differs}")
    return notes


def failures(reasons: dict[Trial, str]) -> list[str]:
    """Return a line for each reason why trials have no result, with how many of each variant."""
    lines = []
    for reason in dict.fromkeys(reasons.values()):
        variants = Counter(trial.variant for trial, why in reasons.items() if why == reason)
        whose = ", ".join(f"{count} of {variant}" for variant, count in variants.items())
        have, them = ("has", "it") if variants.total() == 1 else ("have", "them")
        trials = counted(variants.total(), "trial")
        lines.append(f"{trials} {have} no result ({whose}), and no pair is made of {them}: {reason}")
    return lines
