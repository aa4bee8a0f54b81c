"""Settings of the normalisation, one model per kind."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from bnrenorm.config.duration import DurationField, steps
from bnrenorm.config.strict import SMALLEST, Strict
from bnrenorm.norm import registry
from bnrenorm.norm.semantics import SEMANTICS

_AFFINE = (
    "gamma and beta: one pair per `node`, one pair per `layer` (shared by its nodes), or `none` (fixed at 1 and 0)"
)
_AFFINE_LR = "learning rate of gamma and beta; null: that of the optimizer"


class NoNorm(Strict):
    """No normalisation: the baseline."""

    kind: Literal["none"] = Field(description="selects this normalisation")


class LayerNorm(Strict):
    """Layer normalisation: each image by its own mean and standard deviation over the layer's nodes. [LN16]"""

    kind: Literal["layer"] = Field(description="selects this normalisation")
    eps: float = Field(default=1e-5, ge=SMALLEST, description="added to the variance")
    affine: Literal["node", "layer", "none"] = Field(default="node", description=_AFFINE)
    affine_lr: float | None = Field(default=None, ge=0, description=_AFFINE_LR)


class BatchNorm(Strict):
    """Batch normalisation: each node by its mean and standard deviation over the batch. [BN15]"""

    kind: Literal["batch"] = Field(description="selects this normalisation")
    semantics: Literal["chainer", "paper"] = Field(
        default="chainer",
        description="convention for the running statistics: `chainer`: running variance with Bessel's correction; "
        "`paper`: running standard deviation without it [BRN17, Alg. 1]",
    )
    decay: float = Field(
        default_factory=lambda data: SEMANTICS[data.get("semantics", "chainer")].decay,
        ge=0,
        lt=1,
        description="weight of the old running statistics in their update; the default depends on `semantics`",
    )
    eps: float = Field(
        default_factory=lambda data: SEMANTICS[data.get("semantics", "chainer")].eps,
        ge=SMALLEST,
        description="added to the variance; the default depends on `semantics`",
    )
    affine: Literal["node", "layer", "none"] = Field(default="node", description=_AFFINE)
    affine_gradient: Literal["sum", "mean"] = Field(
        default="sum",
        description="gradient of gamma and beta with `affine: layer`: the sum over the layer's nodes (the true "
        "gradient) or their mean (the second article)",
    )
    affine_lr: float | None = Field(default=None, ge=0, description=_AFFINE_LR)


class Renorm(BatchNorm):
    """Batch renormalisation: batch normalisation, corrected towards the running statistics by r and d. [BRN17]

    r = std / run_std is clipped to 1 / r_max..r_max, d = (mean - run_mean) / run_std to -d_max..d_max. Both limits may
    rise with the training; with r_max 1 and d_max 0 this is batch normalisation.
    """

    kind: Literal["renorm"] = Field(  # pyright: ignore[reportIncompatibleVariableOverride]
        description="selects this normalisation"
    )
    r_max: float = Field(default=3.0, ge=1, description="limit of r at the end of its ramp")
    d_max: float = Field(default=5.0, ge=0, description="limit of d at the end of its ramp")
    warmup: DurationField = Field(
        default=steps(0),
        description="length of the initial phase of batch normalisation (r_max 1, d_max 0), at most the training's",
    )
    ramp_r: DurationField = Field(
        default=steps(0), description="duration of the linear rise from 1 to r_max after the warm-up; 0: a jump"
    )
    ramp_d: DurationField = Field(
        default=steps(0), description="duration of the linear rise from 0 to d_max after the warm-up; 0: a jump"
    )


class Custom(Strict):
    """A user-defined Link, registered by `bnrenorm.register_norm`; the Chainer engine trains it.

    It keeps its own statistics: `training.micro_batch` and `evaluation.statistics` cannot be combined with it.
    """

    kind: Literal["custom"] = Field(description="selects this normalisation")
    name: str = Field(description="name under which the Link is registered")
    affine_lr: float | None = Field(
        default=None, ge=0, description="learning rate of the Link's parameters; null: that of the optimizer"
    )
    source: str = Field(
        default_factory=lambda data: registry.digest_of(data["name"]) if "name" in data else "",
        description="digest of the registered factory, filled in automatically: results of another version of the Link "
        "are stored separately",
    )

    @field_validator("name")
    @classmethod
    def _registered(cls, name: str) -> str:
        if name not in registry.names():
            known = ", ".join(registry.names()) or "none"
            raise ValueError(
                f"expected a name that bnrenorm.register_norm was given, in a file under plugins; registered: {known}"
            )
        return name

    @field_validator("source")
    @classmethod
    def _is_the_registered_one(cls, source: str, info: ValidationInfo) -> str:
        if "name" in info.data and source != registry.digest_of(info.data["name"]):
            raise ValueError("expected the digest of the Link that is registered under that name now; leave it out")
        return source


Norm = Annotated[NoNorm | LayerNorm | BatchNorm | Renorm | Custom, Field(discriminator="kind")]
