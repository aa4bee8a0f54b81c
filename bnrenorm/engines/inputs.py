"""The images of a group: scaled, split, and copied to its device."""

from typing import Any

import numpy as np

from bnrenorm.config.schema import Settings
from bnrenorm.data import scaling
from bnrenorm.data.dataset import Dataset
from bnrenorm.data.sampling import Sampler

Array = Any


class Inputs:
    """Training set, evaluation sets and batch sampler of a group of trials, on its Chainer device.

    images (N, D) float32 and labels (N,) int32 are the training set without the validation set. `eval_sets` maps
    "test", and "validation" and "train" if the settings ask for them, to (images, labels).
    """

    def __init__(self, settings: Settings, data: Dataset, device: Any):
        learning, validation = data.split(settings.data.validation)
        scale = scaling.fit(settings.data.scaling, settings.data.scaling_axis, learning[0])

        def send(images: np.ndarray, labels: np.ndarray) -> tuple[Array, Array]:
            return device.send(scale(images)), device.send(labels)

        self.batch = settings.training.batch
        self.sampler = Sampler(self.batch, learning[1])
        self.images, self.labels = send(*learning)
        self.eval_sets = {"test": send(data.scaled("test"), data.labels("test"))}
        if settings.data.validation:
            self.eval_sets["validation"] = send(*validation)
        if settings.evaluation.training_set:
            self.eval_sets["train"] = (self.images, self.labels)
