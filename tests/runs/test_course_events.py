"""What the course of groups makes of a cluster's messages, answers and losses; without a cluster."""

import pickle
from concurrent.futures import CancelledError
from types import SimpleNamespace

import pytest

from bnrenorm.errors import ClusterError
from bnrenorm.runs import course, sealed
from bnrenorm.runs.interrupt import Interrupted
from bnrenorm.runs.worker import Begun, Noted, Shown
from bnrenorm.training.records import Record
from tests.runs.clusters import Future, client_of

pytest.importorskip("distributed", reason="Dask is the extra `cluster`")


@pytest.mark.parametrize("damaged", [False, True])
def test_an_answer_is_stored_unless_its_worker_has_done_so(course_of, damaged):
    groups, found = course_of()

    def write(text):
        for key in found:
            groups.store.path(key).write_text(text)

    if damaged:
        write("{}")
    groups, _ = course_of()
    write("{}")  # what a worker that shares the folder would have stored
    answers = []
    future = SimpleNamespace(status="finished", result=lambda timeout: answers.append(1) or list(found.items()))
    groups._end(future, 0)
    assert answers == ([1] if damaged else [])
    if damaged:
        assert all(groups.store.read(key).outcome == "finished" for key in found)
        assert {sealed.read(groups.store.path(key))["data"] for key in found} == {groups.run.checksum}


@pytest.mark.parametrize(
    "future", [Future("lost"), Future("pending"), Future("finished", TimeoutError())], ids=["lost", "pending", "late"]
)
def test_an_answer_that_was_lost_with_its_worker_is_waited_for_again(course_of, future):
    groups, _ = course_of()
    groups._end(future, 0)
    assert groups.running == {future: 0}
    assert future.watched == 1


def test_a_group_that_the_scheduler_has_dropped_is_a_lost_cluster_unless_that_was_asked_for(course_of):
    groups, _ = course_of()
    with pytest.raises(ClusterError, match="the cluster is lost"):
        groups._end(Future("cancelled", CancelledError()), 0)
    groups.request.asked = True
    groups._end(Future("cancelled", CancelledError()), 0)


@pytest.mark.parametrize("error", [OSError("gone"), CancelledError()])
def test_a_scheduler_that_does_not_say_how_many_workers_it_has_is_a_lost_cluster(course_of, error):
    def nthreads():
        raise error

    groups, _ = course_of(SimpleNamespace(nthreads=nthreads))
    with pytest.raises(ClusterError, match="the cluster is lost"):
        groups._look()


@pytest.mark.parametrize("shares", [True, False])
def test_only_what_workers_write_to_the_folder_is_said_to_be_saved(course_of, shares):
    groups, _ = course_of(client_of())
    groups._take(pickle.dumps(Begun(0, shares)))
    groups.request.asked, groups.waiting = True, []
    groups._end(Future("error", Interrupted()), 0)
    with pytest.raises(Interrupted, match="^everything is saved;" if shares else "^all is saved but what workers"):
        groups.finish()


def test_a_cluster_without_workers_is_told_once(course_of, monkeypatch):
    monkeypatch.setattr(course, "_ALONE", 0)
    notes = []
    groups, _ = course_of(client_of(), notes.append)
    groups.waiting = []
    for _ in range(3):
        groups.looked = float("-inf")
        groups._look()
    assert len(notes) == 1
    assert notes[0].startswith("the cluster has no workers")


def test_workers_that_will_not_start_again_are_not_waited_for(course_of, monkeypatch):
    monkeypatch.setattr(course, "has_ended", lambda client: True)
    groups, _ = course_of(client_of())
    with pytest.raises(ClusterError, match="all workers have ended, and none could start again"):
        groups._look()


def test_the_file_by_which_workers_know_the_folder_is_renewed(course_of, monkeypatch):
    """Other commands sweep files of its kind that are a day old."""
    monkeypatch.setattr(course, "_RENEWED", 0)
    groups, _ = course_of(client_of())
    groups._look()
    assert groups.run.proof.exists()


def test_a_scheduler_that_is_gone_is_asked_nothing_more(course_of, monkeypatch):
    """Dask would look for it, for 20 seconds."""
    monkeypatch.setattr(course, "_TICK", 0)
    asked = []
    groups, _ = course_of(client_of(status="connecting", cancel=asked.append, run=lambda *_, wait: asked.append(1)))
    with pytest.raises(ClusterError, match="the cluster is lost"):
        groups.finish()
    assert groups.running
    assert asked == []


def test_what_a_worker_remarks_is_noted(course_of):
    notes = []
    groups, _ = course_of(note=notes.append)
    groups._take(pickle.dumps(Noted("going on with 2 networks at a time")))
    assert notes == ["going on with 2 networks at a time"]


def test_a_client_that_is_closed_is_a_lost_cluster(course_of):
    groups, _ = course_of(client_of(status="closed"))
    with pytest.raises(ClusterError, match="the cluster is lost"):
        groups.finish()


def test_a_signal_starts_no_group_that_waits(course_of, monkeypatch):
    monkeypatch.setattr(course, "_TICK", 0)
    looks = iter([{}, {}])
    groups, _ = course_of(client_of(nthreads=lambda: next(looks), submit=pytest.fail))
    groups.request.asked = True
    with pytest.raises(Interrupted, match="^everything is saved;"):
        groups.finish()


def test_a_signal_takes_back_what_no_worker_has_begun(course_of):
    """The others are asked to stop, and save what they have."""
    cancelled = []
    two = {"a": 1, "b": 1}
    groups, _ = course_of(client_of(cancel=cancelled.append, nthreads=lambda: two, submit=pytest.fail))
    groups.running = {"begun": 0, "waits": 1}
    groups._take(pickle.dumps(Begun(0, shares=True)))
    groups.request.asked = True
    groups._look()
    assert cancelled == [["waits"]]


def test_news_of_a_group_that_has_ended_do_not_count_twice(course_of):
    groups, _ = course_of()
    groups.tally.finish(0)
    groups._take(pickle.dumps(Shown(0, 0, 4, Record(3, 1.0, {"train_loss": [0.1] * 4}))))
    assert groups.tally.done == groups.tally.total == 16


def test_groups_begin_in_the_order_of_the_plan(course_of):
    """Those that were interrupted first."""
    begun = []
    client = client_of(submit=lambda function, run, task, **how: begun.append(task.number) or Future("pending"))
    groups, _ = course_of(client, groups=2)
    groups._look()
    groups.wanted = 2
    groups._look()
    assert begun == [0, 1]
