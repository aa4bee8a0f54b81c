"""A whole run, as the command line and `bnrenorm.run` do it: locked, resumed, and mended where files are spoilt."""

import errno
import hashlib
import json
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

import bnrenorm
from bnrenorm import _compat
from bnrenorm.analysis import outputs
from bnrenorm.cli import commands
from bnrenorm.engines.backend import Backend
from bnrenorm.engines.cpu import compilation
from bnrenorm.errors import InputError
from bnrenorm.runs import group as groups
from bnrenorm.runs import run_folder, session
from bnrenorm.runs.cluster import Cluster
from bnrenorm.runs.interrupt import Interrupted
from bnrenorm.runs.store import Store
from tests.helpers import COMPARED, ENGINES, experiment_of, some_digits


@pytest.fixture(scope="module")
def few():
    return some_digits(200, 100)


class Witness(session.Watcher):
    """Keeps what it is told, and calls a function with each `Progress`."""

    def __init__(self, report=lambda progress: None):
        self.report, self.opened, self.steps, self.notes = report, [], [], []

    def opening(self, experiment, trials, data, backend):
        self.opened.append((experiment.name, len(trials), len(data.x_train), backend.engine))

    def note(self, text):
        self.notes.append(text)

    @contextmanager
    def training(self):
        def report(progress):
            self.steps.append(progress.record.step)
            self.report(progress)

        yield report


@pytest.fixture
def run(few, tmp_path):
    """A function that runs a session on few digits into `tmp_path / out`."""

    def run(text=COMPARED, engine="chainer", out="out", watcher=None, leave=lambda outcome: None, **options):
        backend, load = Backend(engine, "cpu"), lambda path: few
        options |= {"memory": 2**30, "watcher": watcher, "load": load}
        with session.run(experiment_of(text), backend, tmp_path / out, **options) as outcome:
            leave(outcome)
        return outcome

    return run


def numbers(outcome):
    return [(trial.variant, trial.seed, result.outcome, result.records) for trial, result in outcome.trials]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_trains_stores_and_leaves_what_it_found(run, few, tmp_path, engine):
    left, witness = [], Witness()
    outcome = run(engine=engine, watcher=witness, leave=left.append)
    assert witness.opened == [("compared", 4, 200, engine)]
    assert witness.steps == [1, 2, 3, 4]
    assert left == [outcome]
    assert (outcome.data, outcome.device) == (few.described, "cpu")
    assert outcome.folder == run_folder.path_of(tmp_path / "out", outcome.experiment, few.checksum)
    assert (outcome.folder / "experiment.yaml").is_file()
    assert not (outcome.folder / ".owner.json").exists()
    assert [(trial.variant, trial.seed) for trial, _ in outcome.trials] == [
        (variant, seed) for variant in ("BN", "BRN") for seed in (0, 1)
    ]
    assert {result.provenance["engine"] for _, result in outcome.trials} == {engine}


def test_an_error_about_the_images_says_where_their_path_is_set(tmp_path):
    experiment = experiment_of("name: a\ndata: {path: pics.npz}")
    with pytest.raises(InputError, match=r"^x.yaml:2: data.path: 'pics.npz' cannot be read: No such file"):
        session.rehearse(experiment, Backend("cpu", "cpu"), tmp_path, memory=2**30)


def test_a_second_run_trains_nothing_and_finds_the_same(run):
    first, witness = run(), Witness()
    second = run(watcher=witness)
    assert witness.steps == []
    assert numbers(second) == numbers(first)


def test_the_folder_is_held_while_a_run_trains_and_while_its_files_are_written(run):
    refused = []

    def again(_):
        with pytest.raises(InputError, match=f"process {os.getpid()} on .* is writing there"):
            run()
        refused.append(True)

    run(watcher=Witness(again), leave=again)
    assert len(refused) == 4 + 1
    run()


@pytest.mark.parametrize("engine", ENGINES)
def test_an_interrupted_run_leaves_a_checkpoint_and_the_next_goes_on_from_it(run, tmp_path, engine):
    def interrupt(progress):
        if progress.record.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    left = []
    with pytest.raises(Interrupted):
        run(engine=engine, watcher=Witness(interrupt), leave=left.append)
    assert left == []
    store = Store(tmp_path / "out")
    assert [path.name[17:] for path in store.checkpoints.glob("*.json")] == ["step-000000000002.json"]
    witness = Witness()
    outcome = run(engine=engine, watcher=witness)
    assert witness.steps == [3, 4]
    assert numbers(outcome) == numbers(run(engine=engine, out="whole"))
    assert not list(store.checkpoints.iterdir())


