"""The worker processes of an entry: started, run at the same time, and terminated together."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.contenders import Entry
from benchmarks.jobs import Job

_ROOT = Path(__file__).parents[1]


class Absent(Exception):
    """An entry cannot be measured; the message says why."""


class Failed(Absent):
    """A worker failed; the message is its error."""


def cores() -> list[int]:
    """Return the numbers of the CPU cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


class Processes:
    """The running workers of an entry. `units`: units of work that all of them do together in one round."""

    def __init__(self, job: Job, entry: Entry, *options: str):
        self.name = entry.contender.name
        self.errors = tempfile.TemporaryFile("a+")  # noqa: SIM115 - closed in `end`
        self.workers = [self._start(job, entry, part, options) for part in range(entry.processes)]
        try:
            ready = [self._read(worker) for worker in self.workers]
            for answer in ready:
                if "missing" in answer:
                    raise Absent(answer["missing"])
        except BaseException:
            self.end()
            raise
        self.units = sum(answer["units"] for answer in ready)
        self.replicas: list[str] = [name for answer in ready for name in answer["replicas"]]

    def _start(self, job: Job, entry: Entry, part: int, options: tuple[str, ...]) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "benchmarks.worker", job.name, entry.contender.name, *options]
        command += ["--part", str(part), "--parts", str(entry.processes)]
        if entry.threads == 1:
            command += ["--core", str(cores()[part])]
        return subprocess.Popen(
            command,
            cwd=_ROOT,
            env={**os.environ, **_environment(entry)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def go(self, rounds: int) -> tuple[float, dict[str, list[float]]]:
        """Run a number of rounds; returns the slowest process's seconds and the last round's values per replica."""
        for worker in self.workers:
            assert worker.stdin is not None
            try:
                print(rounds, file=worker.stdin, flush=True)
            except BrokenPipeError:
                raise self._failure(worker) from None
        answers = [self._read(worker) for worker in self.workers]
        names = answers[0]["values"]
        values = {name: [value for answer in answers for value in answer["values"][name]] for name in names}
        return max(answer["seconds"] for answer in answers), values

    def _read(self, worker: subprocess.Popen[str]) -> dict[str, Any]:
        assert worker.stdout is not None
        line = worker.stdout.readline()
        if not line:
            raise self._failure(worker)
        return json.loads(line)

    def _failure(self, worker: subprocess.Popen[str]) -> Failed:
        worker.wait()
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines()
        return Failed(f"{self.name} has failed: {lines[-1] if lines else 'no message'}")

    def end(self) -> None:
        """Terminate all workers."""
        for worker in self.workers:
            worker.terminate()
            worker.communicate()
        self.errors.close()

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.end()


def _environment(entry: Entry) -> dict[str, str]:
    libraries = ("OMP", "OPENBLAS", "MKL", "NUMBA")
    settings = {f"{library}_NUM_THREADS": str(entry.threads) for library in libraries}
    settings |= {
        "JAX_PLATFORMS": "cpu",
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
    }  # otherwise its compiler processes keep running
    if entry.threads == 1:
        settings["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    if entry.contender.module.startswith("torch"):
        # glibc returns the memory of every large tensor to the system, and the next tensor causes page faults. These
        # settings prevent that and save 20 % of a full-batch step. Other systems ignore them.
        settings |= {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_TOP_PAD_": "268435456"}
    return settings
