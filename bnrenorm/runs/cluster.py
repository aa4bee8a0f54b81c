"""Trains the groups of a plan on the workers of a Dask cluster: processes of this machine, or any others.

Groups are Dask's tasks. The store stays the truth: a task writes its results, and nothing is lost with a worker, a
scheduler or this process but what was trained since the last checkpoint.
"""

import logging
import multiprocessing
import pickle
import queue
import secrets
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from bnrenorm import atomic, disk
from bnrenorm.config import Experiment
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import Backend
from bnrenorm.errors import ClusterError, InputError
from bnrenorm.runs import checkpoint, worker
from bnrenorm.runs.group import Note
from bnrenorm.runs.interrupt import SIGNALS, Interrupted, Request, requests
from bnrenorm.runs.plan import Plan
from bnrenorm.runs.runner import Report, Tally
from bnrenorm.runs.store import Store
from bnrenorm.runs.worker import Begun, Noted, Run, Shown, Task

DEATHS = 3
"""Workers that a group may take with it before it is given up."""

_AHEAD = 2  # groups for each worker that the scheduler knows of
_TICK = 0.5  # seconds without news after which the state of the cluster is looked at
_LOST = "the cluster is lost; what is finished is stored"
_TIMEOUT = 20  # seconds in which a scheduler must answer
_SETTINGS = {
    "distributed.scheduler.allowed-failures": DEATHS - 1,
    "distributed.scheduler.worker-ttl": "30 s",  # a worker that is silent for so long is lost
    # One thread for each worker. Dask's own list also makes memory be returned at once, which costs page faults.
    "distributed.nanny.pre-spawn-environ": {f"{name}_NUM_THREADS": 1 for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")},
    "distributed.admin.large-graph-warning-threshold": "1 GiB",
}


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
        import distributed
        from dask import config
    except ImportError as error:
        raise InputError(f"--workers and --dask need Dask: pip install 'bnrenorm[cluster]' ({error})") from error
    for name in [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is said here, once
    with config.set(_SETTINGS):
        if cluster.address:
            try:
                client = distributed.Client(cluster.address, timeout=_TIMEOUT, set_as_default=False)
            except (OSError, ValueError, TypeError) as error:
                raise InputError(f"--dask {cluster.address}: no scheduler answers there: {error}") from error
            with client:
                yield client
            return
        with _deaf_children():
            processes = distributed.LocalCluster(
                n_workers=cluster.workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                memory_limit=0,
                silence_logs=logging.CRITICAL,
            )
        with processes, distributed.Client(processes, set_as_default=False) as client:
            yield client


def count(cluster: Cluster) -> int:
    """Return how many workers a cluster has, at least one. Raises InputError as `connected`."""
    if not cluster.address:
        return max(1, cluster.workers)
    with connected(cluster) as client:
        return max(1, size(client))


def size(client: Any) -> int:
    """Return how many workers a client's cluster has now."""
    return len(client.nthreads())


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Context in which threads are started whose child processes hear none of the user's signals.

    A terminal and a batch system send them to all processes, but this one stops the others, once they have saved what
    they train. Signals that come meanwhile are heard afterwards.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    multiprocessing.get_context("spawn").Lock()  # starts a helper of Python's, once, which unblocks some of them
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
            failures = _Course(plan, store, client, run, Tally(plan, report), note, request).finish()
    finally:
        disk.delete(proof)
    checkpoint.sweep(store.checkpoints, store.has)
    return failures


class _Course:
    """The groups of a plan on their way through a cluster."""

    def __init__(self, plan: Plan, store: Store, client: Any, run: Run, tally: Tally, note: Note, request: Request):
        self.plan, self.store, self.client, self.run = plan, store, client, run
        self.tally, self.note, self.request = tally, note, request
        self.events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.waiting = list(range(len(plan.groups)))[::-1]
        self.running: dict[Any, int] = {}  # groups by Dask's futures
        self.begun: Counter[int] = Counter()  # how often a worker has begun with a group
        self.attempts: Counter[int] = Counter()
        keys = (plan.keys[trial] for group in plan.groups for trial in group)
        self.spoilt = {key for key in keys if store.has(key)}  # which are there, but trained again
        self.failures: dict[str, str] = {}
        self.looked = float("-inf")  # when the size of the cluster was asked for
        self.wanted = 1

    def finish(self) -> dict[str, str]:
        """Train all groups; return the failures."""
        self.client.subscribe_topic(self.run.token, lambda event: self.events.put(event[1]))
        try:
            while self.running or (self.waiting and not self.request.asked):
                self._look()
                with suppress(queue.Empty):
                    self._take(self.events.get(timeout=_TICK))
                if self.client.status != "running":
                    raise ClusterError(_LOST)
        finally:
            with suppress(Exception):  # of a cluster that is gone
                self.client.cancel(list(self.running))
                self.client.unsubscribe_topic(self.run.token)
        if self.request.asked:
            raise Interrupted
        return self.failures

    def _look(self) -> None:
        """Keep every worker busy, those that have come since among them; or let all of them stop."""
        if time.monotonic() - self.looked >= _TICK:
            self.looked = time.monotonic()
            try:
                self.wanted = max(1, _AHEAD * size(self.client))
                if self.request.asked:  # again and again, as there may be new workers
                    self.client.cancel([future for future, number in self.running.items() if not self.begun[number]])
                    self.client.run(worker.stop, self.run.token, wait=False)
            except (OSError, CancelledError) as error:
                raise ClusterError(_LOST) from error
        while self.waiting and len(self.running) < self.wanted and not self.request.asked:
            self._submit(self.waiting.pop())

    def _submit(self, number: int) -> None:
        group = self.plan.groups[number]
        self.attempts[number] += 1
        task = Task(number, group, [self.plan.keys[trial] for trial in group])
        key = f"{self.run.token}-{number}-{self.attempts[number]}"
        future = self.client.submit(worker.train, self.run, task, key=key, pure=False)
        self._watch(future, number)

    def _take(self, event: Any) -> None:
        """React to a message of a worker, or to a future that is done."""
        if not isinstance(event, bytes):
            self._end(event, self.running.pop(event))
            return
        match pickle.loads(event):  # from our own workers
            case Begun(number):
                self.begun[number] += 1
            case Noted(text):
                self.note(text)
            case Shown(number, first, count, record) if number in self.running.values():
                self.tally.show(number, self.plan.groups[number][first : first + count], record)

    def _end(self, future: Any, number: int) -> None:
        """Store what a group has left, or note why it has left nothing."""
        from distributed.scheduler import KilledWorker

        if future.status in ("pending", "lost"):  # it was done, but its worker is gone with the answer
            self._watch(future, number)
            return
        trial_of = {self.plan.keys[trial]: trial for trial in self.plan.groups[number]}
        try:
            stored = all(self.store.has(key) and key not in self.spoilt for key in trial_of)
            if future.status != "finished" or not stored:
                for key, result in future.result(timeout=_TIMEOUT):
                    self.store.write(key, trial_of[key], self.run.checksum, result)
            self.tally.finish(number)
        except TimeoutError:
            self._watch(future, number)
        except (Interrupted, CancelledError) as error:
            if not self.request.asked:
                raise ClusterError(_LOST) from error
        except KilledWorker:
            if self.begun[number] < DEATHS and self.attempts[number] < DEATHS:  # it may only have waited at a worker
                self.waiting.append(number)
                return
            self.failures |= dict.fromkeys(trial_of, f"{DEATHS} workers were lost with their group")
            self.tally.finish(number)

    def _watch(self, future: Any, number: int) -> None:
        self.running[future] = number
        future.add_done_callback(self.events.put)