def test_an_unfinished_run_blocks_nothing_and_the_next_says_how_to_go_on_with_it(run, tmp_path):
    def interrupt(progress):
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        run(watcher=Witness(interrupt))
    folder = run_folder.path_of(tmp_path / "out", experiment_of(COMPARED), "")
    witness = Witness()
    run(COMPARED.replace("steps: 4", "steps: 5"), watcher=witness)
    assert witness.steps == [1, 2, 3, 4, 5]
    assert witness.notes == [
        f"{folder} is unfinished; bnrenorm compare {folder}/experiment.yaml --out {tmp_path}/out goes on with it"
    ]
    witness = Witness()
    run(watcher=witness)
    assert witness.steps == [2, 3, 4]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("model: {outputs: 12}", "model.outputs is 12, but the training labels have 10 classes"),
        ("training: {batch: {kind: non_iid, classes: 11, size: 11}}", "the training set has 10 classes"),
        ("training: {batch: {kind: non_iid, classes: 2, size: 200}}", "has 100 images a class, but the smallest class"),
        ("data: {validation: 200}", "leaves none of the 200 training images"),
    ],
)
def test_a_refused_run_leaves_nothing(run, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        run(f"name: refused\nvariants: {{BN: {{}}}}\n{changes}\n")
    assert not (tmp_path / "out").exists()


def spoil(path):
    path.write_bytes(path.read_bytes()[:-60])


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_trial_whose_files_are_spoilt_is_trained_again_and_named_once(run, tmp_path, suffix):
    text = COMPARED + "evaluation: {parameters: true}\n"
    first = run(text)
    trials = Store(tmp_path / "out").trials
    spoilt = sorted(trials.glob(f"*{suffix}"))[1]
    spoil(spoilt)
    whole = {path.name: path.stat().st_mtime_ns for path in trials.iterdir() if path.stem != spoilt.stem}
    witness = Witness()
    again = run(text, watcher=witness)
    assert witness.steps == [1, 2, 3, 4]
    assert witness.notes == [f"{spoilt} is not as it was written: trained again"]
    assert numbers(again) == numbers(first)
    for (_, one), (_, other) in zip(first.trials, again.trials, strict=True):
        assert one.parameters.keys() == other.parameters.keys() != set()
        assert all((one.parameters[name] == other.parameters[name]).all() for name in one.parameters)
    assert whole == {path.name: path.stat().st_mtime_ns for path in trials.iterdir() if path.stem != spoilt.stem}


def test_many_spoilt_trials_are_one_line(run, tmp_path):
    first = run()
    for path in Store(tmp_path / "out").trials.iterdir():
        spoil(path)
    witness = Witness()
    assert numbers(run(watcher=witness)) == numbers(first)
    (note,) = witness.notes
    assert note.endswith(".json is not as it was written, and 3 more: trained again")


def test_the_remarks_on_a_run_are_kept_with_its_results(run):
    witness = Witness()
    outcome = run(COMPARED.replace("r_max: 3, d_max: 5", "r_max: 1, d_max: 0"), watcher=witness)
    (remark,) = witness.notes
    assert remark.startswith("BN and BRN are identical by construction: ")
    assert outcome.notes == (remark,)


def test_a_trial_that_the_disk_does_not_give_back_ends_the_run_and_is_named(run, tmp_path, monkeypatch):
    """It is neither left out of the comparison nor trained again: it may be there once the disk works."""
    run()
    broken, real = sorted(Store(tmp_path / "out").trials.iterdir())[2], Path.read_bytes

    def read(path):
        if path == broken:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return real(path)

    left = []
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", read)
        with pytest.raises(OSError, match=f"Input/output error.*{broken.name}"):
            run(leave=left.append)
    assert left == []
    witness = Witness()
    run(watcher=witness)
    assert witness.steps == []


def test_a_disk_that_spoils_what_it_is_given_is_named(run, tmp_path, monkeypatch):
    real = Store.write

    def write(self, key, *arguments):
        real(self, key, *arguments)
        (self.trials / f"{key}.json").write_text("{")

    monkeypatch.setattr(Store, "write", write)
    with pytest.raises(OSError, match=r"trials: 4 results were written, but cannot be read"):
        run()


def test_bad_data_stops_before_anything_is_written(tmp_path):
    text = COMPARED + "data: {path: /no/where}\n"
    backend = Backend("chainer", "cpu")
    with (
        pytest.raises(InputError, match="'/no/where' cannot be read: No such file"),
        session.run(experiment_of(text), backend, tmp_path / "out", memory=2**30),
    ):
        raise AssertionError("trained")
    assert not (tmp_path / "out").exists()


def test_a_run_from_another_thread_of_a_notebook_works(run):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        assert len(pool.submit(run).result().trials) == 4


@pytest.mark.slow
def test_runs_that_train_the_same_group_at_a_time_do_not_disturb_each_other(run, tmp_path, monkeypatch):
    """Experiments of other names, so of other run folders, whose trials and checkpoints are the same files."""
    from concurrent.futures import ThreadPoolExecutor

    want = numbers(run(out="alone"))
    monkeypatch.setattr(groups, "SAVE_EVERY", 0)
    texts = [COMPARED.replace("name: compared", f"name: {name}") for name in "abcd"]
    with ThreadPoolExecutor(4) as pool:
        assert [numbers(outcome) for outcome in pool.map(run, texts)] == [want] * 4
    assert not list(Store(tmp_path / "out").checkpoints.iterdir())


def files(folder):
    """A hash of every file's content without times, dates and commands; the report, full of them, counts as present."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}
    found["report.html"] = found["report.html"][:15]
    found["summary.csv"] = pd.read_csv(folder / "summary.csv").drop(columns="seconds").to_csv().encode()
    environment = json.loads(found["environment.json"])
    for made_by in environment["trained_by"]:
        for key in ("command", "first", "last"):
            del made_by[key]
    found["environment.json"] = json.dumps(environment).encode()
    return {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_bnrenorm_run_and_the_command_leave_the_same_files(tmp_path, few_digits_file, config_file, monkeypatch, engine):
    config = config_file()
    experiment = bnrenorm.load(config, data__path=str(few_digits_file))
    results = bnrenorm.run(experiment, device="cpu", engine=engine, out=tmp_path / "python")
    options = ["--set", f"data.path={few_digits_file}", "--device", "cpu", "--engine", engine]
    monkeypatch.setattr(sys, "argv", ["bnrenorm", "compare", str(config), *options, "--out", str(tmp_path / "command")])
    with pytest.raises(SystemExit) as caught:
        commands.main()
    assert not caught.value.code
    (folder,) = (tmp_path / "command").glob("compared-*")
    assert folder.name == results.folder.name
    mine, others = files(results.folder), files(folder)
    assert mine.keys() == others.keys() >= {"experiment.yaml", "environment.json", "curves.csv", "verdict.json"}
    for name, content in mine.items():
        assert others[name] == content, name
    one, other = ({path.name for path in (tmp_path / out / "trials").iterdir()} for out in ("python", "command"))
    assert one == other
    (made_by,) = json.loads((folder / "environment.json").read_text())["trained_by"]
    assert (made_by["engine"], made_by["trials"]) == (engine, 4)


def test_what_a_run_leaves_is_written_while_its_folder_is_held(few_digits_file, config_file, tmp_path, monkeypatch):
    """The folder's owner is still noted there when tables and figures are written."""
    held = []
    for write in ("write_tables", "write_figures"):
        monkeypatch.setattr(
            outputs, write, lambda results, *axes: held.append((results.folder / ".owner.json").is_file()) or []
        )
    experiment = bnrenorm.load(config_file(), data__path=str(few_digits_file))
    bnrenorm.run(experiment, device="cpu", engine="chainer", out=tmp_path / "out")
    assert held == [True, True]


def rehearsed(data, out, engine="chainer", **options):
    backend = Backend(engine, "cpu")
    return session.rehearse(experiment_of(COMPARED), backend, out, memory=2**30, load=lambda _: data, **options)


def test_a_rehearsal_of_workers_plans_what_they_train(few, tmp_path):
    alone, shared = (rehearsed(few, tmp_path, cluster=cluster) for cluster in (None, Cluster(workers=3)))
    assert [len(of.plan.groups) for of in (alone, shared)] == [1, 3]
    assert [of.devices for of in (alone, shared)] == [1, 1], "workers of one CPU share it"
    assert not list(tmp_path.iterdir()), "nothing is written"
    with pytest.raises(InputError, match="tcp://127.0.0.1:9: no scheduler answers there"):
        rehearsed(few, tmp_path, cluster=Cluster(address="tcp://127.0.0.1:9"))


@pytest.mark.parametrize(("workers", "sharing", "devices"), [(1, 1, 1), (2, 1, 2), (3, 2, 2), (4, 2, 2)])
def test_a_rehearsal_of_workers_with_gpus(few, tmp_path, monkeypatch, workers, sharing, devices):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 2)
    backend, cluster = Backend("chainer", "cuda:0"), Cluster(workers=workers)
    monkeypatch.setattr(session, "plan", lambda *all_: all_)
    of = session.rehearse(experiment_of(COMPARED), backend, tmp_path, memory=2**30, load=lambda _: few, cluster=cluster)
    assert of.devices == devices
    assert (of.plan[3], of.plan[6]) == (2**30 // sharing, workers)


def test_a_rehearsal_counts_trials_that_cannot_be_used_as_missing(run, few, tmp_path):
    run()
    store = Store(tmp_path / "out")
    next(iter(store.trials.glob("*.json"))).write_text("{}")
    todo = rehearsed(few, store.root).plan
    assert (len(todo.keys), todo.missing) == (4, 1)


def test_kernels_that_cannot_be_kept_are_announced(run, few, tmp_path, monkeypatch):
    monkeypatch.setattr(compilation, "is_cached", lambda: False)
    witness, todo = Witness(), rehearsed(few, tmp_path / "out", "cpu").plan
    session.compile_kernels(todo, Backend("cpu", "cpu"), witness)
    session.compile_kernels(todo, Backend("chainer", "cpu"), witness)
    (note,) = witness.notes
    assert note.startswith("compiled kernels cannot be kept, as their cache folder cannot be written")
