"""JAX: a whole round compiled, with donated state, for one network or a vmapped stack. BN instead of BRN."""
# pyright: reportMissingImports=false
# (JAX is the optional extra `bench`.)

import itertools
from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.jobs import Job, Replica
from benchmarks.peers import Run, Values
from benchmarks.peers.jax_network import Tree, apply, initial, jax, jnp, loss_and_accuracy, written_out


def prepare(job: Job, replicas: list[Replica]) -> Run:
    """Train one network, or several in a stack."""
    network = _Stack(job, replicas)
    return _full_batch(network) if job.full else _batches(job, replicas, network)


class _Stack:
    """The loss and the training step of R replicas, to be compiled.

    The loss is multiplied by the learning rates: its gradient, and thereby the velocity, is linear in them.
    """

    def __init__(self, job: Job, replicas: list[Replica]):
        self.job, self.alone = job, len(replicas) == 1
        self.shared = len({replica.seed for replica in replicas}) == 1
        self.rates = np.array([replica.rate for replica in replicas], np.float32)
        parameters, running = initial(job, replicas)
        self.state = parameters, jax.tree.map(jnp.zeros_like, parameters) if job.momentum else (), running

    def evaluate(self, parameters: Tree, running: Tree, x: Any, t: Any, *, training: bool) -> tuple[Any, Any, Tree]:
        """Return mean loss and accuracy (R,) and new running statistics; x is (R, N, 784), or (N, 784) if shared."""

        def of_one(layers: Tree, running: Tree, x: Any, t: Any) -> tuple[Any, Any, Tree]:
            logits, moved = apply(self.job, layers, running, x, training=training)
            return *loss_and_accuracy(logits, t), moved

        layers = written_out(parameters)
        if self.alone:
            layers, running = jax.tree.map(lambda array: array[0], (layers, running))
            results = of_one(layers, running, x, t)
            return jax.tree.map(lambda array: array[None], results)
        batch = None if x.ndim == 2 else 0
        return jax.vmap(of_one, in_axes=(0, 0, batch, batch))(layers, running, x, t)

    def learn(self, state: Tree, x: Any, t: Any) -> tuple[Tree, Any]:
        """Take a step; returns the new state, and loss and accuracy before the step, (R,) each."""
        parameters, velocity, running = state

        def total(parameters: Tree) -> tuple[Any, Any]:
            loss, right, moved = self.evaluate(parameters, running, x, t, training=True)
            return (loss * self.rates).sum(), (loss, right, moved)

        gradient, (loss, right, running) = jax.grad(total, has_aux=True)(parameters)
        step = jax.tree.map(jnp.negative, gradient)
        if self.job.momentum:
            step = velocity = jax.tree.map(lambda v, by: self.job.momentum * v + by, velocity, step)
        return (jax.tree.map(jnp.add, parameters, step), velocity, running), (loss, right)


@cache
def _digits(name: str) -> tuple[Any, Any]:
    images, labels = data.images(name)
    return jnp.asarray(images), jnp.asarray(labels, jnp.int32)


@cache
def _blocks(job: Job, name: str) -> list[tuple[Any, Any]]:
    return [(jnp.asarray(x), jnp.asarray(t, jnp.int32)) for x, t in data.blocks(job, name)]


def _full_batch(network: _Stack) -> Run:
    @partial(jax.jit, donate_argnums=0)
    def step(state: Tree, x: Any, t: Any, x_test: Any, t_test: Any) -> tuple[Tree, Any]:
        state, train = network.learn(state, x, t)
        parameters, _, running = state
        return state, (*train, *network.evaluate(parameters, running, x_test, t_test, training=False)[:2])

    def run() -> Values:
        network.state, values = step(network.state, *_digits("train_set"), *_digits("test"))
        names = "train_loss", "train_accuracy", "test_loss", "test_accuracy"
        return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}

    return run


def _batches(job: Job, replicas: list[Replica], network: _Stack) -> Run:
    seeds = replicas[:1] if network.shared else replicas
    drawn = np.stack([data.batches(job, replica.seed) for replica in seeds], axis=1).astype(np.int32)  # (S, R or 1, N)
    drawn = drawn[:, 0] if network.shared else drawn
    starts = itertools.count(0, job.round)

    @partial(jax.jit, donate_argnums=0)
    def steps(state: Tree, images: Any, labels: Any, indices: Any) -> tuple[Tree, Any]:
        def body(state: Tree, batch: Any) -> tuple[Tree, Any]:
            state, (loss, _) = network.learn(state, images[batch], labels[batch])
            return state, loss

        state, losses = jax.lax.scan(body, state, indices)
        return state, losses.mean(0)

    @jax.jit
    def evaluate(parameters: Tree, running: Tree, x: Any, t: Any) -> tuple[Any, Any]:
        return network.evaluate(parameters, running, x, t, training=False)[:2]

    def run() -> Values:
        indices = drawn[(next(starts) + np.arange(job.round)) % len(drawn)]
        network.state, loss = steps(network.state, *_digits("train_set"), indices)
        values = {"train_loss": loss}
        parameters, _, running = network.state
        for name in job.eval_sets:
            results = [evaluate(parameters, running, x, t) for x, t in _blocks(job, name)]
            losses, accuracies = zip(*results, strict=True)
            values |= {f"{name}_loss": jnp.stack(losses).mean(0), f"{name}_accuracy": jnp.stack(accuracies).mean(0)}
        return {name: np.asarray(value) for name, value in values.items()}

    return run
