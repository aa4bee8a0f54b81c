"""Loss functions, one value per replica, and the L1 and L2 penalties."""

from typing import Any

import numpy as np

from bnrenorm._compat import F
from bnrenorm.config import Trial

Array = Any


def mean_loss(logits: Any, labels: Array, output: str = "softmax", loss: str = "cross_entropy") -> Any:
    """Return the mean loss over the images, a Variable (R,).

    logits: (R, N, C); labels: (N,) shared by all replicas, or (R, N). "cross_entropy" is that of the softmax, in nats,
    computed from the logits without overflow. "squared_error" is half the sum over classes of (output - one-hot
    label)^2, where output is the "softmax" or "identity" of the logits: the second article's. Its gradient with
    respect to the output is (output - one-hot label) / N.
    """
    replicas, n, classes = logits.shape
    labels = logits.xp.broadcast_to(labels, (replicas, n))
    if loss == "cross_entropy":
        losses = F.softmax_cross_entropy(logits.reshape(replicas * n, classes), labels.reshape(-1), reduce="no")
        return F.mean(losses.reshape(replicas, n), axis=1)
    outputs = F.softmax(logits, axis=2) if output == "softmax" else logits
    one_hot = logits.xp.eye(classes, dtype=logits.dtype)[labels]
    return F.sum((outputs - one_hot) ** 2, axis=(1, 2)) / (2 * n)


def penalty(network: Any, trials: list[Trial]) -> Array:
    """Return l1_decay * sum |w| + weight_decay / 2 * sum w^2 over all weights, float64 (R,), on the host."""
    training = [trial.settings.training for trial in trials]
    l1 = np.array([settings.l1_decay for settings in training])
    l2 = np.array([settings.weight_decay for settings in training])
    sums: Any = [value for linear in network.linears for value in _sums(linear.W.array)]
    if network.xp is not np:
        sums = network.xp.stack(sums).get()  # one copy to the host
    return sum(l1 * absolute + l2 / 2 * squares for absolute, squares in zip(sums[::2], sums[1::2], strict=True))


def _sums(w: Array) -> tuple[Array, Array]:
    """Return the sums of |w| and of w^2 of each replica's weights (R, K, D), float64 (R,) each."""
    if isinstance(w, np.ndarray):
        w = w.astype(np.float64)
        return abs(w).sum(axis=(1, 2)), (w * w).sum(axis=(1, 2))
    return abs(w).sum(axis=(1, 2), dtype=np.float64), (w * w).sum(axis=(1, 2), dtype=np.float64)
