"""How a cluster is found; what it trains is in test_course."""

import importlib
import logging
import os
import signal
import socket
import sys
import time
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from bnrenorm import _compat
from bnrenorm.errors import InputError
from bnrenorm.runs import cluster
from bnrenorm.runs.cluster import Cluster
from bnrenorm.runs.interrupt import Interrupted
from tests.helpers import fresh

pytest.importorskip("distributed", reason="Dask is the extra `cluster`")


@pytest.mark.parametrize(
    ("workers", "dask", "expected"),
    [
        (None, None, None),
        (3, None, Cluster(workers=3)),
        (None, "tcp://a:1", Cluster(address="tcp://a:1")),
    ],
)
def test_without_either_this_process_trains(workers, dask, expected):
    assert cluster.chosen(workers, dask) == expected


@pytest.mark.parametrize(
    ("workers", "dask", "said"),
    [
        (2, "tcp://a:1", "--workers 2: the workers of --dask tcp://a:1 train; leave out one of the two"),
        (0, None, "--workers 0: expected 1 or more"),
        (None, " ", "--dask is empty, expected the address of a scheduler, such as tcp://scheduler:8786"),
    ],
)
def test_a_choice_of_both_of_no_workers_or_of_no_address_is_refused(workers, dask, said):
    with pytest.raises(InputError) as error:
        cluster.chosen(workers, dask)
    assert str(error.value) == said


@pytest.mark.parametrize(
    ("workers", "device", "gpus", "expected"),
    [
        (4, "cpu", 0, (4, 1, 4)),
        (4, "cuda:0", 4, (4, 4, 1)),
        (4, "cuda:0", 3, (4, 3, 2)),
        (2, "cuda:0", 3, (2, 2, 1)),
        (1, "cuda:0", 8, (1, 1, 1)),
    ],
)
def test_workers_of_this_machine_are_counted_without_starting_them(monkeypatch, workers, device, gpus, expected):
    """How many there are, on how many GPUs, and how many share the memory of the machine or of their GPU."""
    monkeypatch.setattr(_compat, "gpu_count", lambda: gpus)
    assert cluster.count(Cluster(workers), device) == expected


def test_this_process_is_one_worker():
    assert cluster.count(None, "cpu") == cluster.count(None, "cuda:0") == (1, 1, 1)


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_each_worker_of_a_users_own_cluster_counts_as_a_machine(monkeypatch, device):
    monkeypatch.setattr(cluster, "connected", lambda chosen: nullcontext())
    monkeypatch.setattr(cluster, "size", lambda client: 7)
    assert cluster.count(Cluster(address="tcp://a:1"), device) == (7, 7, 1)


def test_no_scheduler_is_an_input_error(monkeypatch):
    monkeypatch.setattr(cluster, "_TIMEOUT", 0.5)
    with pytest.raises(InputError, match="--dask tcp://127.0.0.1:1: no scheduler answers there"):
        cluster.count(Cluster(address="tcp://127.0.0.1:1"), "cpu")


