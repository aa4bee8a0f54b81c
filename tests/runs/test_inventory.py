"""What a folder of results holds, and what is removed with a run: never what another run uses."""

import json
import os

import pytest

from bnrenorm import InputError
from bnrenorm.engines.backend import Backend
from bnrenorm.runs import inventory, run_folder
from bnrenorm.runs.checkpoint import Checkpoint, Checkpoints
from bnrenorm.runs.session import Session
from bnrenorm.runs.shard import Shard
from bnrenorm.runs.store import Store
from tests.helpers import COMPARED, experiment_of, some_digits

ONE_SEED, TWO_SEEDS = (experiment_of(COMPARED, [f"seeds={count}"]) for count in (1, 2))


def train(experiment, out):
    backend = Backend("chainer", "cpu")
    options = {"memory": 2**30, "load": lambda _: some_digits(60, 20)}
    with Session(experiment, backend, out, **options).run() as outcome:
        (outcome.folder / "verdict.json").write_text("[]")
    return outcome.folder


@pytest.fixture
def out(tmp_path):
    train(ONE_SEED, tmp_path)
    train(TWO_SEEDS, tmp_path)
    return tmp_path


def trials(out):
    return sorted(path.stem for path in (out / "trials").iterdir())


def named(out, experiment):
    return run_folder.path_of(out, experiment, "").name


def test_runs_are_listed_with_state_trials_size_and_date(out):
    one, two = inventory.runs(Store(out))
    assert [run.folder.name for run in (one, two)] == [named(out, ONE_SEED), named(out, TWO_SEEDS)]
    assert [(run.state, run.stored, len(run.keys)) for run in (one, two)] == [("finished", 2, 2), ("finished", 4, 4)]
    assert one.keys < two.keys
    files = [*two.folder.iterdir(), *(out / f"trials/{key}.json" for key in two.keys)]
    assert two.size == sum(path.stat().st_size for path in files)
    assert two.written == max(path.stat().st_mtime for path in two.folder.iterdir() if path.name[:5] != ".lock")


def test_trials_of_shards_are_of_no_run_until_they_are_compared(tmp_path):
    options = {"memory": 2**30, "load": lambda _: some_digits(60, 20)}
    train(ONE_SEED, tmp_path)
    listed = trials(tmp_path)
    assert inventory.of_no_run(Store(tmp_path)) == []
    Session(TWO_SEEDS, Backend("chainer", "cpu"), tmp_path, shard=Shard(1, 1), **options).train()
    assert inventory.of_no_run(Store(tmp_path)) == sorted({*trials(tmp_path)} - {*listed})
    folder = train(TWO_SEEDS, tmp_path)
    assert inventory.of_no_run(Store(tmp_path)) == []
    Session(
        experiment_of(COMPARED, ["seeds=3"]), Backend("chainer", "cpu"), tmp_path, shard=Shard(1, 1), **options
    ).train()
    assert len(inventory.of_no_run(Store(tmp_path))) == 2
    (folder / ".trials.json").unlink()  # as of an older version: they may be its own
    assert inventory.of_no_run(Store(tmp_path)) == []


def test_a_run_was_last_written_to_when_its_newest_file_was(tmp_path):
    for name, times in (("a-00000000", (1e8, 3e8)), ("b-11111111", (2e8, 2e8))):
        (folder := tmp_path / name).mkdir()
        for file, time in zip(("experiment.yaml", "verdict.json"), times, strict=True):
            (folder / file).write_text("name: a\n")
            os.utime(folder / file, (time, time))
        (folder / ".lock").touch()  # whoever looks at a run may leave one
    runs = [(run.folder.name, run.written) for run in inventory.runs(Store(tmp_path))]
    assert runs == [("b-11111111", 2e8), ("a-00000000", 3e8)]


def test_removal_keeps_what_another_run_uses(out):
    removed = inventory.remove(Store(out), named(out, TWO_SEEDS))
    assert (removed.trials, removed.kept) == (2, 2)
    (one,) = inventory.runs(Store(out))
    assert trials(out) == sorted(one.keys)
    assert one.stored == 2
    removed = inventory.remove(Store(out), named(out, ONE_SEED))
    assert (removed.trials, removed.kept) == (2, 0)
    assert trials(out) == []
    assert inventory.runs(Store(out)) == []


