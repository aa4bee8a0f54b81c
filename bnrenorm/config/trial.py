"""One network to train, with every setting resolved, and the key of its stored result."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bnrenorm.config.schema import Iid, Settings

RESULTS = 13
"""Version of the numbers. Increase it when a change may alter a trial's results: older stored trials are retrained."""

CUSTOM_RESULTS = 1
"""The same for trials with a norm of the user's own: what it draws at random, and how it is called."""

Point = tuple[tuple[str, Any], ...]
"""A point of a grid, as (axis, value) pairs."""


def short(axis: str) -> str:
    """Return an axis by the last part of its key: "lr" for training.optimizer.lr."""
    return axis.rpartition(".")[2]


def before(axis: str, value: Any) -> str:
    """Return what stands before a value: "lr", and "batches:" where words would run into words."""
    return f"{short(axis)}{':' * isinstance(value, str)}"


def value_text(value: Any) -> str:
    """Return a value of a grid as one writes it in a config: a float that is whole has no point, NaN is None.

    A column of a table may have made floats of its whole numbers, and NaN of None.
    """
    if value is None or value != value:
        return "null"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(value_text, value))}]"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.removesuffix(".0") if isinstance(value, float) else text


def point_text(point: Iterable[tuple[str, Any]]) -> str:
    """Return a point in words: "micro_batch 2, lr 0.1", "batches: few labels"."""
    return ", ".join(f"{before(axis, value)} {value_text(value)}" for axis, value in point)


@dataclass(frozen=True)
class Trial:
    """One network to train: a variant at a grid point with a seed, with all durations in steps."""

    variant: str
    point: Point
    seed: int
    settings: Settings

    def __hash__(self) -> int:
        """Hash what names a trial in an experiment: hashing all of its settings takes a hundred times as long."""
        return hash((self.variant, self.point, self.seed))

    @property
    def watched(self) -> str | None:
        """The validation value that early stopping watches, "loss" or "accuracy"; None without early stopping."""
        rule = self.settings.training.early_stopping
        return None if rule is None else rule.watch

    @property
    def depends_on_seed(self) -> bool:
        """Whether another seed gives other numbers: by the initial weights, the batches, dropout or a custom norm."""
        model, batch = self.settings.model, self.settings.training.batch
        weights: Any = model.weight_init
        is_constant = (
            weights.kind in ("zeros", "ones")
            or (weights.kind == "normal" and weights.std == 0)
            or (weights.kind == "uniform" and weights.min == weights.max)
        )
        is_in_order = batch.kind == "full" or (isinstance(batch, Iid) and not batch.shuffle)
        return not (is_constant and is_in_order) or model.dropout.drops or self.settings.norm.kind == "custom"

    def key(self, checksum: str, engine: str) -> str:
        """Return the key of the trial's stored result: a hash of everything that determines its numbers.

        checksum: of the images. engine: `engines.backend.Backend.address`; engines round differently, so no
        result is taken for that of another one.
        """
        return key_of(checksum, engine, self.seed, self.resolved())

    def resolved(self) -> dict[str, Any]:
        """Return the settings as plain data, except how the data is read: the checksum identifies images and labels."""
        return self.settings.model_dump(mode="json", exclude={"data": {"path", "first_label"}})


def key_of(checksum: str, engine: str, seed: int, settings: dict[str, Any]) -> str:
    """Return the key of a stored result (`Trial.key`) by what is stored with it."""
    content = {"results": RESULTS, "data": checksum, "engine": engine, "seed": seed, "settings": settings}
    if settings["norm"]["kind"] == "custom":
        content["custom"] = CUSTOM_RESULTS
    return digest(content)


def digest(content: Any) -> str:
    """Hash plain data to 16 hexadecimal digits, independent of the order of keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
