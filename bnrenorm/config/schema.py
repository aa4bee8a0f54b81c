"""What a config may say: frozen models whose defaults are the first article's experiment.

A field's description is its documentation; an unknown key, a wrong type, NaN or a number out of range is an error.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bnrenorm.config.duration import DurationField, steps
from bnrenorm.norm.semantics import SEMANTICS


class Strict(BaseModel):
    """Frozen, without coercion between types, without unknown keys, without NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Data(Strict):
    """Which images."""

    path: str | None = Field(default=None, description="four IDX files' folder, or an .npz; null: the shipped MNIST")


class Model(Strict):
    """The network: hidden layers of one order, then a linear output layer."""

    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(400,), min_length=1, description="widths")
    outputs: int = Field(default=10, ge=2, description="number of classes")
    order: Literal["linear-activation-norm", "linear-norm-activation"] = "linear-activation-norm"
    activation: Literal["relu"] = "relu"
    weight_init: Literal["lecun_normal"] = Field(default="lecun_normal", description="variance 1 / inputs; biases 0")


class NoNorm(Strict):
    """No normalisation: what BN and BRN must beat to be worth their while."""

    kind: Literal["none"]


class BatchNorm(Strict):
    """Batch normalisation. [BN15]"""

    kind: Literal["batch"]
    semantics: Literal["chainer", "paper"] = Field(default="chainer", description="what is averaged: variance or std")
    decay: float = Field(
        default_factory=lambda data: SEMANTICS[data.get("semantics", "chainer")].decay,
        ge=0,
        lt=1,
        description="weight of the old running statistics",
    )
    eps: float = Field(
        default_factory=lambda data: SEMANTICS[data.get("semantics", "chainer")].eps,
        gt=0,
        description="added to the variance",
    )


class Renorm(BatchNorm):
    """Batch renormalisation: how far a batch may be corrected, and when. [BRN17]"""

    kind: Literal["renorm"]  # pyright: ignore[reportIncompatibleVariableOverride]
    r_max: float = Field(default=3.0, ge=1, description="limit of r once its ramp has ended")
    d_max: float = Field(default=5.0, ge=0, description="limit of d once its ramp has ended")
    warmup: DurationField = Field(default=steps(0), description="batch normalisation (r_max 1, d_max 0) for this long")
    ramp_r: DurationField = Field(default=steps(0), description="after the warm-up, r_max rises from 1 for this long")
    ramp_d: DurationField = Field(default=steps(0), description="after the warm-up, d_max rises from 0 for this long")


Norm = Annotated[NoNorm | BatchNorm | Renorm, Field(discriminator="kind")]


class MomentumSGD(Strict):
    """v = momentum v - lr gradient; parameter += v."""

    kind: Literal["momentum_sgd"] = "momentum_sgd"
    lr: float = Field(default=0.01, ge=0, description="learning rate")
    momentum: float = Field(default=0.9, ge=0, lt=1)


class Training(Strict):
    """How the network learns."""

    batch: Literal["full"] = Field(default="full", description="full: every step sees the whole training set")
    steps: DurationField = Field(default=steps(50), description="length of the training, in steps or epochs")
    optimizer: MomentumSGD = MomentumSGD()


class Evaluation(Strict):
    """When and how the network is judged."""

    every: DurationField = Field(default=steps(1), description="a record after every so much training")
    statistics: Literal["running"] = Field(default="running", description="statistics that normalise in evaluation")


class Settings(Strict):
    """All that decides a training but its seed."""

    data: Data = Data()
    model: Model = Model()
    norm: Norm = BatchNorm(kind="batch")
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
