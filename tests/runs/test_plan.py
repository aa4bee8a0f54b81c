import itertools

import chainer.links as L
import pytest

from bnrenorm.engines.backend import Backend
from bnrenorm.errors import InputError
from bnrenorm.norm import registry
from bnrenorm.runs import checkpoint, plan
from bnrenorm.runs.checkpoint import Checkpoint, Checkpoints
from bnrenorm.runs.memory import need
from bnrenorm.runs.store import Store
from tests.helpers import COMPARED, ENGINES, experiment_of

BACKEND = Backend("chainer", "cpu")

WITH_NONE = COMPARED.replace("variants:", "variants:\n  plain: {norm: {kind: none}}").replace("seeds: 2", "seeds: 5")


def made(text, few, store, memory=2**30, backend=BACKEND):
    return plan.plan(plan.trial_keys(experiment_of(text), few, backend), few, store, memory, backend)


def names(groups):
    return [[(trial.variant, trial.seed) for trial in group] for group in groups]


def everyone(groups):
    return sorted(itertools.chain.from_iterable(names(groups)))


def test_groups_are_of_one_structure(few, tmp_path):
    plain, normalised = made(WITH_NONE, few, Store(tmp_path)).groups
    assert {trial.variant for trial in plain} == {"plain"}
    assert (len(plain), len(normalised)) == (5, 10)


