"""Chainer's computational graphs, drawn: which operations a function consists of, forward and backward."""

import itertools
from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression

from bnrenorm._compat import F, chainer

_HALF = 0.12  # inches: half the height of a box
_MOST = 0.25  # of the height of a rank, where these are low
_GAP = 0.45  # width that an edge needs between boxes
_STRAIGHT = 6.0  # weight of an edge's own wishes where it passes boxes
_SWEEPS = 40


def batch_normalisation() -> tuple[Any, Any]:
    """Compute batch normalisation with Chainer's elementary operations; return y and the gradient of x, (4, 3).

    Both are Variables in float64, of random inputs and a random gradient of y. [BN15, Alg. 1]
    """
    random = np.random.default_rng(0)
    names = {"x": (4, 3), "gamma": (3,), "beta": (3,)}
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
    """Draw the graph that computes a Variable: inputs on top, each operation below its operands; edges cross no box."""
    parents, labels = _walk(output)
    rank, x, routes = layout(parents, {node: 0.105 * len(label) + 0.3 for node, label in labels.items()})
    ylim = (-max(rank.values()) - 0.6, 0.6)
    half = min(_MOST, _HALF * (ylim[1] - ylim[0]) * ax.figure.dpi / ax.get_window_extent().height)
    for route in routes:
        # From below a box through a gap at every rank on the way, straight down within a rank, to above the next box.
        corners = [(x[node], -rank[node] + side) for node in route for side in (half, -half)][1:-1]
        if len(corners) > 2:
            ax.plot(*zip(*corners[:-1], strict=True), color="0.55", linewidth=0.9, solid_joinstyle="round", zorder=1)
        style = {"arrowstyle": "->", "color": "0.55", "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", xy=corners[-1], xytext=corners[-2], arrowprops=style)
    for node, label in labels.items():
        face = "white" if parents[node] else "#cfe8f7"
        box = {"boxstyle": "round", "facecolor": face, "edgecolor": "0.3"}
        ax.text(x[node], -rank[node], label, ha="center", va="center", fontsize=9, bbox=box)
    half_width = max(map(abs, x.values())) + 0.9
    ax.set(xlim=(-half_width, half_width), ylim=ylim)
    ax.axis("off")
    return ax


def layout(
    parents: dict[int, list[int]], widths: dict[int, float]
) -> tuple[dict[int, int], dict[int, float], list[list[int]]]:
    """Return the rank and x of every node, and each edge's route: its nodes from top to bottom.

    An edge over several ranks gets an invisible node at each in between (negative numbers), which keeps a gap free for
    it there [Sugiyama 1981]. Within a rank the nodes stand in the order of their neighbours' mean x, at distances that
    their widths need.
    """
    rank = dict.fromkeys(parents, 0)
    for _ in parents:  # longest path from an input, by relaxation
        rank = {node: max((rank[p] + 1 for p in parents[node]), default=0) for node in parents}
    children: dict[int, list[int]] = {node: [] for node in parents}
    for node, operands in parents.items():
        for parent in operands:
            children[parent].append(node)
    for node in parents:  # an input stands right above its first user
        if not parents[node]:
            rank[node] = min(rank[child] for child in children[node]) - 1
    routes, gaps = [], 0
    for node, operands in parents.items():
        for parent in operands:
            route = [parent]
            for level in range(rank[parent] + 1, rank[node]):
                gaps -= 1
                rank[gaps] = level
                route.append(gaps)
            routes.append([*route, node])
    neighbours: dict[int, list[int]] = {node: [] for node in rank}
    for route in routes:
        for above, below in itertools.pairwise(route):
            neighbours[above].append(below)
            neighbours[below].append(above)
    levels = [[node for node in rank if rank[node] == level] for level in range(max(rank.values()) + 1)]
    x = {node: float(i) for level in levels for i, node in enumerate(level)}
    for sweep in range(_SWEEPS):
        for level in levels if sweep % 2 else reversed(levels):
            wish = {node: float(np.mean([x[other] for other in neighbours[node]] or [x[node]])) for node in level}
            x |= _apart(wish, {node: widths.get(node, _GAP) for node in level})
    middle = (min(x.values()) + max(x.values())) / 2
    return rank, {node: value - middle for node, value in x.items()}, routes


def _apart(wish: dict[int, float], widths: dict[int, float]) -> dict[int, float]:
    """Return x near the wishes, in their order, so that the nodes of a rank do not overlap."""
    nodes = sorted(wish, key=lambda node: wish[node])
    starts = np.cumsum([0.0, *((widths[a] + widths[b]) / 2 for a, b in itertools.pairwise(nodes))])
    # With y = x - starts, the distances hold where y does not fall: the nearest such y is the isotonic regression.
    straight = [_STRAIGHT if node < 0 else 1.0 for node in nodes]
    wishes = [wish[node] - start for node, start in zip(nodes, starts, strict=True)]
    fitted = isotonic_regression(wishes, weights=straight).x
    return {node: float(y + start) for node, y, start in zip(nodes, fitted, starts, strict=True)}


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
    words = {
        "BroadcastTo": "broadcast",
        "SumTo": "sum",
        "__neg__": "negative",
        "MultiAdd": "sum",
        "Mean": "mean",
        "Reshape": "reshape",
        "DivGrad": "gradient of divided by",
    }
    words |= {"_ * _": "times", "_ / _": "divided by", "_ + _": "plus", "_ - _": "minus"}
    return words.get(label) or label.replace("_ * ", "times ").replace("_ + ", "plus ")
