"""Chainer's computational graphs as pictures: what a function does, forward and backward, operation by operation."""

from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer


def batch_normalisation(rows: int = 4, width: int = 3) -> tuple[Any, Any]:
    """Write batch normalisation out in Chainer's elementary operations; return its output, and the gradient of x.

    The loss is a weighted sum of the outputs. [BN15, Alg. 1]
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
    above = chainer.Variable(random.normal(size=shape), name="gradient of y")
    (gx,) = chainer.grad([y], [x], [above], enable_double_backprop=True)
    gx.name = "gradient of x"
    return y, gx


def draw(ax: Any, output: Any) -> Any:
    """Draw the graph that ends in a Variable: inputs on top, operations in boxes below those that they need."""
    parents, labels = _walk(output)
    rank = dict.fromkeys(parents, 0)
    for _ in parents:  # the longest way down
        rank = {node: max((rank[p] + 1 for p in parents[node]), default=0) for node in parents}
    lines = [[node for node in parents if rank[node] == level] for level in range(max(rank.values()) + 1)]
    x: dict[int, float] = {}
    for line in lines:
        wanted = {node: float(np.mean([x[p] for p in parents[node]] or [0])) for node in line}
        for place, node in enumerate(sorted(line, key=lambda node: wanted[node])):
            x[node] = 1.6 * (place - (len(line) - 1) / 2)
    for node, above in parents.items():
        for parent in above:
            ends = {"xy": (x[node], -rank[node] + 0.2), "xytext": (x[parent], -rank[parent] - 0.2)}
            bend = 0.3 if rank[node] - rank[parent] > 1 else 0.0  # round what stands between
            style = {"arrowstyle": "->", "color": "0.55", "linewidth": 0.9, "connectionstyle": f"arc3,rad={bend}"}
            ax.annotate("", **ends, arrowprops=style)
    for node, label in labels.items():
        face = "white" if parents[node] else "#cfe8f7"
        box = {"boxstyle": "round", "facecolor": face, "edgecolor": "0.3"}
        ax.text(x[node], -rank[node], label, ha="center", va="center", fontsize=9, bbox=box)
    reach = max(map(abs, x.values())) + 1
    ax.set(xlim=(-reach, reach), ylim=(-len(lines) + 0.4, 0.6))
    ax.axis("off")
    return ax


def _walk(output: Any) -> tuple[dict[int, list[int]], dict[int, str]]:
    """List operations and inputs, by id, with what each is made of, and how it is called."""
    parents: dict[int, list[int]] = {}
    labels: dict[int, str] = {}
    alive = []  # an id is a node's as long as the node lives

    def add(variable: Any) -> int:
        node = variable.creator_node or variable
        if id(node) not in parents:
            alive.append(node)
            parents[id(node)] = []
            labels[id(node)] = (variable.name or "") if node is variable else _word(node.label)
            if node is not variable:
                parents[id(node)] = list(dict.fromkeys(add(each) for each in node.inputs))
        return id(node)

    add(output.node)
    return parents, labels


def _word(label: str) -> str:
    """Write Chainer's name of an operation as one would on paper."""
    words = {"BroadcastTo": "broadcast", "SumTo": "sum", "__neg__": "negative", "MultiAdd": "sum", "Mean": "mean"}
    words |= {"_ * _": "times", "_ / _": "divided by", "_ + _": "plus", "_ - _": "minus"}
    return words.get(label) or label.replace("_ * ", "times ").replace("_ + ", "plus ")
