"""bnrenorm's engines, run by its own training loop."""

from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.jobs import Job, Kind, Replica
from benchmarks.peers import Run, Values
from bnrenorm import config
from bnrenorm.config import Trial
from bnrenorm.data.dataset import Dataset
from bnrenorm.network import mlp
from bnrenorm.training import loop

_FOR_EVER = 1_000_000  # steps


def prepare(job: Job, replicas: list[Replica], engine: str = "cpu", device: str = "cpu") -> Run:
    """Stack the job's replicas by structure, as `bnrenorm compare` does, and train one stack after another."""
    images = data.dataset()
    trials = _trials(job, len(images.x_train))
    assert [(trial.variant, trial.seed) for trial in trials] == [(r.kind.name, r.seed) for r in replicas]
    stacks: dict[Any, list[int]] = {}
    for index, trial in enumerate(trials):
        stacks.setdefault(mlp.structure(trial), []).append(index)
    runs = [_Stack(job, [trials[index] for index in indices], images, engine, device) for indices in stacks.values()]

    def run() -> Values:
        values: Values = {}
        for indices, stack in zip(stacks.values(), runs, strict=True):
            for name, means in stack.round().items():
                values.setdefault(name, np.zeros(len(replicas)))[indices] = means
        return values

    return run


def _trials(job: Job, images: int) -> list[Trial]:
    optimizer = {"kind": "momentum_sgd", "momentum": job.momentum} if job.momentum else {"kind": "sgd"}
    values = {
        "name": job.name,
        "model.hidden": list(job.widths[1:-1]),
        "model.order": "linear-norm-activation" if job.norm_first else "linear-activation-norm",
        "variants": {kind.name: {"norm": _norm(job, kind)} for kind in job.kinds},
        "training": {"batch": "full" if job.full else job.batch, "steps": _FOR_EVER, "optimizer": optimizer},
        "evaluation.every": job.round,
        "grid": {"training.optimizer.lr": list(job.rates)},
        "seeds": list(job.seeds),
    }
    return config.load("article", values=values).trials(images)


def _norm(job: Job, kind: Kind) -> dict[str, Any]:
    if kind.norm == "none":
        return {"kind": "none"}
    settings = {"kind": kind.norm, "affine": kind.affine, "decay": job.decay}
    return settings | ({"r_max": kind.r_max, "d_max": kind.d_max} if kind.norm == "renorm" else {})


class _Stack:
    """A training of replicas of one structure, from the initial weights shared by all contenders."""

    def __init__(self, job: Job, trials: list[Trial], images: Dataset, engine: str, device: str):
        self.job = job
        network = mlp.build(trials, images.inputs)
        for layer, linear in enumerate(network.linears):
            linear.W.array[...] = [data.weights(job, layer, trial.seed) for trial in trials]
        self.training = loop.Training(trials, images, engine=engine, device=device, network=network)
        inputs = self.training.engine.inputs
        if "train_set" in job.eval_sets:
            inputs.eval_sets["train_set"] = inputs.images, inputs.labels
        if job.eval_share > 1:
            for name, (x, t) in inputs.eval_sets.items():
                count = len(x) // job.eval_share
                inputs.eval_sets[name] = x[:count], t[:count]
        self.records = iter(self.training)

    def round(self) -> Values:
        """Train until the next record, or for a round's steps if the job has no evaluation."""
        if self.job.eval_sets:
            return next(record for record in self.records if record is not None).values
        self.training.engine.replicas.training_means()
        self.training.rehearse(steps=self.job.round, record=False)
        return {"train_loss": self.training.engine.replicas.training_means()[0]}
