"""What is minimised: the mean loss of a batch, for every replica."""

from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer
from bnrenorm.config import Trial

Array = Any


def mean_loss(logits: Any, labels: Array, output: str = "softmax", loss: str = "cross_entropy") -> Any:
    """Mean loss over the images, a Variable (R,): logits (R, N, C), labels (N,) for all replicas or (R, N).

    "cross_entropy" is that of the softmax, from the logits, so that nothing overflows; "mean_squared_error" the mean
    over images and classes of the squared difference between the output, "softmax" or "identity", and the one-hot
    label.
    """
    replicas, n, classes = logits.shape
    labels = logits.xp.broadcast_to(labels, (replicas, n))
    if loss == "cross_entropy":
        losses = F.softmax_cross_entropy(logits.reshape(replicas * n, classes), labels.reshape(-1), reduce="no")
        return F.mean(losses.reshape(replicas, n), axis=1)
    outputs = F.softmax(logits, axis=2) if output == "softmax" else logits
    wanted = logits.xp.eye(classes, dtype=logits.dtype)[labels]
    return F.mean((outputs - wanted) ** 2, axis=(1, 2))


def penalty(network: Any, trials: list[Trial]) -> Array:
    """The L1 and L2 penalties of all weights, float64 (R,): l1_decay sum |w| + weight_decay / 2 sum w^2."""
    training = [trial.settings.training for trial in trials]
    l1, l2 = (np.array([getattr(each, name) for each in training]) for name in ("l1_decay", "weight_decay"))
    weights = [chainer.get_device("@numpy").send(linear.W.array).astype(np.float64) for linear in network.linears]
    return sum(l1 * abs(w).sum(axis=(1, 2)) + l2 / 2 * (w * w).sum(axis=(1, 2)) for w in weights)
