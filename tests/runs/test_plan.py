import itertools

import pytest

from bnrenorm.runs import checkpoint
from bnrenorm.runs import plan
from bnrenorm.runs.checkpoint import Checkpoint, Checkpoints
from bnrenorm.config import document
from bnrenorm.config.experiment import build
from bnrenorm.runs.memory import need
from bnrenorm.runs.store import Store
from tests.conftest import COMPARED, some_digits

WITH_NONE = COMPARED.replace("variants:", "variants:\n  plain: {norm: {kind: none}}").replace("seeds: 2", "seeds: 5")


@pytest.fixture(scope="module")
def few():
    return some_digits(200, 100)


def made(text, few, store, memory=2**30):
    return plan.plan(build(document.parse(text, "x.yaml")), few, store, memory)


def names(groups):
    return [[(trial.variant, trial.seed) for trial in group] for group in groups]


def everyone(groups):
    return sorted(itertools.chain.from_iterable(names(groups)))


def test_groups_are_of_one_structure(few, tmp_path):
    plain, normalised = made(WITH_NONE, few, Store(tmp_path)).groups
    assert {trial.variant for trial in plain} == {"plain"}
    assert (len(plain), len(normalised)) == (5, 10)


@pytest.mark.parametrize("fitting", [1, 3, 9, 10])
def test_groups_fit_into_the_memory_and_lose_no_trial(few, tmp_path, fitting):
    whole = made(WITH_NONE, few, Store(tmp_path))
    memory = need(whole.groups[1][0], few, "formulas").of(fitting)
    groups = made(WITH_NONE, few, Store(tmp_path), memory).groups
    assert max(len(group) for group in groups if group[0].variant != "plain") <= fitting
    assert everyone(groups) == everyone(whole.groups)


def test_an_interrupted_group_comes_first_and_as_it_was(few, tmp_path):
    store = Store(tmp_path)
    todo = made(WITH_NONE, few, store)
    group = todo.groups[1][3:6]
    Checkpoints(store.checkpoints, [todo.keys[trial] for trial in group]).save(Checkpoint({"step": 3}, [], 0.0))
    again = made(WITH_NONE, few, store)
    assert names(again.groups)[0] == names([group])[0]
    assert everyone(again.groups) == everyone(todo.groups)
    other = made(WITH_NONE.replace("steps: 4", "steps: 5"), few, store)
    assert names(other.groups) == names(todo.groups)
    assert len(checkpoint.unfinished(store.checkpoints)) == 1


def test_equal_settings_are_trained_once(few, tmp_path):
    text = COMPARED.replace("BRN:", "copy: {norm: {kind: batch}}\n  BRN:")
    assert made(text, few, Store(tmp_path)).missing == 4


def test_an_estimate_is_the_rehearsals_time_for_all_steps(few, monkeypatch):
    (group,) = (build(document.parse(COMPARED, "x.yaml")).trials(200),)
    clock = iter([0.0, 2.0, 10.0, 14.0])  # two steps take 2 s, a step with its record 4 s
    monkeypatch.setattr(plan.time, "perf_counter", lambda: next(clock))
    assert plan.estimate_seconds(group, few, "cpu", "formulas") == 4 * 1.0 + 4 * 3.0
