"""A step of all replicas by batched products and kernels: `network.mlp` and Chainer's graph, forward and backward."""

from typing import Any, NamedTuple

from bnrenorm.engines.cuda.checked import Checked
from bnrenorm.engines.cuda.first_layer import First
from bnrenorm.engines.cuda.launches import Launches
from bnrenorm.engines.cuda.operands import Context, Normalised
from bnrenorm.engines.cuda.parameters import Layer, Vector
from bnrenorm.engines.cuda.reference import Reference
from bnrenorm.engines.cuda.rows import Mask, Mode, divide, pieces_of
from bnrenorm.engines.cuda.workspace import Workspace
from bnrenorm.engines.spec import BATCH, LAYER

Array = Any
Operations = Launches | Reference | Checked


class Batch(NamedTuple):
    """The images of a step, and where their labels are.

    labels (M,) int32 are of the whole set; the batch's are those at index (S, N) int32, and without an index the first
    N. masks: of dropout, of the inputs and every hidden layer; empty without.
    """

    images: First
    labels: Array
    index: Array | None
    masks: list[Mask]


def forward(
    ops: Operations,
    layers: list[Layer],
    batch: Batch,
    context: Context,
    mode: Mode,
    ws: Workspace,
    *,
    averaged: bool = False,
) -> None:
    """Set ws.a, ws.y, ws.stats and ws.logits, the latter without their bias.

    Dropout follows the batch's masks, or in mode RUNNING and OWN without masks the fractions: inference. `averaged`:
    with the moving averages of the parameters.
    """
    spec, rows = context.spec, ws.rows
    inference = mode in (Mode.RUNNING, Mode.OWN)
    for depth, layer in enumerate(layers[:-1]):
        weight, bias = _values(layer, averaged)
        a, y, width = ws.a[depth], ws.y[depth], ws.a[depth].shape[2]
        if depth:
            ops.product(ws.y[depth - 1], weight, a, tb=True)
        else:
            batch.images.multiply(ops, weight, a)
        moments = ws.moments_of(width) if spec.norm == BATCH and mode != Mode.RUNNING else None
        factor = context.fractions[0] if inference and context.fractions and depth == 0 else None
        ops.enter(a, bias, rows, relu=not spec.norm_first, factor=factor, partial=moments)
        if spec.norm == BATCH:
            assert layer.run is not None
            ops.statistics(moments, rows, mode, context, layer.run, ws.stats[depth])
        elif spec.norm == LAYER:
            ops.row_moments(a, context.hyper, ws.row_stats[depth])
        if y is not a:
            mask = batch.masks[depth + 1] if batch.masks and not inference else None
            fraction = context.fractions[depth + 1] if context.fractions and inference else None
            affine = layer.affine(averaged=averaged)
            normalised = Normalised(spec, rows, a, ws.stats[depth], ws.row_stats[depth], affine, mask)
            ops.normalise(normalised, fraction, y)
    ops.product(ws.y[-1], _values(layers[-1], averaged)[0], ws.logits, tb=True)


def loss(
    ops: Operations,
    layers: list[Layer],
    batch: Batch,
    context: Context,
    ws: Workspace,
    *,
    learn: bool,
    averaged: bool = False,
) -> None:
    """Set ws.losses to sums over pieces, and ws.right; with `learn` ws.logits becomes the mean loss's gradient."""
    bias = _values(layers[-1], averaged)[1]
    ops.loss(ws.logits, bias, batch.labels, batch.index, context.seed_of, learn, ws.right, ws.losses)


def backward(
    ops: Operations, layers: list[Layer], vectors: list[Vector], batch: Batch, context: Context, ws: Workspace
) -> None:
    """Update every parameter; weights after their last use, all biases, gammas and betas (`vectors`) at the end."""
    g, n = ws.logits, ws.rows.n
    ops.column_sums(g, divide(n), ws.bias[-1])
    for depth in range(len(layers) - 1, -1, -1):
        weight = layers[depth].weight
        if depth == 0:
            batch.images.learn(ops, g, weight, context, ws)
            break
        gradient, below = ws.weight_gradient(weight.value.shape, pieces_of(n)), ws.gradient(depth - 1)
        ops.gradient(g, ws.y[depth - 1], gradient)
        ops.product(g, weight.value, below)
        ops.update_weights(weight, gradient, context)
        _through_layer(ops, layers[depth - 1], depth - 1, below, batch, context, ws)
        g = below
    ops.update_vectors(vectors, context)


def _through_layer(
    ops: Operations, layer: Layer, depth: int, g: Array, batch: Batch, context: Context, ws: Workspace
) -> None:
    """Turn g, the gradient of hidden layer `depth`'s output, into that of its linear product.

    In the first layer it gets the form that the batch's images take it in.
    """
    norm, a, y, coef = context.spec.norm, ws.a[depth], ws.y[depth], ws.coef[depth]
    mask = batch.masks[depth + 1] if batch.masks else None
    normalised = Normalised(context.spec, ws.rows, a, ws.stats[depth], ws.row_stats[depth], layer.affine(), mask)
    if norm in (BATCH, LAYER):
        sums = ws.moments_of(a.shape[2])
        ops.upstream_sums(normalised, g, y, sums)
        ops.coefficients(normalised, sums, coef, ws.affine[depth])
    if norm == LAYER:
        ops.row_gradients(normalised, g, y, ws.row_sums)
    form = {} if depth else batch.images.form(context)
    ops.to_linear(normalised, g, y, coef, ws.row_sums, ws.bias[depth], **form)


def _values(layer: Layer, averaged: bool) -> tuple[Array, Array]:
    if averaged:
        return layer.weight.average, layer.bias.average
    return layer.weight.value, layer.bias.value
