"""What a training yields at each recorded step, and what is stored of a finished trial."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

CURVES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "validation_loss", "validation_accuracy")
"""The columns of a curve besides step and epoch; the last two where there is a validation split."""

Columns = dict[str, list[float]]
"""A trial's records by name, lists of equal length."""


@dataclass(frozen=True)
class Record:
    """The values of R replicas after `step` steps; each is float64 (R,), losses in nats, accuracies in 0..1.

    `values`: train_loss and train_accuracy are means over the steps since the last record, of each step's own forward
    pass, before its update; test_loss and test_accuracy (and validation_...) come after it. `diagnosis`: what the
    normalisation did at the step, by layer ("layer1_r_50": `norm.diagnosis`, "layer1_gamma": mean over the nodes), and
    training_mode_accuracy and inference_mode_accuracy on the same training images. A replica whose training loss is no
    longer finite has diverged; its later records, and those of one that has stopped early, mean nothing.
    """

    step: int
    epoch: float
    values: dict[str, np.ndarray]
    diagnosis: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class TrialResults:
    """A finished trial: its records, how it ended, and what produced it.

    `outcome` is "finished", or "diverged" when the training loss was not finite at the last record. `seconds` is the
    trial's share of its group's wall time. `records` has step, epoch, `CURVES`, and the diagnosis of the normalisation.
    `provenance` is `environment.provenance`. `parameters` has the final weights, biases, gamma and beta by path, where
    `evaluation.parameters` asks for them.
    """

    outcome: str
    seconds: float
    records: Columns
    provenance: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
