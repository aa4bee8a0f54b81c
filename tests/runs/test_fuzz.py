"""Stored files changed at random: a run then ends in the same bits as without, and never in a traceback."""

import os
import random
import shutil
import signal
from contextlib import nullcontext

import numpy as np
import pytest

from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import Backend
from bnrenorm.runs import group as groups
from bnrenorm.runs.interrupt import Interrupted
from bnrenorm.runs.session import Session, Watcher
from tests.helpers import COMPARED, FEW, experiment_of

RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(0, 256, (40, 4, 4), dtype=np.uint8), np.arange(40) % 10
DATA = Dataset(IMAGES, LABELS, IMAGES, LABELS, "noise")
TEXT = COMPARED + "evaluation: {parameters: true}\n"
ROUNDS = 25


def run(out, report=lambda progress: None):
    """Return the numbers of all trials of an experiment, and how many notes were shown besides FEW."""

    class Listener(Watcher):
        def training(self):
            return nullcontext(report)

        note = staticmethod(lambda text: notes.append(text) if text != FEW else None)

    notes = []
    options = {"memory": 2**30, "watcher": Listener(), "load": lambda path: DATA}
    with Session(experiment_of(TEXT), Backend("chainer", "cpu"), out, **options).run() as outcome:
        pass
    weights = [[array.tobytes() for array in result.parameters.values()] for _, result in outcome.trials]
    return [(trial.variant, trial.seed, result.records) for trial, result in outcome.trials], weights, len(notes)


def flip(rng, path, others):
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 1, 8, 100])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def truncate(rng, path, others):
    os.truncate(path, rng.randrange(path.stat().st_size))


def overwrite(rng, path, others):
    data = path.read_bytes()
    begin = rng.randrange(len(data))
    path.write_bytes(data[:begin] + rng.randbytes(rng.randrange(1, 200)) + data[begin:])


def swap(rng, path, others):
    other = rng.choice(others)
    mine, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    other.write_bytes(mine)


def replace(rng, path, others):
    path.unlink()
    rng.choice(REPLACEMENTS)(path)


def huge(path):
    path.touch()
    os.truncate(path, 50 * 10**9)  # takes no room on the disk


REPLACEMENTS = [
    os.mkfifo,
    huge,
    lambda path: path.touch(),
    lambda path: path.symlink_to("/dev/zero"),
    lambda path: path.symlink_to(path),
    lambda path: path.symlink_to("nowhere"),
    lambda path: path.write_text("[" * 100_000),
    lambda path: path.write_text("9" * 5000),
    lambda path: path.write_text('{"records": {"step": [NaN]}, "checksum": 1e999, "arrays": {}}'),
    lambda path: path.write_bytes(b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (9,), }\n"),
]
DAMAGES = [flip, flip, flip, truncate, overwrite, swap, replace, replace]


def damage(folder, rng):
    """Damage one to three of a folder's files."""
    paths = sorted(folder.iterdir())
    for path in rng.sample(paths, rng.randrange(1, 4)):
        rng.choice(DAMAGES)(rng, path, [other for other in paths if other.is_file() and other.stat().st_size < 10**6])


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Collect no garbage: that takes longer than all else here."""
    monkeypatch.setattr(groups.gc, "collect", lambda: None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a finished run, and its numbers."""
    out = tmp_path_factory.mktemp("whole")
    return out, run(out)


@pytest.mark.slow
def test_damaged_trials_are_trained_again(whole, tmp_path):
    finished, want = whole
    noted = 0
    for seed in range(ROUNDS):
        out = tmp_path / str(seed)
        shutil.copytree(finished, out)
        damage(out / "trials", random.Random(seed))
        *numbers, notes = run(out)
        assert numbers == list(want[:2]), seed
        assert notes <= 1, seed
        assert run(out) == want, seed  # nothing is left to be mended
        noted += notes
    assert noted > ROUNDS / 2


def test_damaged_checkpoints_are_resumed_from_the_one_before_or_from_the_start(whole, tmp_path, monkeypatch):
    _, want = whole
    monkeypatch.setattr(groups, "SAVE_EVERY", 0)

    def interrupt(progress):
        if progress.record.step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        run(tmp_path / "interrupted", interrupt)
    assert len(list((tmp_path / "interrupted/checkpoints").iterdir())) == 4
    resumed_from, noted = set(), 0
    for seed in range(ROUNDS):
        out, steps = tmp_path / str(seed), []
        shutil.copytree(tmp_path / "interrupted", out)
        damage(out / "checkpoints", random.Random(seed))
        *numbers, notes = run(out, lambda progress, steps=steps: steps.append(progress.record.step))
        assert numbers == list(want[:2]), seed
        assert notes <= 1, seed
        assert not list((out / "checkpoints").iterdir()), seed
        resumed_from.add(steps[0] - 1)
        noted += notes
    assert resumed_from == {0, 2, 3}
    assert noted > ROUNDS / 3
