"""One network to train, with every setting resolved, and the address of its result."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from bnrenorm.config.schema import Settings

RESULTS = 3
"""Raised whenever a change may move a trial's numbers: stored trials of another number are trained again."""

Point = tuple[tuple[str, Any], ...]
"""A point of a grid, as (axis, value) pairs."""


@dataclass(frozen=True)
class Trial:
    """One network: a variant at a grid point with a seed, every duration resolved to steps."""

    variant: str
    point: tuple[tuple[str, Any], ...]
    seed: int
    settings: Settings

    def key(self, checksum: str, engine: str) -> str:
        """Return the address of the trial's result: a hash of all that decides its numbers.

        checksum: of the images; engine: `engines.backend.Backend.address`, because engines differ in rounding, and
        results of different ones must not be compared as if they were of one.
        """
        content = {
            "results": RESULTS,
            "data": checksum,
            "engine": engine,
            "seed": self.seed,
            "settings": self.resolved(),
        }
        return digest(content)

    def resolved(self) -> dict[str, Any]:
        """Return the settings as plain data, without the path of the images: their checksum tells which they are."""
        return self.settings.model_dump(mode="json", exclude={"data": {"path"}})


def digest(content: Any) -> str:
    """Hash plain data to 16 hexadecimal digits, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
