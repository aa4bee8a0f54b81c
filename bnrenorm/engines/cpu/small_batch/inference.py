"""Loss and accuracy of one replica in inference mode, block by block of images."""

from bnrenorm.engines.cpu.codegen.arrays import matrix, vector
from bnrenorm.engines.cpu.codegen.decorators import kernel, subroutine
from bnrenorm.engines.cpu.codegen.denormals import flush, restore
from bnrenorm.engines.cpu.ops import norm
from bnrenorm.engines.cpu.ops.layout import AFFINE, FAN_IN, RUN, WIDTH, B, W
from bnrenorm.engines.cpu.ops.relu import relu
from bnrenorm.engines.cpu.small_batch.linear import forward_layer
from bnrenorm.engines.cpu.small_batch.network import mean_loss
from bnrenorm.engines.cpu.small_batch.workspace import activations, affine, row_statistics
from bnrenorm.engines.cpu.sparse.packed import packed_linear
from bnrenorm.engines.spec import BATCH, LAYER

ROWS = 500
"""Images of a block."""


@kernel
def evaluate_blocks(fours, labels, spec, hyper, layout, p, run, ws, panel, begin, end, sums):
    """Set sums (blocks, 2) for the blocks from `begin` to `end`: total loss and count of right answers.

    fours: images packed by `sparse.packed.pack`; labels (M,) int32 in the packed order; spec and hyper are as in
    `engines.spec`, layout as in `ops.layout`; p (P,) parameters and run (Q,) running statistics, read only; ws:
    `workspace.allocate` for ROWS images; panel: `sparse.packed.panel_workspace`.
    """
    before = flush()
    hidden = len(layout.layers) - 1
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, len(labels))
        n, classes = hi - lo, layout.layers[hidden, WIDTH]
        logits, unused = matrix(ws.flat, ws.logits, n, classes), matrix(ws.flat, ws.glogits, n, classes)
        for depth in range(hidden):
            fan_in, width = layout.layers[depth, FAN_IN], layout.layers[depth, WIDTH]
            z, y = activations(ws, ws.norm_in, depth, n, width), activations(ws, ws.out, depth, n, width)
            if depth == 0:
                w, b = matrix(p, layout.layers[0, W], fan_in, layout.pitch), vector(p, layout.layers[0, B], width)
                packed_linear(fours, lo, w, b, panel, z)
            else:
                forward_layer(depth, n, layout, p, ws, z)
            if not spec.norm_first:
                relu(z)
            _normalise(z, depth, spec, hyper, layout, p, run, ws, y)
            if spec.norm_first:
                relu(y)
        forward_layer(hidden, n, layout, p, ws, logits)
        loss, accuracy = mean_loss(logits, vector(labels, lo, n), n, False, unused)
        sums[q, 0], sums[q, 1] = loss * n, accuracy * n
    restore(before)


@subroutine
def _normalise(z, depth, spec, hyper, layout, p, run, ws, y):
    """Set y (n, D) from z (n, D), normalised by the running statistics, or each row by its own for layer norm."""
    n, width = z.shape
    gamma, beta = affine(ws, depth, width)
    mean, scale = vector(ws.flat, ws.nodes[2], width), vector(ws.flat, ws.nodes[3], width)
    norm.read_affine(p, layout.layers[depth, AFFINE], spec.affine, gamma, beta)
    if spec.norm == LAYER:
        row_mean, row_std = row_statistics(ws, depth)
        norm.layer_forward(z, hyper.eps, gamma, beta, row_mean, row_std, y)
        return
    offset = layout.layers[depth, RUN]
    for k in range(width):
        mean[k], scale[k] = 0, 1
        if spec.norm == BATCH:
            mean[k] = run[offset + k]
            scale[k] = norm.inference_scale(gamma[k], run[offset + width + k], hyper.eps, spec.track_std)
    for i in range(n):
        for k in range(width):
            y[i, k] = (z[i, k] - mean[k]) * scale[k] + beta[k]
