"""The contract of an engine. The training loop uses nothing else of it."""

from typing import Protocol

import numpy as np

from bnrenorm.engines.inputs import Inputs
from bnrenorm.engines.replicas import Replicas


class Engine(Protocol):
    """Trains the R replicas of one group. Every engine passes the same tests against the Chainer engine.

    `inputs` has the images for training and evaluation. `idle` (R,) bool, set by the loop, marks replicas that need no
    more steps because they diverged or stopped early: an engine may skip them, and its values for them are undefined.
    """

    inputs: Inputs
    idle: np.ndarray

    @property
    def replicas(self) -> Replicas:
        """The current network, optimizer and averages of the group. Call `reload` after writing to them."""
        ...

    def reload(self) -> None:
        """Continue from what was written to `replicas`, and mark all replicas active."""
        ...

    def advance(self, first: int, steps: int, *, observe: bool) -> None:
        """Take the training steps `first` to `first + steps - 1` (counted from 0), and return when they are done.

        Adds their losses and accuracies to `replicas.sums`. With `observe`, records the diagnosis of the last step.
        """
        ...

    def evaluate(self) -> dict[str, np.ndarray]:
        """Return loss and accuracy (R,) of each evaluated set in inference mode: "test_loss", "test_accuracy", ...

        Does not change the training.
        """
        ...

    def diagnosis(self) -> dict[str, np.ndarray]:
        """Return diagnostics of the normalisation at the last observed step, (R,) each; empty before the first one.

        Those of `norm.diagnosis` per layer ("layer1_r_50", ...), and "training_mode_accuracy" and
        "inference_mode_accuracy" of `mode_gap`.
        """
        ...
