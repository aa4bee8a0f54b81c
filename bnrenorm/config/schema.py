"""The settings of a training: frozen pydantic models. The defaults are the first article's experiment with BN.

docs/config.md is generated from the docstrings and descriptions in this file, network.py and norms.py. An unknown key,
a wrong type, NaN and a number out of range are errors.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bnrenorm.config.duration import DurationField, steps
from bnrenorm.config.network import Model
from bnrenorm.config.norms import BatchNorm, Norm
from bnrenorm.config.strict import SMALLEST, Strict


class Data(Strict):
    """The images and their preprocessing. All variants and grid points must agree on these settings."""

    path: str | None = Field(
        default=None,
        description="folder of four IDX or .npy files, an .npz file or a .csv table, under the names that people use: "
        "see [data.md](data.md); null: the MNIST digits shipped with bnrenorm",
    )
    first_label: Literal[0, 1] = Field(
        default=0, description="label of the first class, which the others follow without gaps; 0 for shipped digits"
    )
    validation: int = Field(
        default=0,
        ge=0,
        description="number of training images, drawn at random, that are held out of the training and evaluated as a "
        "validation set; the split is the same for every seed",
    )
    scaling: Literal["unit", "min_max", "z_score"] = Field(
        default="unit",
        description="`unit`: bytes are divided by 255, floats are left as they are; `min_max`: then mapped to 0..1; "
        "`z_score`: then standardised to mean 0 and standard deviation 1; both by the training set's values",
    )
    scaling_axis: Literal[0] | None = Field(
        default=None,
        description="what `min_max` and `z_score` take their statistics over: null: all pixels of all training images; "
        "0: each pixel by itself (a pixel that is constant in the training set becomes 0)",
    )


class Full(Strict):
    """The batch of every step is the whole training set."""

    kind: Literal["full"] = Field(description="selects this batch regime")

    def steps_per_epoch(self, images: int) -> int:
        """Return the number of steps per epoch: 1."""
        return 1

    def images_per_step(self, images: int) -> int:
        """Return the number of images in a batch: all."""
        return images


class Iid(Strict):
    """Batches drawn without replacement from a new permutation of the training set in every epoch.

    A batch of one image has variance 0: its normalised activations are 0, so that the output of batch normalisation is
    beta and that of renormalisation gamma d + beta.
    """

    kind: Literal["iid"] = Field(description="selects this batch regime")
    size: int = Field(ge=1, description="images per batch, at most the training set's number of images")
    remainder: Literal["drop", "keep"] = Field(
        default="drop",
        description="if `size` does not divide the training set: `drop` leaves the last images of an epoch's order out "
        "of the epoch, `keep` makes a smaller last batch of them",
    )
    shuffle: bool = Field(
        default=True, description="false: no permutation, every epoch takes the images in the order of the data set"
    )

    def steps_per_epoch(self, images: int) -> int:
        """Return the number of batches per epoch."""
        return images // self.size if self.remainder == "drop" else -(-images // self.size)

    def images_per_step(self, images: int) -> int:
        """Return the number of images in a batch, of which an epoch's last one may have fewer."""
        return self.size


class ClassSorted(Iid):
    """Batches that go through the training set class by class; each epoch shuffles the images within every class."""

    kind: Literal["sorted"] = Field(  # pyright: ignore[reportIncompatibleVariableOverride]
        description="selects this batch regime"
    )


class NonIid(Strict):
    """Batches of few classes: every step draws `classes` at random and the same number of images of each.

    The paper draws 16 labels with 2 images each. [BRN17, sec. 4.3]
    """

    kind: Literal["non_iid"] = Field(description="selects this batch regime")
    classes: int = Field(ge=1, description="number of classes in a batch")
    size: int = Field(ge=1, description="images per batch, a multiple of `classes`; an epoch has images / size steps")

    @model_validator(mode="after")
    def _divides(self) -> "NonIid":
        if self.size % self.classes:
            raise ValueError(f"expected size ({self.size}) to be a multiple of classes ({self.classes})")
        return self

    @property
    def images(self) -> int:
        """Number of images of each class in a batch."""
        return self.size // self.classes

    def steps_per_epoch(self, images: int) -> int:
        """Return the number of steps that draw as many images as the training set has, at least 1."""
        return max(1, images // self.size)

    def images_per_step(self, images: int) -> int:
        """Return the number of images in a batch."""
        return self.size


Batch = Annotated[Full | Iid | ClassSorted | NonIid, Field(discriminator="kind")]


class SGD(Strict):
    """Plain gradient descent: parameter -= lr * gradient."""

    kind: Literal["sgd"] = Field(description="selects this optimizer")
    lr: float = Field(default=0.01, ge=0, description="learning rate")


class MomentumSGD(Strict):
    """Gradient descent with momentum: v = momentum * v - lr * gradient; parameter += v."""

    kind: Literal["momentum_sgd"] = Field(default="momentum_sgd", description="selects this optimizer")
    lr: float = Field(default=0.01, ge=0, description="learning rate")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="weight of the previous update")


