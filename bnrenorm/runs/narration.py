"""What a terminal and a notebook both say of a run: what will be trained, the losses so far, what failed."""

import math
import statistics
from collections import Counter

from bnrenorm.config import Experiment, Trial, seeds
from bnrenorm.config.trial import point_text
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import Backend
from bnrenorm.numbers import counted, number
from bnrenorm.runs.plan import Keys, Plan
from bnrenorm.runs.runner import Progress

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
        f"{experiment.name}: {', '.join(experiment.variants)}; seeds {seeds.listed(experiment.seeds)}; "
        f"{counted(len(keys), 'trial')}{f', of which {differ} differ' if differ < len(keys) else ''}; "
        f"{learning} + {len(data.x_test)} images of {data.source}; on {backend.device}"
    )


def reused(plan: Plan) -> str:
    """Say how many trials are stored already, and how many are trained; "" if none is stored."""
    if plan.missing == plan.different:
        return ""
    if not plan.missing:
        return "Every trial is stored already."
    there = f"{plan.different - plan.missing} of {counted(plan.different, 'different trial')}"
    return f"{there} stored already; {plan.missing} to train"


def trained_by(other: Backend, count: int) -> str:
    """Say that some of the trials to train are stored as another engine or kind of device has trained them."""
    are = "is" if count == 1 else "are"
    return f"{count} of the trials to train {are} stored as trained by {other.options}: with that they are not trained"


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
