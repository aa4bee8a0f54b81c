"""The groups of a plan on their way through a Dask cluster.

Groups are Dask's tasks. The store stays the truth: a task writes its results, and nothing is lost with a worker, a
scheduler or this process but what was trained since the last checkpoint.
"""

import math
import pickle
import platform
import queue
import secrets
import time
from collections import Counter
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

from bnrenorm import atomic, disk
from bnrenorm.config import Experiment, annotated
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import Backend
from bnrenorm.errors import ClusterError, InputError, one_line
from bnrenorm.runs import checkpoint, worker
from bnrenorm.runs.cluster import DEATHS, has_ended, size
from bnrenorm.runs.group import Note
from bnrenorm.runs.interrupt import Interrupted, Request, requests
from bnrenorm.runs.plan import Plan
from bnrenorm.runs.runner import Report, Tally
from bnrenorm.runs.store import Store
from bnrenorm.runs.worker import Begun, Noted, Run, Shown, Task

_AHEAD = 2  # groups for each worker that the scheduler knows of
_TICK = 0.5  # seconds without news after which the state of the cluster is looked at
_ANSWER = 20  # seconds in which a worker must hand its results back
_LOST = "the cluster is lost"
_ENDED = "all workers have ended, and none could start again"
_RENEWED = 3600  # seconds after which the file by which workers know the folder is written again: old ones are swept
_ALONE = 10  # seconds without a worker after which that is said
_UNSAVED = "all is saved but what workers trained that do not write to the folder of the results"


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
    paths = store.root.resolve(), proof.resolve()
    images = experiment.data.model_copy(update={"path": annotated.absolute(experiment.data.path)})
    run = Run(token, images, data.checksum, backend, *paths, experiment.plugins, platform.node())
    try:
        with requests() as request:
            failures = _Course(plan, store, client, run, Tally(plan, report), note, request).finish()
    finally:
        disk.delete(proof)
    checkpoint.sweep(store.checkpoints, store.has)
    return failures


class _Course:
    """The state of the groups: waiting, given to the scheduler, or done."""

    def __init__(self, plan: Plan, store: Store, client: Any, run: Run, tally: Tally, note: Note, request: Request):
        self.plan, self.store, self.client, self.run = plan, store, client, run
        self.tally, self.note, self.request = tally, note, request
        self.events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.waiting = list(range(len(plan.groups)))[::-1]
        self.running: dict[Any, int] = {}  # groups by Dask's futures
        self.begun: Counter[int] = Counter()  # how often a worker has begun with a group
        self.attempts: Counter[int] = Counter()
        keys = (plan.keys[trial] for group in plan.groups for trial in group)
        self.damaged = {key for key in keys if store.has(key)}  # which are there, but trained again
        self.failures: dict[str, str] = {}
        self.apart: set[int] = set()  # groups of workers that do not write to the store
        self.looked = float("-inf")  # when the size of the cluster was asked for
        self.seen = self.renewed = time.monotonic()  # when there were workers, and when the proof was written
        self.wanted, self.saved = 1, True

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
            if self.client.status == "running":  # a scheduler that is gone would be waited for
                self._leave()
        if self.request.asked:
            raise Interrupted if self.saved else Interrupted(_UNSAVED)
        return self.failures

    def _leave(self) -> None:
        """Take back what is not done; after an error: the workers are the user's, and go on with what was cancelled."""
        with suppress(Exception):  # of a cluster that is lost just now
            self.client.cancel(list(self.running))
            if self.running:
                self.client.run(worker.stop, self.run.token, wait=False)
            self.client.unsubscribe_topic(self.run.token)

    def _look(self) -> None:
        """Keep every worker busy, those that have come since among them; or let all of them stop."""
        if time.monotonic() - self.looked >= _TICK:
            self.looked = time.monotonic()
            self._renew()
            try:
                workers = size(self.client)
                self.wanted = max(1, _AHEAD * workers)
                if self.request.asked:  # again and again, as there may be new workers
                    self.client.cancel([future for future, number in self.running.items() if not self.begun[number]])
                    self.client.run(worker.stop, self.run.token, wait=False)
            except (OSError, CancelledError) as error:
                raise ClusterError(_LOST) from error
            self._mind(workers)
        while self.waiting and len(self.running) < self.wanted and not self.request.asked:
            self._submit(self.waiting.pop())

    def _renew(self) -> None:
        if self.looked - self.renewed >= _RENEWED:
            self.renewed = self.looked
            with suppress(OSError):
                atomic.write(self.run.proof, "")

    def _mind(self, workers: int) -> None:
        """Say once if there have been no workers for a while. Raises ClusterError if none can start again."""
        if workers:
            self.seen = self.looked
        elif has_ended(self.client):
            raise ClusterError(_ENDED)
        elif self.looked - self.seen >= _ALONE:
            self.seen = math.inf
            self.note(
                "the cluster has no workers, so that nothing is trained until there are some; they and the scheduler "
                "need the same versions of bnrenorm, Dask and Python as this machine"
            )

    def _submit(self, number: int) -> None:
        group = self.plan.groups[number]
        self.attempts[number] += 1
        task = Task(number, group, [self.plan.keys[trial] for trial in group])
        key = f"{self.run.token}-{number}-{self.attempts[number]}"
        future = self.client.submit(worker.train_group, self.run, task, key=key, pure=False)
        self._watch(future, number)

    def _take(self, event: Any) -> None:
        """React to a message of a worker, or to a future that is done."""
        if not isinstance(event, bytes):
            self._end(event, self.running.pop(event))
            return
        match pickle.loads(event):  # from our own workers
            case Begun(number, shares):
                self.begun[number] += 1
                (self.apart.discard if shares else self.apart.add)(number)
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
        failed = future.status == "error"
        try:
            stored = all(self.store.has(key) and key not in self.damaged for key in trial_of)
            if future.status != "finished" or not stored:
                for key, result in future.result(timeout=_ANSWER):
                    self.store.write(key, trial_of[key], self.run.checksum, result)
            self.tally.finish(number)
        except TimeoutError as error:
            if failed or error.errno is not None:
                raise  # of a disk behind a network, there or here: ours for an answer has no number
            self._watch(future, number)
        except (Interrupted, CancelledError) as error:
            if not self.request.asked:
                raise ClusterError(_LOST) from error
            self.saved &= number not in self.apart
        except KilledWorker:
            if self.begun[number] < DEATHS and self.attempts[number] < DEATHS:  # it may only have waited at a worker
                self.waiting.append(number)
                return
            self.failures |= dict.fromkeys(
                trial_of, f"{DEATHS} workers were lost with their group: killed, out of memory, or silent"
            )
            self.tally.finish(number)
        except (InputError, OSError, MemoryError):
            raise
        except Exception as error:
            if isinstance(error, RuntimeError) and not self.begun[number]:
                reason = str(error).partition(".")[0]
                raise ClusterError(
                    f"the scheduler cannot read what is to be trained ({reason}); it needs the same versions of "
                    "bnrenorm, Dask and Python as this machine"
                ) from error
            if self.client.cluster is not None:  # processes of this program, whose fault it is
                raise
            raise ClusterError(f"a worker failed, and its log says where: {one_line(error)}") from error

    def _watch(self, future: Any, number: int) -> None:
        self.running[future] = number
        future.add_done_callback(self.events.put)
