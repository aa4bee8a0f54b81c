"""What a terminal and a notebook both say of a run: what will be trained, remarks on it, and the losses so far."""

import math
import statistics

from bnrenorm.config import Experiment, Trial
from bnrenorm.config.identity import identities
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import CHAINER, Backend
from bnrenorm.runs.runner import Progress

COMPILING = "Compiling kernels for this kind of training, once per machine ..."


def headline(experiment: Experiment, trials: list[Trial], data: Dataset, backend: Backend) -> str:
    """Say what will be trained, on which images and device."""
    return (
        f"{experiment.name}: {', '.join(experiment.variants)}; seeds {', '.join(map(str, experiment.seeds))}; "
        f"{len(trials)} trials; {len(data.x_train)} + {len(data.x_test)} images of {data.source}; "
        f"on {backend.device}"
    )


def remarks(experiment: Experiment, trials: list[Trial], data: Dataset, backend: Backend) -> list[str]:
    """Return what the user should know before the training: pixels, engines, identical variants; no full stops."""
    remarks = [*_range_notes(experiment, data), *_engine_notes(trials, backend)]
    for identity in identities(trials):
        point = f" at {dict(identity.point)}" if identity.point else ""
        remarks.append(f"{identity.a} and {identity.b}{point} are identical by construction: {identity.reason}")
    return remarks


def mean_losses(progress: Progress) -> dict[str, float]:
    """Return each variant's training loss: the mean over its networks in training that have not diverged, or NaN."""
    losses: dict[str, list[float]] = {trial.variant: [] for trial in progress.trials}
    for trial, loss in zip(progress.trials, progress.record.values["train_loss"], strict=True):
        if math.isfinite(loss):
            losses[trial.variant].append(float(loss))
    return {variant: statistics.fmean(values) if values else math.nan for variant, values in losses.items()}


def _range_notes(experiment: Experiment, data: Dataset) -> list[str]:
    """Say that pixels are not in 0..1, where no scaling by the training set is asked for."""
    if data.unusual_range is None or experiment.data.scaling != "unit":
        return []
    low, high = data.unusual_range
    how = "floats are taken as they are" if data.x_train.dtype.kind == "f" else "bytes are divided by 255"
    return [f"pixels are {low:.3g} to {high:.3g} ({how}); data.scaling: min_max would map them to 0..1"]


def _engine_notes(trials: list[Trial], backend: Backend) -> list[str]:
    """Return a note on why a faster engine is unavailable, and one on the variants that it cannot train."""
    notes = [backend.note] if backend.note else []
    by_engine: dict[str, list[str]] = {}
    for trial in trials:
        by_engine.setdefault(backend.engine_for(trial.settings), []).append(trial.variant)
    if backend.engine != CHAINER and CHAINER in by_engine:
        names = ", ".join(dict.fromkeys(by_engine[CHAINER]))
        differs = ", whose rounding differs" if len(by_engine) > 1 else ""
        notes.append(f"no compiled kernels for {names}: trained by the Chainer engine on {backend.device}{differs}")
    return notes
