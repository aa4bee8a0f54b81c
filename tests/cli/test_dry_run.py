"""What a dry run prints: groups with their memory and time, and nothing is trained."""

from dataclasses import replace

import pytest

from bnrenorm.cli import progress
from bnrenorm.engines.backend import CHAINER, CPU, Backend
from bnrenorm.engines.cpu import compilation
from bnrenorm.engines.memory import Need
from bnrenorm.runs.session import Session
from tests.cli.test_progress import screen
from tests.helpers import COMPARED, FEW, experiment_of, some_digits


def rehearsed(shown, out, text=COMPARED, engine=CHAINER, remark=""):
    options = {"memory": 2**30, "watcher": shown, "load": lambda _: some_digits(200, 100)}
    return Session(experiment_of(text), Backend(engine, "cpu", remark), out, **options).rehearse()


@pytest.mark.slow
def test_a_dry_run_shows_groups_with_memory_and_time(tmp_path):
    shown, file = screen()
    shown.rehearsal(rehearsed(shown, tmp_path))
    opening, few, first, group, last = file.getvalue().splitlines()
    assert opening.startswith("compared: BN, BRN; ")
    assert few == f"Note: {FEW}."
    assert first == "4 trials, 0 finished, 4 to train"
    assert group.startswith("group 1: 4 trials of BN, BRN: 0.3")
    assert last.endswith("nothing was trained")


@pytest.mark.parametrize(("devices", "shared"), [(1, ""), (2, ", of which 2 devices do a part each")])
def test_a_dry_run_says_which_times_are_not_measured(devices, shared, monkeypatch, tmp_path):
    monkeypatch.setattr(progress, "estimates", lambda groups, *_: [(3.0, True), (4.0, False)])
    shown, file = screen()
    of = rehearsed(shown, tmp_path, remark="numba is missing")
    (group,) = of.plan.groups
    shown.rehearsal(replace(of, plan=replace(of.plan, groups=[group[:2], group[2:]]), devices=devices))
    _, remark, _, _, first, second, total = file.getvalue().splitlines()
    assert remark == "Note: numba is missing."
    assert first.endswith("about 3 s")
    assert second.endswith("about 4 s, by its size")
    assert total == f"about 7 s in all{shared}; nothing was trained"


def test_a_dry_run_announces_the_compilation(monkeypatch, tmp_path):
    compiled = []
    monkeypatch.setattr(progress, "estimates", lambda groups, *_: [(3.0, True)] if compiled else 1 / 0)
    monkeypatch.setattr(compilation, "missing", lambda settings: ["some"])
    monkeypatch.setattr(compilation, "compile_kernels", compiled.extend)
    shown, file = screen()
    shown.rehearsal(rehearsed(shown, tmp_path, engine=CPU))
    assert "Compiling kernels" in file.getvalue()


def test_a_dry_run_counts_equal_trials_once(monkeypatch, tmp_path):
    same = COMPARED.replace("BN: {norm: {kind: batch}}", "same: {norm: {kind: renorm, r_max: 3, d_max: 5}}")
    monkeypatch.setattr(progress, "estimates", lambda groups, *_: [(3.0, True)] * len(groups))
    shown, file = screen()
    shown.rehearsal(rehearsed(shown, tmp_path, same))
    assert "\n2 different trials, 0 finished, 2 to train\n" in file.getvalue()


def test_a_dry_run_tells_the_memory_of_whole_groups(monkeypatch, tmp_path):
    monkeypatch.setattr(progress, "estimates", lambda groups, *_: [(3.0, True)])
    monkeypatch.setattr(progress, "need", lambda *_: Need(2**30, 2**28))
    shown, file = screen()
    shown.rehearsal(rehearsed(shown, tmp_path))
    assert "\ngroup 1: 4 trials of BN, BRN: 2.00 GiB, about 3 s\n" in file.getvalue()


def test_a_dry_run_of_one_trial_speaks_of_one(monkeypatch, tmp_path):
    monkeypatch.setattr(progress, "estimates", lambda groups, *_: [(3.0, True)])
    shown, file = screen()
    shown.rehearsal(rehearsed(shown, tmp_path, "name: a\nvariants: {BN: {norm: {kind: batch}}}\nseeds: 1\n"))
    assert "\n1 trial, 0 finished, 1 to train\ngroup 1: 1 trial of BN: " in file.getvalue()
