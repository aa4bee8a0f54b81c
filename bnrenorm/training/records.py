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

    An accuracy is NaN where the loss on the same images is not finite: logits that are no numbers predict a class, too.
    `values`: train_loss and train_accuracy are means over the steps since the last record, of each step's own forward
    pass, before its update, or with `evaluation.training_set` values of the whole training set in inference mode;
    test_loss and test_accuracy (and validation_...) come after it. `diagnosis`: what the
    normalisation did at the step, by layer ("layer1_r_50": `norm.diagnosis`, "layer1_gamma": mean over the nodes), and
    training_mode_accuracy and inference_mode_accuracy on the same training images, all NaN where the training loss is
    not finite. A replica whose training loss is no longer finite has diverged; its later records, and those of one that
    has stopped early, mean nothing.
    """

    step: int
    epoch: float
    values: dict[str, np.ndarray]
    diagnosis: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def diverged(self) -> np.ndarray:
        """Which replicas have diverged, (R,) bool: they have no finite training loss, and have not stopped early.

        At step 0 none has: nothing was trained yet.
        """
        loss = self.values["train_loss"]
        return (self.step > 0) & ~np.isfinite(loss) & ~self.diagnosis.get("stopped", np.zeros(len(loss))).astype(bool)


@dataclass(frozen=True)
class TrialResults:
    """A finished trial: its records, how it ended, and what produced it.

    `outcome` is "finished", or "diverged" when a loss of the final weights (`final_record`) is not finite. `seconds` is
    the trial's share of its group's wall time. `records` has step, epoch, `CURVES`, and the normalisation's diagnosis.
    `provenance` is `environment.provenance`. `parameters` has the final weights, biases, gamma, beta and running
    statistics by path, where `evaluation.parameters` asks for them and the trial finished.
    """

    outcome: str
    seconds: float
    records: Columns
    provenance: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)


def final_record(records: Columns, watch: str | None) -> int:
    """Return the index of the record of the final weights: the last, or with early stopping the best on validation.

    watch: "loss" or "accuracy", the validation value that early stopping watches; None without early stopping. The
    record before the first step is never that of the final weights; without a finite value after it, the last one is.
    """
    if watch is None:
        return len(records["step"]) - 1
    watched = np.where(np.asarray(records["step"]) > 0, records[f"validation_{watch}"], np.nan)
    if not np.isfinite(watched).any():
        return len(watched) - 1
    return int(np.nanargmin(watched) if watch == "loss" else np.nanargmax(watched))


def outcome(records: Columns, watch: str | None) -> str:
    """Return "finished", or "diverged" if a loss of the final weights is not finite. watch: as in `final_record`."""
    last = final_record(records, watch)
    losses = [records[name][last] for name in CURVES if name.endswith("_loss") and name in records]
    return "finished" if np.isfinite(losses).all() else "diverged"
