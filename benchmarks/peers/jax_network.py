"""The network of one replica as pure functions in JAX, and the parameters of R replicas."""
# pyright: reportMissingImports=false
# (JAX is the optional extra `bench`.)

from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.jobs import Job, Replica
from benchmarks.peers import Missing

try:
    import jax
    import jax.numpy as jnp
except ImportError as error:
    raise Missing("JAX is not installed") from error

Tree = Any

_EPS = 2e-5
_FIRST = {"gamma": 1.0, "beta": 0.0}


def initial(job: Job, replicas: list[Replica]) -> tuple[Tree, Tree]:
    """Return parameters and running statistics of all layers, with a leading replica axis.

    W (R, D, K) and b (R, K). gamma and beta are in two arrays, (R', 1) for replicas with one per layer and (R'', K) for
    those with one per node. Replicas are sorted by affine: none, layer, node.
    """
    kinds = [replica.kind.affine for replica in replicas]
    assert kinds == sorted(kinds, key=("none", "layer", "node").index)
    layers, running = [], []
    for depth, width in enumerate(job.widths[1:]):
        drawn = np.stack([data.weights(job, depth, replica.seed).T for replica in replicas])
        layer: Tree = {"W": jnp.asarray(drawn), "b": jnp.zeros((len(replicas), width))}
        if depth < len(job.widths) - 2 and replicas[0].kind.norm != "none":
            shapes = {"layer": (kinds.count("layer"), 1), "node": (kinds.count("node"), width)}
            layer |= {
                name: {part: jnp.full(shape, first) for part, shape in shapes.items()} for name, first in _FIRST.items()
            }
            running.append({"mean": jnp.zeros((len(replicas), width)), "var": jnp.ones((len(replicas), width))})
        layers.append(layer)
    return layers, running


def written_out(parameters: Tree) -> Tree:
    """Return the parameters with gamma and beta expanded to (R, K)."""

    def spread(layer: Tree, name: str) -> Any:
        shape, parts = layer["b"].shape, layer[name]
        of_layer = jnp.broadcast_to(parts["layer"], (len(parts["layer"]), shape[1]))
        fixed = jnp.full((shape[0] - len(of_layer) - len(parts["node"]), shape[1]), _FIRST[name])
        return jnp.concatenate([fixed, of_layer, parts["node"]])

    return [layer | {name: spread(layer, name) for name in _FIRST if name in layer} for layer in parameters]


def apply(job: Job, layers: Tree, running: Tree, x: Any, *, training: bool) -> tuple[Any, Tree]:
    """Map one replica's images (N, 784) to logits (N, 10); also returns its new running statistics."""
    *hidden, last = layers
    moved = []
    for depth, layer in enumerate(hidden):
        x = x @ layer["W"] + layer["b"]
        x = x if job.norm_first else jax.nn.relu(x)
        if running:
            normalise = _by_batch if training else _by_average
            x, statistics = normalise(layer, running[depth], x, job.decay)
            moved.append(statistics)
        x = jax.nn.relu(x) if job.norm_first else x
    return x @ last["W"] + last["b"], moved


def _by_batch(layer: Tree, running: Tree, x: Any, decay: float) -> tuple[Any, Tree]:
    n = len(x)
    mean = x.mean(0)
    centred = x - mean
    var = jnp.square(centred).mean(0)
    batch = jax.lax.stop_gradient({"mean": mean, "var": var * (n / (n - 1))})
    moved = jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, running, batch)
    return centred * (layer["gamma"] * jax.lax.rsqrt(var + _EPS)) + layer["beta"], moved


def _by_average(layer: Tree, running: Tree, x: Any, _: float) -> tuple[Any, Tree]:
    scale = layer["gamma"] * jax.lax.rsqrt(running["var"] + _EPS)
    return (x - running["mean"]) * scale + layer["beta"], running


def loss_and_accuracy(logits: Any, t: Any) -> tuple[Any, Any]:
    """Return mean cross entropy and accuracy: logits (N, 10), labels t (N,)."""
    hot = jax.nn.one_hot(t, logits.shape[-1])  # indexing the logits instead has a slow gradient, a scatter
    return -(jax.nn.log_softmax(logits) * hot).sum(-1).mean(), (logits.argmax(-1) == t).mean()
