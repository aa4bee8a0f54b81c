import os
import pickle
import signal
import subprocess
import sys
import threading

import pytest

from bnrenorm.runs.interrupt import SIGNALS, Interrupted, handled_by, requests


@pytest.fixture
def process_of_ours():
    """Signals as the command line has them, in whose process a batch system's notices are answered, too."""
    with handled_by(lambda number, frame: None, notices=True):
        yield


def handlers():
    return [signal.getsignal(number) for number in SIGNALS]


@pytest.mark.usefixtures("process_of_ours")
@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks_and_a_ctrl_c_after_it_interrupts(number):
    with requests() as request:
        assert not request.asked
        os.kill(os.getpid(), number)
        assert request.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("process_of_ours")
@pytest.mark.parametrize("number", set(SIGNALS) - {signal.SIGINT})
def test_a_signal_that_comes_twice_asks_once(number):
    """As SIGTERM from `timeout`, which sends it to the command and to its group."""
    with requests() as request:
        for _ in range(3):
            os.kill(os.getpid(), number)
        assert request.asked


def test_signals_mean_what_they_did_before_once_the_context_is_left():
    before = handlers()
    with requests():
        assert handlers() != before
    assert handlers() == before
    with pytest.raises(RuntimeError, match="oops"), requests():
        raise RuntimeError("oops")
    assert handlers() == before


def test_a_request_is_of_one_context_alone():
    with requests() as first:
        os.kill(os.getpid(), signal.SIGINT)
    with requests() as second:
        assert first.asked
        assert not second.asked


def test_a_signal_that_is_ignored_stays_ignored():
    """As nohup has it: the command survives its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with requests() as request:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not request.asked
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_changes_no_handler():
    before, seen = handlers(), []

    def work():
        with requests() as request:
            seen.append((handlers(), request.asked))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(before, False)]


def test_what_a_worker_raises_says_the_same_here():
    """An exception that comes back from a worker has been pickled."""
    error = pickle.loads(pickle.dumps(Interrupted("most is saved")))
    assert (str(error), error.saved) == ("most is saved; run the same again, and it goes on from here", "most is saved")


def test_a_terminal_that_is_closed_and_the_notices_of_batch_systems_are_signals_too():
    closed, notices = {signal.SIGHUP}, {signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU}
    assert {signal.SIGINT, signal.SIGTERM} | closed | notices == set(SIGNALS)


def test_another_programs_notices_are_its_own():
    """As of a launcher that puts the job into the queue again, or a handler that Python does not know."""
    code = """if True:
        import faulthandler, os, signal, sys
        from bnrenorm.runs.interrupt import handled_by, requests
        faulthandler.register(signal.SIGUSR1, sys.stdout)
        signal.signal(signal.SIGUSR2, lambda *_: print("answered", flush=True))
        with requests() as request, handled_by(lambda *_: print("taken"), notices=False):
            os.kill(os.getpid(), signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGUSR1)
        print(request.asked, flush=True)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.count("most recent call first") == 2
    assert "answered\n" in done.stdout
    assert done.stdout.endswith("False\n")


def test_a_notice_that_a_process_of_ours_was_told_to_ignore_stays_ignored():
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        with handled_by(lambda number, frame: None, notices=True), requests() as request:
            os.kill(os.getpid(), signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGUSR2)
            assert request.asked
        assert signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGUSR1, before)
