"""What a config may say of the normalisation."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from bnrenorm.config.duration import DurationField, steps
from bnrenorm.config.strict import Strict
from bnrenorm.norm import registry
from bnrenorm.norm.semantics import SEMANTICS


class NoNorm(Strict):
    """No normalisation: what BN and BRN must beat to be worth their while."""

    kind: Literal["none"]


class LayerNorm(Strict):
    """Layer normalisation: every image by its own mean and standard deviation over the nodes. [LN16]"""

    kind: Literal["layer"]
    eps: float = Field(default=1e-5, gt=0, description="added to the variance")
    affine: Literal["node", "layer", "none"] = Field(default="node", description="one gamma and beta a ...")
    affine_lr: float | None = Field(
        default=None, ge=0, description="learning rate of gamma and beta; null: the others'"
    )


class BatchNorm(Strict):
    """Batch normalisation [BN15]; with affine none it only standardises."""

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
    affine: Literal["node", "layer", "none"] = Field(default="node", description="one gamma and beta a ...")
    affine_gradient: Literal["sum", "mean"] = Field(
        default="sum", description="a layer's one gamma and beta learn by their nodes' gradients summed, or averaged"
    )
    affine_lr: float | None = Field(
        default=None, ge=0, description="learning rate of gamma and beta; null: the others'"
    )


class Renorm(BatchNorm):
    """Batch renormalisation: how far a batch may be corrected, and when. [BRN17]"""

    kind: Literal["renorm"]  # pyright: ignore[reportIncompatibleVariableOverride]
    r_max: float = Field(default=3.0, ge=1, description="limit of r once its ramp has ended")
    d_max: float = Field(default=5.0, ge=0, description="limit of d once its ramp has ended")
    warmup: DurationField = Field(default=steps(0), description="batch normalisation (r_max 1, d_max 0) for this long")
    ramp_r: DurationField = Field(default=steps(0), description="after the warm-up, r_max rises from 1 for this long")
    ramp_d: DurationField = Field(default=steps(0), description="after the warm-up, d_max rises from 0 for this long")


class Custom(Strict):
    """A Link of the user's own, by the name that `bnrenorm.register_norm` was given."""

    kind: Literal["custom"]
    name: str
    affine_lr: float | None = Field(
        default=None, ge=0, description="learning rate of its parameters; null: the others'"
    )
    source: str = Field(
        default_factory=lambda data: registry.find(data["name"]).digest if "name" in data else "",
        description="tells one version of the Link from another; filled in",
    )

    @field_validator("name")
    @classmethod
    def _registered(cls, name: str) -> str:
        if name not in registry.names():
            known = ", ".join(registry.names()) or "none"
            raise ValueError(f"expected a name that bnrenorm.register_norm was given; registered: {known}")
        return name


Norm = Annotated[NoNorm | LayerNorm | BatchNorm | Renorm | Custom, Field(discriminator="kind")]