def test_a_web_server_is_no_scheduler(monkeypatch):
    """As the dashboard is, whose address is easily taken for the scheduler's: a client would wait without an end."""
    monkeypatch.setattr(cluster, "_TIMEOUT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(InputError, match=f"--dask {address}: no scheduler answers there: "):
            cluster.count(Cluster(address=address), "cpu")


class Processes:
    """Stands for Dask's cluster of this machine, and for its client, which do not end well."""

    def __init__(self, *_, **how):
        self.closed = False
        made.append(self)
        if "n_workers" in how:
            signal.raise_signal(signal.SIGTERM)

    def close(self):
        self.closed = True
        raise AssertionError  # as a client does that looks for a scheduler meanwhile


made: list[Processes] = []


def test_a_signal_while_workers_start_is_heard_once_they_have_and_ends_them(monkeypatch):
    distributed = importlib.import_module("distributed")
    monkeypatch.setattr(distributed, "LocalCluster", Processes)
    monkeypatch.setattr(distributed, "Client", Processes)
    log = logging.getLogger("distributed.worker")
    monkeypatch.setattr(log, "level", logging.INFO)
    with pytest.raises(Interrupted), cluster.connected(Cluster(2)):
        pytest.fail("nothing is trained")
    assert [processes.closed for processes in made] == [True, True]
    assert log.level == logging.INFO


def test_without_dask_what_to_install_is_named_before_anything_is_trained(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match="pip install distributed"), cluster.connected(Cluster(2)):
        pass
    with pytest.raises(InputError, match="pip install distributed"):
        cluster.count(Cluster(2), "cpu")


class Started:
    """Stands for Dask's cluster of this machine, or for its client, and keeps how it was started."""

    def __init__(self, *what, **how):
        self.what, self.how = what, how
        self.failures = importlib.import_module("dask.config").get("distributed.scheduler.allowed-failures")

    def nthreads(self):
        return {}

    def close(self):
        pass


def test_workers_of_this_machine_listen_to_it_alone_and_are_not_ended_for_the_memory_they_take(monkeypatch):
    """Dask's own limit would end a worker that takes what --memory allows; a group is given up after `DEATHS`."""
    distributed = importlib.import_module("distributed")
    monkeypatch.setattr(distributed, "LocalCluster", Started)
    monkeypatch.setattr(distributed, "Client", Started)
    with cluster.connected(Cluster(2)) as client:
        (processes,) = client.what
        assert not client.how["set_as_default"], "a notebook may have a client of its own"
    assert (processes.how["n_workers"], processes.how["threads_per_worker"]) == (2, 1)
    assert (processes.how["host"], processes.how["dashboard_address"]) == ("127.0.0.1", "127.0.0.1:0")
    assert processes.how["memory_limit"] == 0
    assert processes.failures == cluster.DEATHS - 1


def test_a_cluster_of_the_users_does_not_become_the_client_of_a_notebook(monkeypatch):
    distributed = importlib.import_module("distributed")
    monkeypatch.setattr(distributed, "Client", Started)
    monkeypatch.setattr(cluster, "_ask", lambda *_: None)
    with cluster.connected(Cluster(address="tcp://a:1")) as client:
        assert client.what == ("tcp://a:1",)
        assert not client.how["set_as_default"]
    assert cluster.count(Cluster(address="tcp://a:1"), "cpu") == (1, 1, 1), "its workers may come later"


@pytest.mark.slow
def test_a_worker_that_is_lost_is_started_again_however_long_that_takes():
    """Dask ends one for good that is not back after 15 seconds, which a slow disk takes: here, none has any."""
    settings = importlib.import_module("dask.config")
    with settings.set({"distributed.deploy.lost-worker-timeout": "0 s"}), cluster.connected(Cluster(1)) as client:
        (lost,) = client.run(os.getpid).values()
        os.kill(lost, signal.SIGKILL)
        end = time.monotonic() + 60
        while lost in (pids := client.run(os.getpid, on_error="ignore").values()) or not pids:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert not cluster.has_ended(client)
        for nanny in client.cluster.workers.values():
            client.cluster.sync(nanny.close)
        assert cluster.has_ended(client)
    assert not cluster.has_ended(SimpleNamespace(cluster=None)), "workers of a cluster of the user's may come later"


def test_workers_that_are_started_hear_no_signal_of_the_users():
    """Also where Python starts a helper first, once in a process, which unblocks some of them."""
    blocked = """
import signal
from bnrenorm.runs import cluster
with cluster._deaf_children():
    print(set(cluster.SIGNALS) <= signal.pthread_sigmask(signal.SIG_BLOCK, []))
print(set(cluster.SIGNALS) & signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""
    assert fresh(blocked).split("\n")[:2] == ["True", "set()"]
