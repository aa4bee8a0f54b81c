"""What the user should know before the training: images, schedules, batches, engines, identical variants, seeds."""

from collections.abc import Iterable

from bnrenorm.config import Experiment, Trial
from bnrenorm.config.cells import overruled
from bnrenorm.config.comparisons import comparisons, family_size
from bnrenorm.config.identity import why_plain_bn
from bnrenorm.config.reader import dotted
from bnrenorm.config.schema import Batch
from bnrenorm.config.trial import Point, point_text
from bnrenorm.data.dataset import Dataset
from bnrenorm.data.sampling import Sampler
from bnrenorm.engines.backend import CHAINER, Backend
from bnrenorm.engines.spec import uncompiled
from bnrenorm.family import too_few
from bnrenorm.norm import schedule
from bnrenorm.numbers import counted, listed

_LISTED = 6  # classes that are listed one by one


def remarks(experiment: Experiment, trials: list[Trial], data: Dataset, backend: Backend) -> list[str]:
    """Return the remarks on what will be trained, the trials or a shard of them; no full stops."""
    lone = ["one variant: nothing is compared"] if len(experiment.variants) == 1 and not experiment.published else []
    whole = experiment.trials(len(data.x_train), data.classes)  # of which a shard has some
    few = [] if experiment.published else _seed_notes(experiment, whole)
    first = {(trial.variant, trial.point): trial for trial in reversed(whole)}  # their settings are those of every seed
    cells = list(reversed(first.values()))
    settings = [*_override_notes(experiment), *_schedule_notes(cells), *_batch_notes(cells, experiment, data)]
    return [
        *lone,
        *_data_notes(experiment, data),
        *settings,
        *_engine_notes(trials, backend),
        *_identity_notes(whole),
        *few,
    ]


def _override_notes(experiment: Experiment) -> list[str]:
    """Name the variants that keep a setting of their own in place of the one that was given for all."""
    notes = []
    for setting, left in overruled(experiment.document, experiment.settings).items():
        whose, keys = "its" if len(left) == 1 else "their", listed(list(dict.fromkeys(left.values())))
        notes.append(f"{dotted(setting)} does not reach {listed(list(left))}, with a value of {whose} own: {keys}")
    return notes


def _schedule_notes(cells: list[Trial]) -> list[str]:
    """Name the variants whose limits of r and d still rise when the training ends, and how far they come."""
    points: dict[tuple[str, str], list[Point]] = {}
    for trial in cells:
        steps, ramps = trial.settings.training.steps.amount, schedule.limits(trial.settings.norm)
        if all(ramp(steps) == ramp.last for ramp in ramps) or why_plain_bn(trial.settings):
            continue
        reached = [f"{ramp(steps - 1):.3g} of {ramp.last:g}" for ramp in ramps]
        points.setdefault((trial.variant, f"r_max ends at {reached[0]}, d_max at {reached[1]}"), []).append(trial.point)
    return [
        f"{variant}{_at(where)}: the schedule is longer than the training: {reached}"
        for (variant, reached), where in points.items()
    ]


def _batch_notes(cells: list[Trial], experiment: Experiment, data: Dataset) -> list[str]:
    """Name the labels of which no batch has an image, where batches follow an order that is not random."""
    points: dict[tuple[Batch, float], dict[Point, None]] = {}
    for trial in cells:
        training = trial.settings.training
        points.setdefault((training.batch, training.steps.amount), {})[trial.point] = None
    labels, notes = data.learning_labels(experiment.data.validation), []
    for (batch, steps), where in points.items():
        missed = Sampler(batch, labels).missed(int(steps))
        if len(missed):
            named = [str(label + experiment.data.first_label) for label in missed]
            others = [counted(len(named) - _LISTED, "other")] if len(named) > _LISTED else []
            classes = listed(named[:_LISTED] + others)
            notes.append(
                f"no batch{_at(where)} has an image of class {classes}: they come last in an epoch, of which the "
                "training sees only the beginning, or whose remainder is dropped (training.batch.remainder)"
            )
    return notes


def _seed_notes(experiment: Experiment, trials: list[Trial]) -> list[str]:
    """Say that there are too few seeds to show any variant to be better, whatever the training gives."""
    of = comparisons(trials, experiment.baseline)
    has_choice = experiment.baseline is None and len(experiment.variants) > 2
    note = too_few(len(experiment.seeds), family_size(of), has_choice=has_choice)
    return [note] if note else []


def _identity_notes(trials: list[Trial]) -> list[str]:
    """Return a note per set of variants that are identical, for all points of the grid where they are."""
    groups: dict[tuple[Point, frozenset[str]], tuple[set[str], str]] = {}  # by what is computed: names and the reason
    for pair in comparisons(trials):
        if pair.identical_because is not None:
            names, _ = groups.setdefault((pair.point, pair.measured), (set(), pair.identical_because))
            names |= {pair.a, pair.b}
    points: dict[tuple[str, ...], dict[Point, str]] = {}
    for (point, _), (names, reason) in groups.items():
        points.setdefault(tuple(sorted(names)), {})[point] = reason
    notes = []
    for names, reasons in points.items():
        *first, last = names
        reason = next(iter(reasons.values()))
        notes.append(f"{', '.join(first)} and {last}{_at(reasons)} are identical by construction: {reason}")
    return notes


def _at(points: Iterable[Point]) -> str:
    """Return " at lr 0.1 and 2 more points", "" where there is no grid."""
    first, *others = map(point_text, points)
    more = f" and {counted(len(others), 'more point')}" if others else ""
    return f" at {first}{more}" if first else ""


def _data_notes(experiment: Experiment, data: Dataset) -> list[str]:
    """Say how images were read, and that pixels are not in 0..1 where no scaling by the training set is asked for."""
    notes = [data.note] if data.note else []
    settings = experiment.data
    if data.uneven_columns is not None and settings.scaling_axis is None:
        low, high = data.uneven_columns
        notes.append(
            f"values differ in scale: some range over {low:.3g}, others over {high:.3g}; data.scaling: z_score with "
            "data.scaling_axis: 0 would scale each by itself"
        )
    elif data.unusual_range is not None and settings.scaling == "unit":
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
