"""Trains the groups of a plan on the workers of a Dask cluster: processes of this machine, or any others.

Groups are Dask's tasks. The store stays the truth: a task writes its results, and nothing is lost with a worker, a
scheduler or this process but what was trained since the last checkpoint.
"""

import logging
import os
import pickle
import queue
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from bnrenorm import atomic
from bnrenorm.config import Experiment
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import Backend
from bnrenorm.errors import ClusterError, InputError
from bnrenorm.runs import checkpoint, worker
from bnrenorm.runs.group import Note
from bnrenorm.runs.interrupt import Interrupted, Request, requests
from bnrenorm.runs.plan import Plan
from bnrenorm.runs.runner import Report, Tally
from bnrenorm.runs.store import Store
from bnrenorm.runs.worker import Run, Task

DEATHS = 3
"""Workers that a group may take with it before it is given up."""

_AHEAD = 2  # groups for each worker that the scheduler knows of
_TIMEOUT = 20  # seconds in which a scheduler must answer
_SETTINGS = {
    "distributed.scheduler.allowed-failures": DEATHS - 1,
    "distributed.scheduler.worker-ttl": "30 s",  # a worker that is silent for so long is lost
    "distributed.nanny.pre-spawn-environ": {},  # Dask's own makes memory be returned at once, which costs page faults
    "distributed.admin.large-graph-warning-threshold": "1 GiB",
}
_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMBA")


@dataclass(frozen=True)
class Cluster:
    """Where groups are trained: by `workers` processes of this machine, or those of the scheduler at `address`."""

    workers: int = 0
    address: str = ""


@contextmanager
def connected(cluster: Cluster) -> Iterator[Any]:
    """Yield Dask's client of a cluster; a cluster of this machine ends with it.

    Raises InputError if Dask is not installed, or if no scheduler answers.
    """
    try:
        import dask
        import distributed
    except ImportError as error:
        raise InputError(f"--workers and --dask need Dask: pip install 'bnrenorm[cluster]' ({error})") from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is said here, once
    with dask.config.set(_SETTINGS):
        if cluster.address:
            try:
                client = distributed.Client(cluster.address, timeout=_TIMEOUT, set_as_default=False)
            except (OSError, ValueError, TypeError) as error:
                raise InputError(f"--dask {cluster.address}: no scheduler answers there: {error}") from error
            with client:
                yield client
            return
        one = {f"{library}_NUM_THREADS": "1" for library in _LIBRARIES}
        with (
            _environment(one),
            distributed.LocalCluster(
                n_workers=cluster.workers, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0",
                memory_limit=0, silence_logs=logging.CRITICAL,
            ) as processes,
            distributed.Client(processes, set_as_default=False) as client,
        ):  # fmt: skip
            client.register_plugin(_plugin())
            yield client


def count(cluster: Cluster) -> int:
    """Return how many workers a cluster has, at least one. Raises InputError as `connected`."""
    if not cluster.address:
        return max(1, cluster.workers)
    with connected(cluster) as client:
        return max(1, size(client))


def size(client: Any) -> int:
    """Return how many workers a client's cluster has now."""
    return len(client.scheduler_info(n_workers=-1)["workers"])


def _plugin() -> Any:
    from distributed import WorkerPlugin

    return type("IgnoreInterrupts", (worker.IgnoreInterrupts, WorkerPlugin), {})()


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables for the processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def train(
    plan: Plan, experiment: Experiment, data: Dataset, store: Store, backend: Backend, client: Any, report: Report,
    note: Note,
) -> dict[str, str]:  # fmt: skip
    """Train the plan's groups on a cluster, and store the results; return why trials have none, by their keys.

    A group whose worker is lost is trained again by another one, from its last checkpoint if they share the folder of
    the results. One that has taken several workers with it is given up. Raises Interrupted after a signal, once the
    workers have saved everything; InputError and DeviceError as `runner.train`; ClusterError if the cluster is lost.
    """
    token = f"bnrenorm-{secrets.token_hex(8)}"
    proof = store.checkpoints / f".{token}.tmp"
    atomic.write(proof, "")
    run = Run(token, experiment.data, data.checksum, backend, store.root.resolve(), proof.resolve(), experiment.plugins)
    try:
        with requests() as request:
            course = _Course(plan, store, client, run, Tally(plan, report), note, request)
            failures = course.finish()
    finally:
        proof.unlink(missing_ok=True)
    checkpoint.sweep(store.checkpoints, store.has)
    return failures


class _Course:
    """The groups of a plan on their way through a cluster."""

    def __init__(self, plan: Plan, store: Store, client: Any, run: Run, tally: Tally, note: Note, request: Request):
        self.plan, self.store, self.client, self.run = plan, store, client, run
        self.tally, self.note, self.request = tally, note, request
        self.events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.pending = iter(enumerate(plan.groups))
        self.running: dict[Any, Task] = {}
        self.failures: dict[str, str] = {}

    def finish(self) -> dict[str, str]:
        """Train all groups; return the failures."""
        self.client.subscribe_topic(self.run.token, lambda event: self.events.put(event[1]))
        try:
            self._submit()
            while self.running:
                if self.request.asked:
                    self._stop()
                with suppress(queue.Empty):
                    self._take(self.events.get(timeout=0.2))
                self._check()
        finally:
            with suppress(Exception):  # of a cluster that is gone
                self.client.unsubscribe_topic(self.run.token)
        return self.failures

    def _submit(self) -> None:
        """Keep every worker busy."""
        wanted = max(1, _AHEAD * size(self.client))
        while len(self.running) < wanted and (following := next(self.pending, None)) is not None:
            number, group = following
            task = Task(number, group, [self.plan.keys[trial] for trial in group])
            future = self.client.submit(worker.train, self.run, task, key=f"{self.run.token}-{number}", pure=False)
            self.running[future] = task
            future.add_done_callback(self.events.put)

    def _take(self, event: Any) -> None:
        """React to a message of a worker or to a future that is done."""
        if not isinstance(event, bytes):
            self._end(event, self.running.pop(event))
            self._submit()
            return
        message = pickle.loads(event)  # from our own workers
        if isinstance(message, str):
            self.note(message)
        elif any(task.number == message[0] for task in self.running.values()):
            self.tally.show(*message)

    def _end(self, future: Any, task: Task) -> None:
        """Store what a group has left, or note why it has left nothing."""
        from distributed.scheduler import KilledWorker

        if future.status == "finished":
            trial_of = dict(zip(task.keys, task.trials, strict=True))
            for key, result in future.result():
                self.store.write(key, trial_of[key], self.run.checksum, result)
            self.tally.finish(task.number)
            return
        if future.status != "error":
            raise ClusterError("the cluster is lost")
        error = future.exception()
        if not isinstance(error, KilledWorker):
            raise error
        self.failures |= dict.fromkeys(task.keys, f"its group has taken {DEATHS} workers with it")
        self.tally.finish(task.number)

    def _stop(self) -> None:
        """Let the workers save what they train, and end as the user has asked."""
        self.client.run(worker.stop, self.run.token)
        for future in self.running:
            with suppress(Interrupted):
                future.result(timeout=_TIMEOUT)
        raise Interrupted

    def _check(self) -> None:
        if self.client.status != "running":
            raise ClusterError("the cluster is lost")
