"""One process of a contender: python -m benchmarks.worker JOB CONTENDER. Reads numbers of rounds, one per line.

It answers with lines of JSON on stdout: first {"units": per round, "replicas": names} or {"missing": reason}, then for
each number of rounds the seconds and the values of the last round. It exits at the end of stdin.
"""

import argparse
import dataclasses
import gc
import importlib
import json
import os
import sys
import time
from typing import IO, Any

import numpy as np


def main() -> None:
    """Serve requests until stdin ends."""
    arguments = _arguments()
    if arguments.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {arguments.core})  # before any library counts the cores
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # output of libraries goes to stderr, not among the answers
        _serve(arguments, answers)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job")
    parser.add_argument("contender")
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--core", type=int)
    parser.add_argument("--most", type=int, help="maximal number of steps per round")
    parser.add_argument("--every", action="store_true", help="train every replica, one by one")
    return parser.parse_args()


def _serve(arguments: argparse.Namespace, answers: IO[str]) -> None:
    from benchmarks import data, scaling
    from benchmarks.contenders import CONTENDERS
    from benchmarks.jobs import JOBS
    from benchmarks.peers import Missing

    def answer(**content: Any) -> None:
        print(json.dumps(content), file=answers, flush=True)

    job, contender = (JOBS | scaling.JOBS)[arguments.job], CONTENDERS[arguments.contender]
    job = dataclasses.replace(job, round=min(job.round, arguments.most or job.round))
    data.choose(job.images)
    groups = contender.groups(job, arguments.part, arguments.parts, every=arguments.every)
    try:
        module = importlib.import_module(f"benchmarks.peers.{contender.module}")
        runs = [getattr(module, contender.function)(job, group) for group in groups]
    except Missing as error:
        return answer(missing=str(error))
    replicas = [str(replica) for group in groups for replica in group]
    answer(units=len(replicas) * job.round / job.unit_steps, replicas=replicas)
    for line in sys.stdin:
        gc.collect()
        started = time.perf_counter()
        for _ in range(int(line)):
            results = [run() for run in runs]
        seconds = time.perf_counter() - started
        values = {name: np.concatenate([values[name] for values in results]).tolist() for name in results[0]}
        answer(seconds=seconds, values=values)
    return None


if __name__ == "__main__":
    main()
