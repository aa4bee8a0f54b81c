"""What the course of groups makes of a group that failed on a worker; without a cluster."""

import errno

import pytest

from bnrenorm.errors import ClusterError, InputError
from bnrenorm.runs import worker
from tests.runs.clusters import Future, client_of

pytest.importorskip("distributed", reason="Dask is the extra `cluster`")


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


@pytest.mark.parametrize(
    "error", [InputError("x"), OSError("x"), MemoryError("x"), OSError(errno.ETIMEDOUT, "x"), TimeoutError("x")]
)
def test_errors_that_have_their_line_already_are_passed_on(course_of, error):
    groups, _ = course_of(client_of(cluster=None))
    with pytest.raises(type(error), match="x$"):
        groups._end(Future("error", error), 0)


def test_a_wait_during_which_the_worker_dies_is_no_error_of_the_disk(course_of):
    class Dying(Future):
        def result(self, timeout):
            self.status = "error"
            raise TimeoutError("timed out")

    groups, _ = course_of(client_of(cluster=None))
    future = Dying("finished")
    groups._end(future, 0)
    assert (groups.running, future.watched) == ({future: 0}, 1)


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
