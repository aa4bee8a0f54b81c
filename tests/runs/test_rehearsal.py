"""What a run would do, which a session finds out without training or writing anything."""

import pytest

from bnrenorm import _compat
from bnrenorm.engines.backend import Backend
from bnrenorm.engines.cpu import compilation
from bnrenorm.errors import InputError
from bnrenorm.runs import cluster, session
from bnrenorm.runs.cluster import Cluster
from bnrenorm.runs.session import Session
from bnrenorm.runs.store import Store
from tests.helpers import COMPARED, experiment_of
from tests.runs.runs import Witness


def rehearsed(data, out, engine="chainer", **options):
    backend = Backend(engine, "cpu")
    return Session(experiment_of(COMPARED), backend, out, memory=2**30, load=lambda _: data, **options).rehearse()


def test_an_error_about_the_images_says_where_their_path_is_set(tmp_path):
    experiment = experiment_of("name: a\ndata: {path: pics.npz}")
    with pytest.raises(InputError, match=r"^x.yaml:2: data.path: 'pics.npz' cannot be read: No such file"):
        Session(experiment, Backend("cpu", "cpu"), tmp_path, memory=2**30).rehearse()


def test_a_rehearsal_of_workers_plans_what_they_train(few, tmp_path, monkeypatch):
    alone, shared = (rehearsed(few, tmp_path, cluster=given) for given in (None, Cluster(workers=3)))
    assert [len(of.plan.groups) for of in (alone, shared)] == [1, 3]
    assert [of.devices for of in (alone, shared)] == [1, 1], "workers of one CPU share it"
    assert not list(tmp_path.iterdir()), "nothing is written"
    monkeypatch.setattr(cluster, "_TIMEOUT", 1)
    with pytest.raises(InputError, match="tcp://127.0.0.1:9: no scheduler answers there"):
        rehearsed(few, tmp_path, cluster=Cluster(address="tcp://127.0.0.1:9"))
    with pytest.raises(InputError, match="as one of 100 workers; choose a smaller network or batch, fewer --workers"):
        rehearsed(few, tmp_path, cluster=Cluster(workers=100))


@pytest.mark.parametrize(("workers", "sharing", "devices"), [(1, 1, 1), (2, 1, 2), (3, 2, 2), (4, 2, 2)])
def test_a_rehearsal_of_workers_with_gpus(few, tmp_path, monkeypatch, workers, sharing, devices):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 2)
    backend, cluster = Backend("chainer", "cuda:0"), Cluster(workers=workers)
    monkeypatch.setattr(session, "plan", lambda *all_: all_)
    of = Session(
        experiment_of(COMPARED), backend, tmp_path, memory=2**30, load=lambda _: few, cluster=cluster
    ).rehearse()
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
