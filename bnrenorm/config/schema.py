"""What a config may say: frozen models whose defaults are the first article's experiment.

A field's description is its documentation; an unknown key, a wrong type, NaN or a number out of range is an error.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from bnrenorm.config import network
from bnrenorm.config.duration import DurationField, steps
from bnrenorm.config.network import Model
from bnrenorm.config.norms import BatchNorm, Norm
from bnrenorm.config.strict import Strict


class Data(Strict):
    """Which images."""

    path: str | None = Field(default=None, description="four IDX files' folder, or an .npz; null: the shipped MNIST")
    validation: int = Field(default=0, ge=0, description="so many training images are kept apart and measured as well")
    scaling: Literal["unit", "min_max", "z_score"] = Field(
        default="unit", description="bytes / 255 and floats as they are; to 0 and 1; or to mean 0 and deviation 1"
    )
    scaling_axis: Literal[0] | None = Field(
        default=None, description="min_max and z_score over all training pixels, or for each (0)"
    )


class Full(Strict):
    """Every step sees the whole training set."""

    kind: Literal["full"]

    def steps_per_epoch(self, images: int) -> int:
        """Count the steps of an epoch, 1."""
        return 1


class Iid(Strict):
    """Batches without replacement, from a new permutation for every epoch.

    Where size does not divide the training set, `remainder` drops the images that are left over from the epoch, or
    keeps them as a smaller batch. A batch of one image has no spread: batch normalisation makes it beta, and BRN d.
    Without `shuffle` every epoch goes through the images in the data's own order.
    """

    kind: Literal["iid"]
    size: int = Field(ge=1)
    remainder: Literal["drop", "keep"] = "drop"
    shuffle: bool = True

    def steps_per_epoch(self, images: int) -> int:
        """Count the batches of an epoch."""
        return images // self.size if self.remainder == "drop" else -(-images // self.size)


class ClassSorted(Iid):
    """Batches that walk through the training set class by class, shuffled within each class for every epoch."""

    kind: Literal["sorted"]  # pyright: ignore[reportIncompatibleVariableOverride]


class NonIid(Strict):
    """Batches of few classes: `classes` at random, equally many images of each, drawn afresh at every step.

    `size` is the whole batch and must be a multiple of `classes`. The paper has 16 labels x 2 images. [BRN17, sec. 4.3]
    """

    kind: Literal["non_iid"]
    classes: int = Field(ge=1)
    size: int = Field(ge=1)

    @model_validator(mode="after")
    def _divides(self) -> "NonIid":
        if self.size % self.classes:
            raise ValueError(f"expected size ({self.size}) to be a multiple of classes ({self.classes})")
        return self

    @property
    def images(self) -> int:
        """How many images of each class a batch has."""
        return self.size // self.classes

    def steps_per_epoch(self, images: int) -> int:
        """Count the steps in which as many images are seen as there are."""
        return max(1, images // self.size)


Batch = Annotated[Full | Iid | ClassSorted | NonIid, Field(discriminator="kind")]


class SGD(Strict):
    """parameter -= lr gradient."""

    kind: Literal["sgd"]
    lr: float = Field(default=0.01, ge=0, description="learning rate")


class MomentumSGD(Strict):
    """v = momentum v - lr gradient; parameter += v."""

    kind: Literal["momentum_sgd"] = "momentum_sgd"
    lr: float = Field(default=0.01, ge=0, description="learning rate")
    momentum: float = Field(default=0.9, ge=0, lt=1)


class Adam(Strict):
    """Adam, as Chainer has it."""

    kind: Literal["adam"]
    lr: float = Field(default=0.001, ge=0, description="learning rate, Chainer's alpha")
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    eps: float = Field(default=1e-8, gt=0)


class RMSprop(Strict):
    """RMSprop, as Chainer has it."""

    kind: Literal["rmsprop"]
    lr: float = Field(default=0.01, ge=0, description="learning rate")
    alpha: float = Field(default=0.99, ge=0, lt=1, description="weight of the old mean square")
    eps: float = Field(default=1e-8, gt=0)


Optimizer = Annotated[SGD | MomentumSGD | Adam | RMSprop, Field(discriminator="kind")]


class EarlyStopping(Strict):
    """End a training that no longer gets better on the validation split, and go back to the weights that were best."""

    patience: int = Field(default=5, ge=1, description="records in a row without a better one that are waited for")
    watch: Literal["loss", "accuracy"] = Field(default="loss", description="what has to get better")


class Training(Strict):
    """How the network learns."""

    batch: Batch = Field(default=Full(kind="full"), description="full, a size, or a regime")
    micro_batch: int | None = Field(default=None, ge=1, description="normalise within so many images; null: the batch")
    steps: DurationField = Field(default=steps(50), description="length of the training, in steps or epochs")
    optimizer: Optimizer = MomentumSGD()
    loss: Literal["cross_entropy", "mean_squared_error"] = Field(
        default="cross_entropy", description="the latter is a mean over images and classes"
    )
    weight_decay: float = Field(default=0.0, ge=0, description="L2 penalty: its gradient is so much times the weight")
    l1_decay: float = Field(
        default=0.0, ge=0, description="L1 penalty: its gradient is so much times the weight's sign"
    )
    early_stopping: EarlyStopping | None = Field(default=None, description="needs data.validation; null: never")


class Evaluation(Strict):
    """When and how the network is judged."""

    every: DurationField = Field(default=steps(1), description="a record after every so much training")
    statistics: Literal["running", "batch", "population"] = Field(
        default="running",
        description="what normalises: running averages, the evaluated set's own, or the training set's, recomputed",
    )
    average: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="judge the moving average of the weights, of this decay; null: the weights",
    )
    training_set: bool = Field(
        default=False,
        description="train_loss and train_accuracy of all training images in inference mode, and a record at step 0",
    )
    penalty: bool = Field(default=False, description="losses on record have the L1 and L2 penalties in them")
    parameters: bool = Field(default=False, description="keep the trained weights, gamma and beta")


class Settings(Strict):
    """All that decides a training but its seed."""

    data: Data = Data()
    model: Model = Model()
    norm: Norm = BatchNorm(kind="batch")
    training: Training = Training()
    evaluation: Evaluation = Evaluation()


_PAPER_SCHEDULE = {"r_max": 3.0, "d_max": 5.0, "warmup": 5_000, "ramp_r": 35_000, "ramp_d": 20_000}


def unfold(settings: dict[str, Any]) -> dict[str, Any]:
    """Write shorthands out: `batch: full`, `batch: 32`, an optimizer without kind, `schedule: paper`, names.

    `schedule: paper` stands for the five numbers of [BRN17, sec. 4]: a warm-up to step 5k, d_max to 25k, r_max to 40k.
    """
    settings = dict(settings)
    if isinstance(settings.get("model"), dict):
        settings["model"] = network.unfold(settings["model"])
    training = settings.get("training")
    if isinstance(training, dict):
        settings["training"] = training = dict(training)
        batch, optimizer = training.get("batch"), training.get("optimizer")
        if batch == "full":
            training["batch"] = {"kind": "full"}
        elif type(batch) is int:
            training["batch"] = {"kind": "iid", "size": batch}
        if isinstance(optimizer, dict) and "kind" not in optimizer:
            training["optimizer"] = {"kind": "momentum_sgd", **optimizer}
    norm = settings.get("norm")
    if isinstance(norm, dict) and norm.get("schedule") == "paper":
        settings["norm"] = {**_PAPER_SCHEDULE, **{key: value for key, value in norm.items() if key != "schedule"}}
    return settings
