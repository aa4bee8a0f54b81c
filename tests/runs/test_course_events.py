"""What the course of groups makes of a cluster's messages, answers and losses; without a cluster."""

import pickle
from concurrent.futures import CancelledError
from types import SimpleNamespace

import pytest

from bnrenorm.engines.backend import Backend
from bnrenorm.errors import ClusterError, InputError
from bnrenorm.runs import course, sealed, worker
from bnrenorm.runs.interrupt import Interrupted, Request
from bnrenorm.runs.plan import Plan, trial_keys
from bnrenorm.runs.runner import Tally
from bnrenorm.runs.store import Store
from bnrenorm.runs.worker import Begun, Noted, Shown
from bnrenorm.training.records import Record
from tests.helpers import COMPARED, experiment_of, results_of, some_digits

pytest.importorskip("distributed", reason="Dask is the extra `cluster`")


@pytest.fixture
def course_of(tmp_path):
    """A function that returns the course of one group, without a cluster, and what its trials would have found."""
    experiment, data = experiment_of(COMPARED), some_digits(200, 100)
    store = Store(tmp_path)
    store.prepare()
    keys = trial_keys(experiment, data, Backend("chainer", "cpu"))
    found = dict(zip(keys.values(), (result for _, result in results_of().trials), strict=True))

    def course_of(client=None, note=lambda text: None, groups=1):
        plan, run = (
            Plan(keys, [list(keys)[start::groups] for start in range(groups)]),
            SimpleNamespace(checksum=data.checksum, token="token", proof=store.checkpoints / ".token.tmp"),
        )
        return course._Course(plan, store, client, run, Tally(plan, lambda progress: None), note, Request()), found

    return course_of


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
    return SimpleNamespace(**{"status": "running", "cluster": None, "nthreads": dict, **nothing, **submit, **changes})


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


def test_a_scheduler_that_cannot_read_the_task_is_one_line(course_of):
    groups, _ = course_of()
    error = RuntimeError("Error during deserialization of the task graph. This frequently occurs if ...")
    with pytest.raises(ClusterError, match="cannot read .* task graph.; it needs the same versions of bnrenorm"):
        groups._end(Future("error", error), 0)


@pytest.mark.parametrize("is_own", [True, False])
def test_an_error_on_a_worker_of_the_users_own_cluster_is_one_line(course_of, is_own):
    """Its log has the traceback; what fails in processes of this program is a fault of this program."""
    groups, _ = course_of(client_of(cluster=None if is_own else "of this program"))
    error = ImportError("numba needs\nanother NumPy.")
    line = "^a worker failed, and its log says where: ImportError: numba needs another NumPy$"
    with pytest.raises(ClusterError if is_own else ImportError, match=line if is_own else "numba needs"):
        groups._end(Future("error", error), 0)


@pytest.mark.parametrize("error", [InputError("x"), OSError("x"), MemoryError("x")])
def test_errors_that_have_their_line_already_are_passed_on(course_of, error):
    groups, _ = course_of(client_of(cluster=None))
    with pytest.raises(type(error), match="^x$"):
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


def test_after_an_error_workers_are_asked_to_stop(course_of):
    asked = []
    groups, _ = course_of(client_of(run=lambda function, token, wait: asked.append((function, token))))
    groups._look()
    (future,) = groups.running
    groups.events.put(future)
    future.status, future.error = "error", ValueError("of one's own code")
    groups._submit(0)
    with pytest.raises(ClusterError, match="of one's own code"):
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


@pytest.mark.parametrize(("begun", "attempts", "again"), [(1, 1, True), (2, 2, True), (3, 1, False), (0, 3, False)])
def test_a_group_is_given_up_after_so_many_workers_or_attempts(course_of, begun, attempts, again):
    from distributed.scheduler import KilledWorker

    groups, found = course_of()
    groups.waiting, groups.begun[0], groups.attempts[0] = [], begun, attempts
    groups._end(Future("error", KilledWorker("task", "worker", 2)), 0)
    assert groups.waiting == ([0] if again else [])
    assert groups.failures == (
        {} if again else dict.fromkeys(found, "3 workers were lost with their group: killed, out of memory, or silent")
    )
    assert groups.tally.done == (0 if again else groups.tally.total)


def test_groups_begin_in_the_order_of_the_plan(course_of):
    """Those that were interrupted first."""
    begun = []
    client = client_of(submit=lambda function, run, task, **how: begun.append(task.number) or Future("pending"))
    groups, _ = course_of(client, groups=2)
    groups._look()
    groups.wanted = 2
    groups._look()
    assert begun == [0, 1]