def test_a_norm_of_ones_own_comes_first_as_its_mistakes_do(few, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    registry.register_norm("mine", lambda width: L.BatchNormalization(width))
    text = COMPARED.replace("training:", "  mine: {norm: {kind: custom, name: mine}}\ntraining:")
    groups = made(text, few, Store(tmp_path)).groups
    assert [group[0].variant for group in groups] == ["mine", "BN"]


@pytest.mark.parametrize("fitting", [1, 3, 9, 10])
def test_groups_fit_into_the_memory_and_lose_no_trial(few, tmp_path, fitting):
    whole = made(WITH_NONE, few, Store(tmp_path))
    memory = need(whole.groups[1][0], few, BACKEND).of(fitting)
    groups = made(WITH_NONE, few, Store(tmp_path), memory).groups
    assert max(len(group) for group in groups if group[0].variant != "plain") <= fitting
    assert everyone(groups) == everyone(whole.groups)


@pytest.mark.parametrize(("workers", "sizes"), [(1, [4]), (2, [2, 2]), (3, [1, 1, 2]), (9, [1, 1, 1, 1])])
def test_every_worker_has_a_group_and_no_group_is_empty(few, tmp_path, workers, sizes):
    keys = plan.trial_keys(experiment_of(COMPARED), few, BACKEND)
    groups = plan.plan(keys, few, Store(tmp_path), 2**30, BACKEND, workers=workers).groups
    assert [len(group) for group in groups] == sizes


def test_an_interrupted_group_comes_first_and_as_it_was(few, tmp_path):
    store = Store(tmp_path)
    store.prepare()
    todo = made(WITH_NONE, few, store)
    group = todo.groups[1][3:6]
    Checkpoints(store.checkpoints, [todo.keys[trial] for trial in group]).save(Checkpoint({"step": 3}, [{}] * 3, 0.0))
    again = made(WITH_NONE, few, store)
    assert names(again.groups)[0] == names([group])[0]
    assert everyone(again.groups) == everyone(todo.groups)
    other = made(WITH_NONE.replace("steps: 4", "steps: 5"), few, store)
    assert names(other.groups) == names(todo.groups)
    assert len(checkpoint.unfinished(store.checkpoints)) == 1


def test_an_interrupted_group_is_divided_where_it_does_not_fit_or_workers_wait(few, tmp_path):
    """As after a command that was killed because its memory was full."""
    store = Store(tmp_path)
    store.prepare()
    todo = made(COMPARED.replace("seeds: 2", "seeds: 5"), few, store)
    (group,) = todo.groups
    Checkpoints(store.checkpoints, [todo.keys[trial] for trial in group]).save(Checkpoint({"step": 3}, [{}] * 10, 0.0))
    memory = need(group[0], few, BACKEND).of(4)
    assert [len(part) for part in plan.plan(todo.keys, few, store, memory, BACKEND).groups] == [3, 3, 4]
    assert [len(part) for part in plan.plan(todo.keys, few, store, 2**30, BACKEND, workers=2).groups] == [5, 5]
    with pytest.raises(InputError, match="but may take 1 KiB; "):
        plan.plan(todo.keys, few, store, 1024, BACKEND)
    with pytest.raises(InputError, match="but may take 1 KiB as one of 3 workers; .*, fewer --workers"):
        plan.plan(todo.keys, few, store, 1024, BACKEND, sharing=3)


def test_no_worker_is_idle_while_there_are_trials_of_interrupted_groups(few, tmp_path):
    store = Store(tmp_path)
    store.prepare()
    todo = made(COMPARED.replace("seeds: 2", "seeds: 4"), few, store)
    keys = list(todo.keys.values())
    for part in (keys[:4], keys[4:]):
        Checkpoints(store.checkpoints, part).save(Checkpoint({"step": 3}, [{}] * 4, 0.0))
    groups = plan.plan(todo.keys, few, store, 2**30, BACKEND, workers=3).groups
    assert [len(group) for group in groups] == [2, 2, 2, 2]


def test_images_that_are_held_out_are_none_to_draw_batches_from(few):
    """The smallest class has 13 of the 200 images, and 11 of the 190 that are left to learn from."""
    smallest = min(map(list(few.learning_labels(10)).count, range(10)))
    with_batch = COMPARED.replace("training: {", "training: {batch: {kind: non_iid, classes: 2, size: SIZE}, ")
    for validation, images in ((10, smallest), (0, smallest + 1)):
        text = with_batch.replace("SIZE", str(2 * images)) + f"data: {{validation: {validation}}}\n"
        assert len(plan.trial_keys(experiment_of(text), few, BACKEND)) == 4
    text = with_batch.replace("SIZE", str(2 * smallest + 2)) + "data: {validation: 10}\n"
    with pytest.raises(InputError, match=f"{smallest + 1} images a class, but the smallest class has {smallest}"):
        plan.trial_keys(experiment_of(text), few, BACKEND)


@pytest.mark.parametrize("files", [list, reversed])
def test_what_is_left_of_interrupted_groups_is_planned_once_parts_before_the_whole(few, tmp_path, monkeypatch, files):
    """In whatever order their files are found."""
    found = checkpoint.unfinished
    monkeypatch.setattr(checkpoint, "unfinished", lambda root: list(files(found(root))))
    store = Store(tmp_path)
    store.prepare()
    todo = made(COMPARED.replace("seeds: 2", "seeds: 5"), few, store)
    keys = [todo.keys[trial] for trial in todo.groups[0]]
    for part in (keys, keys[2:5]):
        Checkpoints(store.checkpoints, part).save(Checkpoint({"step": 3}, [{}] * len(part), 0.0))
    for key in (keys[3], keys[9]):
        (store.trials / f"{key}.json").touch()
    groups = plan.plan(todo.keys, few, store, 2**30, BACKEND).groups
    assert [[todo.keys[trial] for trial in group] for group in groups] == [
        [keys[2], keys[4]],
        [*keys[:2], *keys[5:9]],
    ]
    for key in (keys[2], keys[4]):
        (store.trials / f"{key}.json").touch()
    assert len(plan.plan(todo.keys, few, store, 2**30, BACKEND).groups) == 1, "nothing is left of the part"


def test_equal_settings_are_trained_once(few, tmp_path):
    text = COMPARED.replace("BRN:", "copy: {norm: {kind: batch}}\n  BRN:")
    assert made(text, few, Store(tmp_path)).missing == 4


def test_results_of_another_engine_have_another_address(few, tmp_path):
    """Engines round differently: a comparison must not mix their results without saying so."""
    store = Store(tmp_path)
    by_kernels, by_chainer, on_gpu = (
        made(COMPARED, few, store, backend=backend).keys
        for backend in (Backend("cpu", "cpu"), BACKEND, Backend("chainer", "cuda:0"))
    )
    addresses = [set(keys.values()) for keys in (by_kernels, by_chainer, on_gpu)]
    assert [len(each) for each in addresses] == [4, 4, 4]
    assert len(set.union(*addresses)) == 12
    other_gpu = made(COMPARED, few, store, backend=Backend("chainer", "cuda:1")).keys
    assert list(other_gpu.values()) == list(on_gpu.values())


def test_a_variant_without_kernels_has_one_address_on_both_engines(few, tmp_path):
    """It is the Chainer engine that trains it, whichever was asked for."""
    text = COMPARED.replace("BRN:", "BRN: {model: {activation: tanh}}\n  other:")
    keys = {engine: made(text, few, Store(tmp_path), backend=Backend(engine, "cpu")).keys for engine in ENGINES}
    same = {trial.variant for trial in keys["cpu"] if keys["cpu"][trial] == keys["chainer"][trial]}
    assert same == {"BRN"}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_finished_trial_is_planned_again_for_another_engine_only(few, tmp_path, engine):
    store = Store(tmp_path)
    store.prepare()
    for key in made(COMPARED, few, store, backend=Backend(engine, "cpu")).keys.values():
        (store.trials / f"{key}.json").touch()
    missing = {name: made(COMPARED, few, store, backend=Backend(name, "cpu")).missing for name in ENGINES}
    assert missing == {name: 0 if name == engine else 4 for name in ENGINES}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("hidden", "memory", "message"),
    [
        ("[20]", 1024, "MiB of memory, but may take 1 KiB"),
        ("[1000000000000]", 2**30, "of memory, but may take 1 GiB; choose a smaller network"),
        ("[20, 1000000000000000000]", 2**30, "of memory, but may take 1 GiB; choose a smaller network"),
    ],
)
def test_a_need_beyond_the_memory_is_refused(few, tmp_path, engine, hidden, memory, message):
    text = COMPARED.replace("[20]", hidden)
    with pytest.raises(InputError) as caught:
        made(text, few, Store(tmp_path), memory, Backend(engine, "cpu"))
    assert message in str(caught.value)
