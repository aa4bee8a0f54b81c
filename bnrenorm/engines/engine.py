"""The contract of an engine: what takes training steps and evaluates. The loop knows nothing else of one."""

from typing import Protocol

import numpy as np

from bnrenorm.engines.inputs import Inputs
from bnrenorm.engines.replicas import Replicas


class Engine(Protocol):
    """Trains the R replicas of one group. Every engine passes the same tests against the Chainer engine.

    `inputs` are the images that it trains with and evaluates. `idle` (R,) bool tells which replicas need no more steps,
    those that have diverged or stopped early: an engine may skip them, and what it returns for them means nothing.
    """

    inputs: Inputs
    idle: np.ndarray

    @property
    def replicas(self) -> Replicas:
        """The group's networks with their optimizer and averages, up to date. Call `reload` after writing to them."""
        ...

    def reload(self) -> None:
        """Go on from what was written to `replicas`; no replica is idle then."""
        ...

    def advance(self, first: int, steps: int, *, observe: bool) -> None:
        """Take the training steps `first` to `first + steps - 1`, counted from 0, and add them to `replicas.sums`.

        With `observe`, keep what `diagnosis` tells about the last of them.
        """
        ...

    def evaluate(self) -> dict[str, np.ndarray]:
        """Return loss and accuracy (R,) of every evaluated set in inference mode: "test_loss", "test_accuracy", ...

        Changes no number of the training.
        """
        ...

    def diagnosis(self) -> dict[str, np.ndarray]:
        """Return what the normalisation did at the last observed step, (R,) each; empty before there is one.

        By layer as in `norm.diagnosis`, "layer1_r_50" and so on; and "training_mode_accuracy" beside
        "inference_mode_accuracy" (`mode_gap`).
        """
        ...
