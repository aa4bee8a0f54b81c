"""A Dask cluster that trains: processes of this machine, or any others."""

import asyncio
import importlib
import logging
import multiprocessing
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from bnrenorm import _compat
from bnrenorm.errors import InputError
from bnrenorm.runs.interrupt import SIGNALS, Interrupted, requests

DEATHS = 3
"""Workers that a group may take with it before it is given up."""

_TIMEOUT = 20  # seconds in which a scheduler must answer
_SETTINGS = {
    "distributed.scheduler.allowed-failures": DEATHS - 1,
    "distributed.scheduler.worker-ttl": "30 s",  # a worker that is silent for so long is lost
    "distributed.deploy.lost-worker-timeout": "1000 days",  # after which one that starts again would be ended for good
    # One thread for each worker. Dask's own list also makes memory be returned at once, which costs page faults.
    "distributed.nanny.pre-spawn-environ": {f"{name}_NUM_THREADS": 1 for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")},
    "distributed.admin.large-graph-warning-threshold": "1 GiB",
}


@dataclass(frozen=True)
class Cluster:
    """Where groups are trained: by `workers` processes of this machine, or those of the scheduler at `address`."""

    workers: int = 0
    address: str = ""


def chosen(workers: int | None, dask: str | None) -> Cluster | None:
    """Return where to train, None for this process. Raises InputError for both, for no workers, or for no address."""
    if workers is not None and dask is not None:
        raise InputError(f"--workers {workers}: the workers of --dask {dask} train; leave out one of the two")
    if workers is not None and workers < 1:
        raise InputError(f"--workers {workers}: expected 1 or more")
    if dask is not None and not dask.strip():
        raise InputError("--dask is empty, expected the address of a scheduler, such as tcp://scheduler:8786")
    return None if workers is None and dask is None else Cluster(workers or 0, dask or "")


def processes(cluster: Cluster | None) -> int:
    """Return how many processes of this machine train, or count as one."""
    return max(1, cluster.workers) if cluster else 1


@contextmanager
def connected(cluster: Cluster) -> Iterator[Any]:
    """Yield Dask's client of a cluster; a cluster of this machine ends with it.

    Raises InputError if Dask is not installed, if no scheduler answers, or if no processes start; Interrupted after a
    signal while they start.
    """
    distributed, config = _dask()
    with _silent(), config.set(_SETTINGS):
        if cluster.address:
            try:
                _ask(distributed, cluster.address)
                client = distributed.Client(cluster.address, timeout=_TIMEOUT, set_as_default=False)
            except (OSError, ValueError, TypeError) as error:
                reason = str(error) or "what answers is no scheduler of Dask's"
                raise InputError(f"--dask {cluster.address}: no scheduler answers there: {reason}") from error
            with _left(client):
                yield client
            return
        try:
            with requests() as request, _deaf_children():
                processes = distributed.LocalCluster(
                    n_workers=cluster.workers,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    memory_limit=0,
                    silence_logs=logging.CRITICAL,
                )
        except RuntimeError as error:
            raise InputError(
                f"--workers {cluster.workers}: they did not start ({error}); a script must call bnrenorm.run below "
                '`if __name__ == "__main__":`, because workers import it; else open files or processes may be limited'
            ) from error
        with _left(processes), _left(distributed.Client(processes, set_as_default=False)) as client:
            if request.asked:
                raise Interrupted
            yield client


@contextmanager
def _left(connection: Any) -> Iterator[Any]:
    """Yield a client or a cluster of Dask's, and close it. What that raises is left out: a scheduler may be gone."""
    try:
        yield connection
    finally:
        with suppress(Exception):
            connection.close()


def _ask(distributed: Any, address: str) -> None:
    """Exchange greetings with a scheduler: a client waits without an end for those of a web server.

    A client that was not connected would be waited for at the program's end, too. Raises OSError, ValueError or
    TypeError if there is no scheduler.
    """

    async def ask() -> None:
        how = distributed.Security().get_connection_args("client")
        asked = distributed.comm.connect(address, timeout=_TIMEOUT, **how)
        (await asyncio.wait_for(asked, _TIMEOUT + 1)).abort()

    with ThreadPoolExecutor(1) as threads:  # in a notebook this thread has an event loop already
        threads.submit(asyncio.run, ask()).result()


@contextmanager
def _silent() -> Iterator[None]:
    """Context in which Dask logs nothing: what goes wrong is said here, once."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]
    levels = {logger: logger.level for logger in map(logging.getLogger, names)}
    for logger in levels:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


def _dask() -> tuple[Any, Any]:
    """Return the modules distributed and dask.config. Raises InputError if Dask is not installed."""
    try:
        return importlib.import_module("distributed"), importlib.import_module("dask.config")
    except ImportError as error:
        raise InputError(f"--workers and --dask need Dask: pip install distributed ({error})") from error


def count(cluster: Cluster | None, device: str) -> tuple[int, int, int]:
    """Return how many workers there are, on how many machines or GPUs, and how many share the memory of one.

    At least one of each, as in this process (None); each worker of a user's own cluster counts as a machine. Raises
    InputError as `connected`.
    """
    if cluster is None:
        return 1, 1, 1
    if cluster.address:
        with connected(cluster) as client:
            workers = max(1, size(client))  # others may come later
        return workers, workers, 1
    _dask()  # before anything is compiled or trained
    gpus = 1 if device == "cpu" else _compat.gpu_count()
    return cluster.workers, min(cluster.workers, gpus), -(-cluster.workers // gpus)


def size(client: Any) -> int:
    """Return how many workers a client's cluster has now."""
    return len(client.nthreads())


def has_ended(client: Any) -> bool:
    """Tell whether none of the workers that this program started will start again; never of a user's own cluster."""
    from distributed import Status

    started = client.cluster
    return started is not None and all(nanny.status == Status.closed for nanny in started.workers.values())


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Context in which threads are started whose child processes hear none of the user's signals.

    A terminal and a batch system send them to all processes, but this one stops the others, once they have saved what
    they train. Signals that come meanwhile are heard afterwards, or by another thread.
    """
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    multiprocessing.get_context("spawn").Lock()  # starts a helper of Python's, once, which unblocks some of them
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
