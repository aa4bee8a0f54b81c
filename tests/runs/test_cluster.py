"""How a cluster is found; what it trains is in test_course."""

import importlib
import logging
import signal
import socket
import sys

import pytest

from bnrenorm import _compat
from bnrenorm.errors import InputError
from bnrenorm.runs import cluster
from bnrenorm.runs.cluster import Cluster
from bnrenorm.runs.interrupt import Interrupted

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


def test_workers_of_this_machine_are_counted_without_starting_them():
    assert cluster.count(Cluster(workers=5)) == 5


@pytest.mark.parametrize(
    ("chosen", "device", "gpus", "expected"),
    [
        (Cluster(workers=4), "cpu", 0, 4),
        (Cluster(workers=4), "cuda:0", 4, 1),
        (Cluster(workers=4), "cuda:0", 3, 2),
        (Cluster(workers=1), "cuda:0", 8, 1),
        (Cluster(address="tcp://a:1"), "cpu", 0, 1),
    ],
)
def test_workers_share_the_memory_of_the_machine_or_of_their_gpu(monkeypatch, chosen, device, gpus, expected):
    monkeypatch.setattr(_compat, "gpu_count", lambda: gpus)
    assert cluster.sharing(chosen, device) == expected


def test_no_scheduler_is_an_input_error(monkeypatch):
    monkeypatch.setattr(cluster, "_TIMEOUT", 0.5)
    with pytest.raises(InputError, match="--dask tcp://127.0.0.1:1: no scheduler answers there"):
        cluster.count(Cluster(address="tcp://127.0.0.1:1"))


def test_a_web_server_is_no_scheduler(monkeypatch):
    """As the dashboard is, whose address is easily taken for the scheduler's: a client would wait without an end."""
    monkeypatch.setattr(cluster, "_TIMEOUT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(InputError, match=f"--dask {address}: no scheduler answers there: "):
            cluster.count(Cluster(address=address))


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
    before = log.level
    with pytest.raises(Interrupted), cluster.connected(Cluster(2)):
        pytest.fail("nothing is trained")
    assert [processes.closed for processes in made] == [True, True]
    assert log.level == before


def test_without_dask_what_to_install_is_named_before_anything_is_trained(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match="pip install distributed"), cluster.connected(Cluster(2)):
        pass
    with pytest.raises(InputError, match="pip install distributed"):
        cluster.count(Cluster(2))
