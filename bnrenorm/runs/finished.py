"""Read a run again, from its folder and the stored trials around it; nothing is trained or written."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from bnrenorm import config as configs
from bnrenorm import disk
from bnrenorm.config import Experiment, Trial
from bnrenorm.data import dataset
from bnrenorm.data.described import Described
from bnrenorm.engines.backend import BACKENDS, CHAINER, Backend
from bnrenorm.errors import InputError
from bnrenorm.runs import inventory, run_folder
from bnrenorm.runs.sealed import Damaged
from bnrenorm.runs.store import Store
from bnrenorm.training.records import TrialResults

_ENVIRONMENT = "environment.json"
_LIMIT = 2**24  # bytes of it

_Text = Annotated[str, StringConstraints(max_length=10_000)]


@dataclass(frozen=True)
class Outcome:
    """What a run leaves: the experiment, its images and device, the trials that are there, and the notes of the run."""

    experiment: Experiment
    data: Described
    device: str
    trials: list[tuple[Trial, TrialResults]]
    folder: Path
    notes: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    """Why trials have no result, in a line each: what workers of a cluster did not survive."""


class _Origin(BaseModel):
    engine: _Text


class _Environment(BaseModel):
    """The part of environment.json that is read again."""

    device: Annotated[str, StringConstraints(pattern=r"^(cpu|cuda:\d{1,4})$")]
    data: Described
    notes: Annotated[list[_Text], Field(max_length=10_000)] = []
    trained_by: Annotated[list[_Origin], Field(min_length=1, max_length=100_000)]


def read(folder: Path) -> Outcome:
    """Return the run of a folder that `bnrenorm compare` has written, also while or before it is complete.

    Raises InputError for a folder that is none, or is damaged, and if none of its trials can be read; those that cannot
    are left out, and a note says so.
    """
    path = folder / configs.CONFIG_FILE
    if not disk.is_file(path):
        raise InputError(f"{folder}: no run folder: it has no {path.name}")
    experiment = configs.load(path)
    environment = _environment(folder / _ENVIRONMENT)
    if environment is None:  # the run has not ended
        data = dataset.load(experiment.data).described
        backends = BACKENDS
        notes: list[str] = []
    else:
        data, notes = environment.data, list(environment.notes)
        backends = [_backend(environment)]
    store, all_damaged = Store(folder.resolve().parent), 0
    trials = experiment.trials(data.train, data.classes)
    for backend in backends:
        results, damaged = _read(trials, data, store, backend)
        all_damaged += damaged
        if results:
            if damaged:
                which, them = ("1 stored trial is", "it") if damaged == 1 else (f"{damaged} stored trials are", "them")
                notes.append(f"{which} damaged and left out: the same command trains {them} again")
            former = inventory.of_another_version(folder, store, trials, data.checksum)
            if former and len(results) + damaged < len(trials):
                notes.append(former)
            return Outcome(experiment, data, backend.device, results, folder, tuple(notes))
    others = not all_damaged and any(map(store.has, inventory.listed(folder) or ()))
    own, now = folder.resolve().name, run_folder.path_of(store.root, experiment, data.checksum).name
    is_edited = own != now and own.startswith(f"{experiment.name}-")
    of = f"another {path.name}, before an edit or an update" if is_edited else "another version of bnrenorm"
    why = f": those there are of {of}, whose numbers may differ" if others else ""
    again = run_folder.command(path, store.root)
    unread = f"none of its {len(trials)} trials can be read from {store.trials}{why}"
    raise InputError(f"{folder}: {unread}; {again} trains them")


def origin(folder: Path) -> tuple[Backend, str] | None:
    """Return what a run was trained with, and the checksum of its images; None if it has not ended, or is damaged."""
    with suppress(InputError):
        if environment := _environment(folder / _ENVIRONMENT):
            return _backend(environment), environment.data.checksum
    return None


def _backend(environment: _Environment) -> Backend:
    """Return the device and the engine that a run preferred; Chainer's trains what another has no kernels for."""
    engines = (origin.engine for origin in environment.trained_by if origin.engine != CHAINER)
    return Backend(next(engines, CHAINER), environment.device)


def _environment(path: Path) -> _Environment | None:
    """Return what environment.json says, None if there is none. Raises InputError if it is not what a run writes."""
    run = path.parent.resolve()
    again = f"; {run_folder.command(run, run.parent)} runs it again"
    try:
        if not disk.exists(path):
            return None
        return _Environment.model_validate(json.loads(disk.read_regular(path, _LIMIT)))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{path}: is not what this version writes: {where}: {first['msg']}{again}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read: {error}{again}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def _read(
    trials: list[Trial], data: Described, store: Store, backend: Backend
) -> tuple[list[tuple[Trial, TrialResults]], int]:
    """Return the stored trials with their results, and how many cannot be used."""
    results, damaged = [], 0
    for trial in trials:
        key = trial.key(data.checksum, backend.address(trial.settings))
        if store.has(key):
            try:
                results.append((trial, store.read(key)))
            except PermissionError as error:
                raise InputError(f"{store.path(key)}: cannot be read: {error.strerror}") from error
            except (Damaged, OSError):
                damaged += 1
    return results, damaged
