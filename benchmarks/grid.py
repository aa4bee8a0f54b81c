"""What trials cost besides their training: python -m benchmarks.grid 1000 10000 100000.

Grids of so many trials are planned, scheduled, stored, read again, compared and drawn, as by `bnrenorm compare`. A
plugin of their config puts made-up records in the place of the training, in this process and in workers.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

_SEEDS = 10
_RECORDS = 5

PLUGIN = f"""
import random
import bnrenorm
from bnrenorm import environment
from bnrenorm.runs import group
from bnrenorm.training.records import CURVES, TrialResults

def train(self, trials, keys, show):
    made_by = environment.provenance("cpu", "cpu")
    for trial, key in zip(trials, keys):
        draw = random.Random(key).random
        records = {{name: [1.0 * i for i in range({_RECORDS})] for name in ("step", "epoch")}}
        records |= {{name: [draw() for _ in range({_RECORDS})] for name in CURVES[:4]}}
        self.store.write(key, trial, self.data.checksum, TrialResults("finished", 0.0, records, made_by))

group.GroupTrainer.train = train
bnrenorm.register_norm("nothing", lambda width: None)  # as every plugin must register something
"""

CONFIG = """
name: grid
plugins: [nothing.py]
model: {{hidden: [10]}}
variants: {{BN: {{norm: {{kind: batch}}}}, BRN: {{norm: {{kind: renorm, r_max: 3, d_max: 5}}}}}}
training: {{steps: 40, batch: 10}}
grid: {{training.optimizer.lr: [{rates}]}}
seeds: {seeds}
"""


def main(
    trials: Annotated[list[int], typer.Argument(help="Numbers of trials, multiples of 20.")],
    workers: Annotated[int, typer.Option(help="Workers of a Dask cluster; 0: one process.")] = 0,
    one: Annotated[bool, typer.Option("--one", hidden=True)] = False,
) -> None:
    """Print a table: seconds by stage, microseconds a trial, and the largest memory of the process."""
    if one:
        print(json.dumps(measure(trials[0], workers)))
        return
    table = Table(title=f"{workers} workers" if workers else "one process")
    rows: list[dict[str, float]] = []
    for count in trials:
        command = [sys.executable, "-m", "benchmarks.grid", str(count), "--workers", str(workers), "--one"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    for name in rows[0]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*(f"{value:,.3g}" if value < 1000 else f"{value:,.0f}" for value in row.values()))
    Console(width=160).print(table)


def measure(count: int, workers: int) -> dict[str, float]:
    """Run a grid of `count` trials in this process; return seconds by stage, and the peak of its memory in MiB."""
    from bnrenorm import api, config
    from bnrenorm.analysis import outputs
    from bnrenorm.analysis.report import write as report
    from bnrenorm.data import dataset
    from bnrenorm.engines.backend import Backend
    from bnrenorm.runs.cluster import Cluster
    from bnrenorm.runs.session import Session

    row: dict[str, float] = {"trials": count}

    @contextmanager
    def timed(stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        row[stage] = time.perf_counter() - started

    with tempfile.TemporaryDirectory() as folder:
        path, backend, memory = Path(folder, "grid.yaml"), Backend("cpu", "cpu"), max(1, workers) * 2**30
        rates = ", ".join(str(0.001 + i / 10**6) for i in range(count // (2 * _SEEDS)))
        path.write_text(CONFIG.format(rates=rates, seeds=_SEEDS))
        Path(folder, "nothing.py").write_text(PLUGIN)
        data, out = dataset.load(), Path(folder, "runs")
        options: Any = {"memory": memory, "load": lambda settings: data}
        with timed("load"):
            experiment = config.load(path)
        with timed("dry run"):
            Session(experiment, backend, out, **options).rehearse()
        started = time.perf_counter()
        cluster = Cluster(workers) if workers else None
        with Session(experiment, backend, out, cluster=cluster, **options).run() as outcome:
            results = api.results_of(outcome)
            row["train, read"] = time.perf_counter() - started
            with timed("tables"):
                outputs.write_tables(results)
            with timed("figures"):
                failures = outputs.write_figures(results)
            with timed("report"):
                failures += report.write(results)
        if failures or len(results.trials) != count:
            raise RuntimeError(f"{len(results.trials)} trials; {failures}")
        row["all"] = sum(seconds for stage, seconds in row.items() if stage not in ("trials",))
        with timed("again"), Session(experiment, backend, out, **options).run():
            pass
    row["µs a trial"] = row["all"] / count * 1e6
    row["MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return row


if __name__ == "__main__":
    typer.run(main)
