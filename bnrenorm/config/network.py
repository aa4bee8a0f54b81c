"""What a config may say of the network. A name alone stands for a group with that `kind` and its defaults."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from bnrenorm.config.strict import Strict


class Activation(Strict):
    """A function of each node without parameters; the derivative of `step` is 0."""

    kind: Literal["relu", "sigmoid", "tanh", "identity", "softplus", "softsign", "step"] = "relu"


class LeakyReLU(Strict):
    """x where x > 0, alpha x elsewhere."""

    kind: Literal["leaky_relu"]
    alpha: float = Field(default=0.01, ge=0, le=1, description="slope below 0")


class Scaled(Strict):
    """Initial weights of mean 0, whose variance is 1 / D (lecun), 2 / (D + K) (glorot) or 2 / D (he).

    D is a layer's number of inputs, K of outputs.
    """

    kind: Literal["lecun_normal", "lecun_uniform", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform"] = (
        "lecun_normal"
    )


class Normal(Strict):
    """Normally distributed initial weights."""

    kind: Literal["normal"]
    mean: float = 0.0
    std: float = Field(default=0.05, ge=0)


class Uniform(Strict):
    """Uniformly distributed initial weights."""

    kind: Literal["uniform"]
    min: float = -0.05
    max: float = 0.05

    @model_validator(mode="after")
    def _in_order(self) -> "Uniform":
        if self.min > self.max:
            raise ValueError(f"expected min ({self.min:g}) to be at most max ({self.max:g})")
        return self


class Constant(Strict):
    """All initial weights alike."""

    kind: Literal["zeros", "ones"]


class Dropout(Strict):
    """Which share of the inputs, and of every hidden layer's nodes, a training step keeps.

    `inverted`: each node of each image by chance, those kept divided by the share. `exact`: a batch keeps the same
    nodes, round(share x nodes) of them, for all its images, and inference multiplies all by the share.
    """

    form: Literal["inverted", "exact"] = "inverted"
    keep_input: float = Field(default=1.0, gt=0, le=1)
    keep_hidden: float = Field(default=1.0, gt=0, le=1)

    @property
    def drops(self) -> bool:
        """Whether anything is dropped."""
        return min(self.keep_input, self.keep_hidden) < 1


class Model(Strict):
    """The network: hidden layers of one order, then a linear output layer. Biases are 0 at first."""

    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(400,), min_length=1, description="widths")
    outputs: int = Field(default=10, ge=2, description="number of classes")
    order: Literal["linear-activation-norm", "linear-norm-activation"] = "linear-activation-norm"
    activation: Annotated[Activation | LeakyReLU, Field(discriminator="kind")] = Activation()
    output: Literal["softmax", "identity"] = Field(default="softmax", description="what the last layer goes through")
    weight_init: Annotated[Scaled | Normal | Uniform | Constant, Field(discriminator="kind")] = Scaled()
    dropout: Dropout = Dropout()


def unfold(model: dict[str, Any]) -> dict[str, Any]:
    """Write names that stand for groups out."""
    named = {key: {"kind": model[key]} for key in ("activation", "weight_init") if isinstance(model.get(key), str)}
    return {**model, **named}
