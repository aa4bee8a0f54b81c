"""What the course of groups makes of a cluster's messages, answers and losses; without a cluster."""

import pickle
from concurrent.futures import CancelledError
from types import SimpleNamespace

import pytest

from bnrenorm.engines.backend import Backend
from bnrenorm.errors import ClusterError
from bnrenorm.runs import course, worker
from bnrenorm.runs.interrupt import Interrupted, Request
from bnrenorm.runs.plan import Plan, addresses
from bnrenorm.runs.runner import Tally
from bnrenorm.runs.store import Store
from bnrenorm.runs.worker import Begun, Noted
from tests.helpers import COMPARED, experiment_of, results_of, save_digits, some_digits

pytest.importorskip("distributed", reason="Dask is the extra `cluster`")


@pytest.fixture
def course_of(tmp_path):
    """A function that returns the course of one group, without a cluster, and what its trials would have found."""
    experiment, data = experiment_of(COMPARED), some_digits(200, 100)
    store = Store(tmp_path)
    store.prepare()
    keys = addresses(experiment, data, Backend("chainer", "cpu"))
    found = dict(zip(keys.values(), (result for _, result in results_of().trials), strict=True))

    def course_of(client=None, note=lambda text: None):
        plan, run = (
            Plan(keys, [list(keys)]),
            SimpleNamespace(checksum=data.checksum, token="token", proof=store.checkpoints / ".token.tmp"),
        )
        return course._Course(plan, store, client, run, Tally(plan, lambda progress: None), note, Request()), found

    return course_of


@pytest.mark.parametrize("spoilt", [False, True])
def test_an_answer_is_stored_unless_its_worker_has_done_so(course_of, spoilt):
    groups, found = course_of()

    def write(text):
        for key in found:
            groups.store.path(key).write_text(text)

    if spoilt:
        write("{}")
    groups, _ = course_of()
    write("{}")  # what a worker that shares the folder would have stored
    answers = []
    future = SimpleNamespace(status="finished", result=lambda timeout: answers.append(1) or list(found.items()))
    groups._end(future, 0)
    assert answers == ([1] if spoilt else [])
    if spoilt:
        assert all(groups.store.read(key).outcome == "finished" for key in found)


class Future:
    """A future of Dask's whose result is an error."""

    def __init__(self, status, error=None):
        self.status, self.error, self.watched = status, error, 0

    def result(self, timeout):
        raise self.error

    def add_done_callback(self, call):
        self.watched += 1


def client_of(**changes):
    """Return a client of a cluster without workers."""
    nothing = dict.fromkeys(("cancel", "run", "subscribe_topic", "unsubscribe_topic"), lambda *_, **how: None)
    submit = {"submit": lambda *_, **how: Future("pending")}
    return SimpleNamespace(**{"status": "running", "nthreads": dict, **nothing, **submit, **changes})


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
    with pytest.raises(ClusterError, match="the cluster is lost; what is finished is stored"):
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


def test_a_scheduler_that_cannot_read_the_task_is_one_line(course_of):
    groups, _ = course_of()
    error = RuntimeError("Error during deserialization of the task graph. This frequently occurs if ...")
    with pytest.raises(ClusterError, match="cannot read .* task graph.; it needs the same versions of bnrenorm"):
        groups._end(Future("error", error), 0)


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


def test_the_file_by_which_workers_know_the_folder_is_renewed(course_of, monkeypatch):
    """Other commands sweep files of its kind that are a day old."""
    monkeypatch.setattr(course, "_RENEWED", 0)
    groups, _ = course_of(client_of())
    groups._look()
    assert groups.run.proof.exists()


def test_after_an_error_workers_are_asked_to_stop(course_of):
    asked = []
    groups, _ = course_of(client_of(run=lambda function, token, wait: asked.append((function, token))))
    groups._look()
    (future,) = groups.running
    groups.events.put(future)
    future.status, future.error = "error", ValueError("of one's own code")
    groups._submit(0)
    with pytest.raises(ValueError, match="of one's own code"):
        groups.finish()
    assert asked == [(worker.stop, "token")]


def test_a_scheduler_that_is_gone_is_asked_nothing_more(course_of, monkeypatch):
    """Dask would look for it, for 20 seconds."""
    monkeypatch.setattr(course, "_TICK", 0)
    asked = []
    groups, _ = course_of(client_of(status="connecting", cancel=asked.append, run=lambda *_, wait: asked.append(1)))
    with pytest.raises(ClusterError, match="the cluster is lost"):
        groups.finish()
    assert groups.running
    assert asked == []


def test_workers_are_told_where_the_images_are_from_wherever_they_start(tmp_path, monkeypatch):
    runs = []
    monkeypatch.setattr(
        course, "_Course", lambda plan, store, client, run, *_: runs.append(run) or SimpleNamespace(finish=dict)
    )
    monkeypatch.chdir(tmp_path)
    save_digits(tmp_path / "few.npz")
    experiment, store = experiment_of(COMPARED, ["data.path=few.npz"]), Store(tmp_path)
    store.prepare()
    course.train(Plan({}, []), experiment, some_digits(200, 100), store, Backend("chainer", "cpu"), None, print, print)
    assert runs[0].data.path == str(tmp_path / "few.npz")


def test_what_a_worker_remarks_is_noted(course_of):
    notes = []
    groups, _ = course_of(note=notes.append)
    groups._take(pickle.dumps(Noted("going on with 2 networks at a time")))
    assert notes == ["going on with 2 networks at a time"]


def test_a_client_that_is_closed_is_a_lost_cluster(course_of):
    groups, _ = course_of(client_of(status="closed"))
    with pytest.raises(ClusterError, match="the cluster is lost"):
        groups.finish()