def test_what_is_removed_is_counted_in_bytes(out):
    def size():
        return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())

    plugins = out / named(out, TWO_SEEDS) / "plugins"
    plugins.mkdir()
    (plugins / "mine.py").write_text("pass")
    before = size()
    removed = inventory.remove(Store(out), named(out, TWO_SEEDS))
    assert removed.size == before - size()


@pytest.mark.parametrize("content", [None, "{}", "[]", "[1]", '["../../x"]', "no json"])
def test_a_run_without_a_list_keeps_all_trials(out, content):
    path = out / named(out, ONE_SEED) / ".trials.json"
    path.unlink() if content is None else path.write_text(content)
    assert inventory.runs(Store(out))[0].keys is None or content is not None
    removed = inventory.remove(Store(out), named(out, TWO_SEEDS))
    assert (removed.trials, removed.kept) == (0, 4)
    assert len(trials(out)) == 4


def test_a_run_of_a_second_engine_lists_the_trials_of_both(out):
    folder = out / named(out, ONE_SEED)
    before = json.loads((folder / ".trials.json").read_text())
    inventory.list_trials(folder, ["0" * 16])
    assert json.loads((folder / ".trials.json").read_text()) == sorted([*before, "0" * 16])


def test_checkpoints_of_an_unfinished_run_go_with_it(out):
    one, two = (sorted(run.keys) for run in inventory.runs(Store(out)))
    own, shared = (Checkpoints(out / "checkpoints", keys) for keys in (sorted(set(two) - set(one)), one))
    (out / f"trials/{own.keys[0]}.json").unlink()
    for group in (own, shared):
        group.save(Checkpoint({"step": 3}, [{} for _ in group.keys], 1.0))
    folder = out / named(out, TWO_SEEDS)
    files = [path for part in (folder, out / "trials", out / "checkpoints") for path in part.iterdir()]
    sizes = {path: path.stat().st_size for path in files}
    assert inventory.runs(Store(out))[1].size == sum(sizes.values())
    removed = inventory.remove(Store(out), folder.name)
    assert removed.size == sum(size for path, size in sizes.items() if not path.exists())
    assert {path.name.split(".")[0] for path in (out / "checkpoints").iterdir()} == {shared.group}


def test_a_removal_that_the_disk_ends_can_be_given_again(out, monkeypatch):
    """The folder, which lists the trials, goes last: without it they would stay for good."""

    def fail(path):
        raise OSError("Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(inventory.sealed, "delete", fail)
        with pytest.raises(OSError, match="Input/output error"):
            inventory.remove(Store(out), named(out, TWO_SEEDS))
    assert inventory.remove(Store(out), named(out, TWO_SEEDS)).trials == 2


def test_an_unfinished_run_is_one_that_did_not_end(out):
    (out / named(out, ONE_SEED) / ".owner.json").write_text("{}")
    (out / named(out, TWO_SEEDS) / "verdict.json").unlink()
    assert [run.state for run in inventory.runs(Store(out))] == ["unfinished", "unfinished"]


def test_a_run_that_is_being_written_is_not_removed(out):
    with run_folder.opened(out, ONE_SEED, "") as folder:
        assert {run.folder: run.state for run in inventory.runs(Store(out))}[folder] == "being written"
        with pytest.raises(InputError, match="is writing there"):
            inventory.remove(Store(out), folder.name)
    assert folder.is_dir()


@pytest.mark.parametrize("name", ["compared", "../compared-00000000", "trials", "", "linked-00000000"])
def test_nothing_but_a_run_is_removed(out, name):
    (out / "linked-00000000").symlink_to(out / named(out, ONE_SEED))
    with pytest.raises(InputError, match="unknown run"):
        inventory.remove(Store(out), name)
    assert len(inventory.runs(Store(out))) == 2


def test_a_folder_without_runs(tmp_path):
    assert inventory.runs(Store(tmp_path / "none")) == []
    with pytest.raises(InputError, match="no runs there"):
        inventory.remove(Store(tmp_path), "compared-00000000")
