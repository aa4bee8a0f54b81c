"""A whole run, as the command line and `bnrenorm.run` do it: locked, resumed, and left in a folder."""

import hashlib
import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pandas as pd
import pytest

import bnrenorm
from bnrenorm.analysis import outputs
from bnrenorm.cli import commands
from bnrenorm.engines.backend import Backend
from bnrenorm.errors import InputError
from bnrenorm.runs import group as groups
from bnrenorm.runs import run_folder
from bnrenorm.runs.interrupt import Interrupted
from bnrenorm.runs.session import Session
from bnrenorm.runs.shard import Shard
from bnrenorm.runs.store import Store
from tests.helpers import COMPARED, ENGINES, experiment_of, results_of, some_digits
from tests.runs.runs import Witness, numbers


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
            os.kill(os.getpid(), signal.SIGTERM)

    left = []
    with pytest.raises(Interrupted):
        run(engine=engine, watcher=Witness(interrupt), leave=left.append)
    assert left == []
    store = Store(tmp_path / "out")
    assert [path.name[17:] for path in store.checkpoints.glob("*.json")] == ["step-000000000002.json"]
    assert not list(store.trials.iterdir())
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
        (
            "training: {batch: {kind: non_iid, classes: 2, size: 200}}",
            "^x.yaml:3: training.batch has 100 images a class, but the smallest class",
        ),
        ("data: {validation: 200}", "leaves none of the 200 training images"),
    ],
)
def test_a_refused_run_leaves_nothing(run, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        run(f"name: refused\nvariants: {{BN: {{}}}}\n{changes}\n")
    assert not (tmp_path / "out").exists()


def test_the_remarks_on_a_run_are_kept_with_its_results(run):
    witness = Witness()
    outcome = run(COMPARED.replace("r_max: 3, d_max: 5", "r_max: 1, d_max: 0"), watcher=witness)
    (remark,) = witness.notes
    assert remark.startswith("BN and BRN are identical by construction: ")
    assert outcome.notes == (remark,)


def test_what_another_version_has_trained_is_not_replaced_unsaid(run, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("bnrenorm.config.trial.RESULTS", 0)
        run()
    witness = Witness()
    outcome = run(watcher=witness)
    (note,) = set(witness.notes) - set(outcome.notes)
    whose = "4 stored trials of this run are of another version of bnrenorm"
    assert note == f"{whose}, whose numbers may differ: not used"
    run(watcher=witness)
    assert witness.notes.count(note) == 1, "once all are trained again, nothing is missing"
    run(engine="cpu", watcher=witness)
    assert witness.notes.count(note) == 2, "those of the other engine of this version are not counted"


def test_what_another_engine_has_trained_is_not_trained_again_unsaid(run, tmp_path):
    """As of the shards of GPU nodes, which are compared where there is no GPU."""
    first = replace(experiment_of(COMPARED), seeds=(0,))
    options = {"memory": 2**30, "load": lambda _: some_digits(200, 100)}
    Session(first, Backend("chainer", "cpu"), tmp_path / "out", shard=Shard(1, 1), **options).train()
    witness = Witness()
    outcome = run(engine="cpu", watcher=witness)
    (note,) = set(witness.notes) - set(outcome.notes)  # it is of this moment, not of the results
    stored = "2 of the trials to train are stored as trained by --engine chainer --device cpu"
    assert note == f"{stored}: with that they are not trained"
    run(engine="cpu", watcher=witness)
    assert witness.notes.count(note) == 1


@pytest.mark.parametrize(("kernels", "other"), [
    ("", Backend("cuda", "cuda:0")), ("", Backend("cuda-tf32", "cuda:0")),
    ("activation: tanh, ", Backend("chainer", "cuda:0")),
])  # fmt: skip
def test_what_a_gpu_has_trained_is_told_once(run, few, tmp_path, kernels, other):
    """Settings without kernels are Chainer's, whichever engine was preferred."""
    text = COMPARED.replace("model: {", f"model: {{{kernels}")
    first, *_ = experiment_of(text).trials(200)
    store = Store(tmp_path / "out")
    store.prepare()
    ((_, result), *_) = results_of().trials
    store.write(first.key(few.checksum, other.address(first.settings)), first, few.checksum, result)
    outcome = run(text, watcher=(witness := Witness()))
    (note,) = set(witness.notes) - set(outcome.notes)
    assert note == f"1 of the trials to train is stored as trained by {other.options}: with that they are not trained"


def test_a_run_from_another_thread_of_a_notebook_works(run):
    with ThreadPoolExecutor(1) as pool:
        assert len(pool.submit(run).result().trials) == 4


@pytest.mark.slow
def test_runs_that_train_the_same_group_at_a_time_do_not_disturb_each_other(run, tmp_path, monkeypatch):
    """Experiments of other names, so of other run folders, whose trials and checkpoints are the same files."""
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
