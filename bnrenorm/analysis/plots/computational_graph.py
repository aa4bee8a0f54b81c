"""Chainer's computational graphs, drawn: which operations a function consists of, forward and backward."""

from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer


def batch_normalisation(rows: int = 4, width: int = 3) -> tuple[Any, Any]:
    """Compute batch normalisation with Chainer's elementary operations; return y and the gradient of x, (rows, width).

    Both are Variables in float64, of random inputs and a random gradient of y. [BN15, Alg. 1]
    """
    random = np.random.default_rng(0)
    names = {"x": (rows, width), "gamma": (width,), "beta": (width,)}
    x, gamma, beta = (chainer.Variable(random.normal(size=shape), name=name) for name, shape in names.items())
    shape = x.shape
    centred = x - F.broadcast_to(F.mean(x, axis=0), shape)
    std = F.sqrt(F.mean(centred * centred, axis=0) + 1e-5)
    normalised = centred / F.broadcast_to(std, shape)
    y = F.broadcast_to(gamma, shape) * normalised + F.broadcast_to(beta, shape)
    y.name = "y"
    gy = chainer.Variable(random.normal(size=shape), name="gradient of y")
    (gx,) = chainer.grad([y], [x], [gy], enable_double_backprop=True)
    gx.name = "gradient of x"
    return y, gx


def draw(ax: Any, output: Any) -> Any:
    """Draw the graph that computes a Variable: inputs on top, each operation below its operands."""
    parents, labels = _walk(output)
    rank = dict.fromkeys(parents, 0)
    for _ in parents:  # longest path from an input, by relaxation
        rank = {node: max((rank[p] + 1 for p in parents[node]), default=0) for node in parents}
    levels = [[node for node in parents if rank[node] == level] for level in range(max(rank.values()) + 1)]
    x: dict[int, float] = {}
    for level in levels:
        centre = {node: float(np.mean([x[p] for p in parents[node]] or [0])) for node in level}
        for i, node in enumerate(sorted(level, key=lambda node: centre[node])):
            x[node] = 1.6 * (i - (len(level) - 1) / 2)
    for node, operands in parents.items():
        for parent in operands:
            ends = {"xy": (x[node], -rank[node] + 0.2), "xytext": (x[parent], -rank[parent] - 0.2)}
            bend = 0.3 if rank[node] - rank[parent] > 1 else 0.0  # avoid the nodes in between
            style = {"arrowstyle": "->", "color": "0.55", "linewidth": 0.9, "connectionstyle": f"arc3,rad={bend}"}
            ax.annotate("", **ends, arrowprops=style)
    for node, label in labels.items():
        face = "white" if parents[node] else "#cfe8f7"
        box = {"boxstyle": "round", "facecolor": face, "edgecolor": "0.3"}
        ax.text(x[node], -rank[node], label, ha="center", va="center", fontsize=9, bbox=box)
    half_width = max(map(abs, x.values())) + 1
    ax.set(xlim=(-half_width, half_width), ylim=(-len(levels) + 0.4, 0.6))
    ax.axis("off")
    return ax


def _walk(output: Any) -> tuple[dict[int, list[int]], dict[int, str]]:
    """Return the operands and the label of every operation and input of a graph, by node id."""
    parents: dict[int, list[int]] = {}
    labels: dict[int, str] = {}
    nodes = []  # keeps the nodes alive: an id is reused once its object is gone

    def add(variable: Any) -> int:
        node = variable.creator_node or variable
        if id(node) not in parents:
            nodes.append(node)
            parents[id(node)] = []
            labels[id(node)] = (variable.name or "") if node is variable else _operation_name(node.label)
            if node is not variable:
                parents[id(node)] = list(dict.fromkeys(add(operand) for operand in node.inputs))
        return id(node)

    add(output.node)
    return parents, labels


def _operation_name(label: str) -> str:
    """Translate Chainer's label of an operation into words."""
    words = {"BroadcastTo": "broadcast", "SumTo": "sum", "__neg__": "negative", "MultiAdd": "sum", "Mean": "mean"}
    words |= {"_ * _": "times", "_ / _": "divided by", "_ + _": "plus", "_ - _": "minus"}
    return words.get(label) or label.replace("_ * ", "times ").replace("_ + ", "plus ")