class Adam(Strict):
    """Adam, as implemented by `chainer.optimizers.Adam`."""

    kind: Literal["adam"] = Field(description="selects this optimizer")
    lr: float = Field(default=0.001, ge=0, description="learning rate (Chainer calls it alpha)")
    beta1: float = Field(default=0.9, ge=0, lt=1, description="decay of the average of gradients")
    beta2: float = Field(default=0.999, ge=0, lt=1, description="decay of the average of squared gradients")
    eps: float = Field(default=1e-8, ge=SMALLEST, description="added to the root of the average squared gradient")


class RMSprop(Strict):
    """RMSprop, as implemented by `chainer.optimizers.RMSprop`."""

    kind: Literal["rmsprop"] = Field(description="selects this optimizer")
    lr: float = Field(default=0.01, ge=0, description="learning rate")
    alpha: float = Field(default=0.99, ge=0, lt=1, description="decay of the average of squared gradients")
    eps: float = Field(default=1e-8, ge=SMALLEST, description="added to the root of the average squared gradient")


Optimizer = Annotated[SGD | MomentumSGD | Adam | RMSprop, Field(discriminator="kind")]


class EarlyStopping(Strict):
    """Stop a trial that no longer improves on the validation set, and restore its best weights.

    Each trial stops by itself, also where several are trained together. A record at step 0 does not count.
    """

    patience: int = Field(default=5, ge=1, description="stop after this many records in a row without a new best value")
    watch: Literal["loss", "accuracy"] = Field(default="loss", description="validation value that must improve")


class Training(Strict):
    """Batches, optimizer, loss and regularisation."""

    batch: Batch = Field(
        default=Full(kind="full"), description="how batches are drawn; `full` or a size stands for its group"
    )
    micro_batch: int | None = Field(
        default=None,
        ge=1,
        description="number of consecutive images in a batch that are normalised together, a divisor of the batch; the "
        "gradient is still that of the whole batch [BRN17, sec. 4.2]; null: the whole batch; ignored by `norm.kind` "
        "`none` and `layer`",
    )
    steps: DurationField = Field(default=steps(50), description="length of the training, in steps or epochs")
    optimizer: Optimizer = Field(default=MomentumSGD(), description="update rule of the parameters")
    loss: Literal["cross_entropy", "squared_error"] = Field(
        default="cross_entropy",
        description="what is minimised, a mean over the batch: `cross_entropy` of the softmax, in nats (requires "
        "`model.output: softmax`), or `squared_error`, half the sum over classes of (output - one-hot label)^2",
    )
    weight_decay: float = Field(
        default=0.0,
        ge=0,
        description="coefficient of the L2 penalty, weight_decay / 2 * sum of w^2 over all weights (not biases, gamma "
        "or beta)",
    )
    l1_decay: float = Field(
        default=0.0, ge=0, description="coefficient of the L1 penalty, l1_decay * sum of |w| over the same weights"
    )
    early_stopping: EarlyStopping | None = Field(
        default=None,
        description="stopping rule, requires `data.validation`; null: train for all of `training.steps`",
    )


class Evaluation(Strict):
    """When and how the network is evaluated. Evaluation is in inference mode and never changes the training."""

    every: DurationField = Field(
        default=steps(1),
        description="interval between records, at least 1 step; the last step always makes a record",
    )
    statistics: Literal["running", "batch", "population"] = Field(
        default="running",
        description="statistics that normalise in evaluation: `running`: the running averages (Chainer's way); "
        "`batch`: those of the evaluated set itself (the second article's way); `population`: those of the whole "
        "training set, recomputed for each record",
    )
    average: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="evaluate a moving average of all parameters (not running statistics), which begins at the initial "
        "ones, with this weight of the old average at every step [BRN17, sec. 4]; null: the parameters themselves",
    )
    training_set: bool = Field(
        default=False,
        description="true: train_loss and train_accuracy are those of the whole training set in inference mode, and "
        "there is a record at step 0; false: the means over the training steps since the last record",
    )
    penalty: bool = Field(default=False, description="true: recorded losses contain the L1 and L2 penalties")
    parameters: bool = Field(
        default=False,
        description="true: store the trained weights, biases, gamma, beta and running statistics; with `average` these "
        "are the parameters themselves, and not their averages",
    )


class Settings(Strict):
    """All settings of a training except its seed."""

    data: Data = Field(default=Data(), description="images and their preprocessing")
    model: Model = Field(default=Model(), description="the network without its normalisation")
    norm: Norm = Field(default=BatchNorm(kind="batch"), description="the normalisation")
    training: Training = Field(default=Training(), description="batches, optimizer, loss and regularisation")
    evaluation: Evaluation = Field(default=Evaluation(), description="when and how the network is evaluated")
