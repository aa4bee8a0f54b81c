"""Settings of the network. For activation and weight_init, a name stands for the group with that `kind`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bnrenorm.config.strict import Strict


class Activation(Strict):
    """An activation function without parameters."""

    kind: Literal["relu", "sigmoid", "tanh", "identity", "softplus", "softsign", "step"] = Field(
        default="relu",
        description="`softsign` is x / (1 + |x|); `step` is 1 for x > 0 and 0 otherwise, with derivative 0",
    )


class LeakyReLU(Strict):
    """x for x > 0, alpha * x otherwise."""

    kind: Literal["leaky_relu"] = Field(description="selects this activation")
    alpha: float = Field(default=0.01, ge=0, le=1, description="slope for negative x")


class Scaled(Strict):
    """Initial weights with mean 0 and a variance that depends on the layer's number of inputs D and outputs K.

    The variance is 1 / D (lecun), 2 / (D + K) (glorot) or 2 / D (he). [LeCun98, Glorot10, He15]
    """

    kind: Literal["lecun_normal", "lecun_uniform", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform"] = (
        Field(default="lecun_normal", description="variance and distribution (normal or uniform)")
    )


class Normal(Strict):
    """Normally distributed initial weights."""

    kind: Literal["normal"] = Field(description="selects this distribution")
    mean: float = Field(default=0.0, description="mean of the weights")
    std: float = Field(default=0.05, ge=0, description="standard deviation of the weights")


class Uniform(Strict):
    """Uniformly distributed initial weights."""

    kind: Literal["uniform"] = Field(description="selects this distribution")
    min: float = Field(default=-0.05, description="lower end of the range, at most `max`")
    max: float = Field(default=0.05, description="upper end of the range")

    @model_validator(mode="after")
    def _in_order(self) -> "Uniform":
        if self.min > self.max:
            raise ValueError(f"expected min ({self.min:g}) to be at most max ({self.max:g})")
        return self


class Constant(Strict):
    """All initial weights have the same value."""

    kind: Literal["zeros", "ones"] = Field(description="the value: 0 or 1")


class Dropout(Strict):
    """Dropout of inputs and hidden nodes in training mode, given by the fraction that is kept (not the drop rate).

    Nodes of a hidden layer are dropped after its activation and normalisation.
    """

    form: Literal["inverted", "exact"] = Field(
        default="inverted",
        description="`inverted`: each node of each image is kept with the given probability and divided by it, and "
        "inference changes nothing; `exact` (the second article's form): round(fraction * nodes) nodes are kept, the "
        "same ones for all images of a batch, and inference multiplies all nodes by the fraction",
    )
    keep_input: float = Field(default=1.0, gt=0, le=1, description="fraction of the inputs that is kept; 1: all")
    keep_hidden: float = Field(
        default=1.0, gt=0, le=1, description="fraction of each hidden layer's nodes that is kept; 1: all"
    )

    @property
    def drops(self) -> bool:
        """Whether dropout has any effect."""
        return min(self.keep_input, self.keep_hidden) < 1


class Model(Strict):
    """A multilayer perceptron: hidden layers, then a linear output layer. Biases are initially 0."""

    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(400,), min_length=1, description="number of nodes of each hidden layer, from the input on"
    )
    outputs: int | None = Field(
        default=None,
        ge=2,
        description="number of classes, to be checked: that of the training labels; null: as many as there are",
    )
    order: Literal["linear-activation-norm", "linear-norm-activation"] = Field(
        default="linear-activation-norm",
        description="order within a hidden layer: normalisation after the activation (the first article) or before it "
        "(the papers and the second article)",
    )
    activation: Annotated[Activation | LeakyReLU, Field(discriminator="kind")] = Field(
        default=Activation(), description="activation function of the hidden layers; a name stands for its group"
    )
    output: Literal["softmax", "identity"] = Field(
        default="softmax", description="output function; `identity` requires `training.loss: squared_error`"
    )
    weight_init: Annotated[Scaled | Normal | Uniform | Constant, Field(discriminator="kind")] = Field(
        default=Scaled(), description="distribution of the initial weights; a name stands for its group"
    )
    dropout: Dropout = Field(default=Dropout(), description="dropout of inputs and hidden nodes")

    def widths(self, inputs: int) -> tuple[int, ...]:
        """Return the number of nodes of all layers, inputs first. Only for resolved settings: see `resolve`."""
        if self.outputs is None:
            raise ValueError("model.outputs is not resolved")
        return (inputs, *self.hidden, self.outputs)
