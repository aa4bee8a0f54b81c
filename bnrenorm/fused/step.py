"""Many training steps of one replica in one call: its weights stay near its core from step to step."""

from bnrenorm.fused.compiled import kernel
from bnrenorm.fused.denormals import flush, restore
from bnrenorm.fused.propagate import backward, forward, loss
from bnrenorm.fused.types import BATCH, copy, room


@kernel
def train(images, labels, indices, counts, kind, numbers, limits, places, p, first, second, average, run, seen, sums):
    """Take S steps of one replica.

    images (M, D) and labels (M,) int32; indices (S, N) of them, of which the first counts (S,) hold. limits (S, 4):
    r_max, d_max, learning rate, that of gamma and beta, at each step. Changed in place: p, first, second (P,), the
    parameters and the optimizer's states; average (P,), the moving average of the parameters, empty without one; run
    (Q,), the running statistics; seen (H, parts, 6, W), the last step's, as `propagate.normalise` leaves them; sums
    (2,) float64, to which every step's loss and accuracy are added.
    """
    steps, n = indices.shape
    scratch = room(places, n, n // kind.micro_batch if kind.micro_batch else 1, p)
    before = flush()  # pyright: ignore[reportCallIssue] - numba gives the context
    for s in range(steps):
        n = counts[s]
        parts = n // kind.micro_batch if kind.micro_batch else 1
        for i in range(n):
            image = images[indices[s, i]]
            for j in range(len(image)):
                scratch.x[i, j] = image[j]
            scratch.labels[i] = labels[indices[s, i]]
        forward(n, parts, kind, numbers, limits[s], places, p, run, scratch)
        mean_loss, right = loss(scratch.logits, scratch.labels, n, scratch.glogits)
        sums[0] += mean_loss
        sums[1] += right
        if kind.norm == BATCH and s == steps - 1:
            for depth in range(len(seen)):
                for q in range(parts):
                    copy(seen[depth, q], scratch.stats[depth, q])
        backward(n, parts, kind, numbers, limits[s], places, p, first, second, scratch)
        if len(average):
            share = p.dtype.type(1) - numbers.average_decay
            for j in range(len(p)):
                average[j] += share * (p[j] - average[j])
    restore(before)
