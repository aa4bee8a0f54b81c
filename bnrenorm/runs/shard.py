"""A part of an experiment's trials, for the jobs of an array: the same part whatever is stored already."""

import re
from dataclasses import dataclass

from bnrenorm.config import Trial
from bnrenorm.errors import InputError
from bnrenorm.network import mlp

_LIMIT = 100_000


@dataclass(frozen=True)
class Shard:
    """Part `number`, from 1, of `of`."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def keys(self, keys: dict[Trial, str]) -> dict[Trial, str]:
        """Return those of an experiment's trials, with their keys, that belong to this part.

        Trials of each structure are dealt out in turn, so that all parts have about as much to do; trials that share a
        key are one.
        """
        alike = {key: trial for trial, key in reversed(keys.items())}  # the first trial of each key
        structures = {key: mlp.structure(trial) for key, trial in reversed(alike.items())}
        ranks = {structure: rank for rank, structure in enumerate(dict.fromkeys(structures.values()))}
        dealt = sorted(structures, key=lambda key: ranks[structures[key]])
        own = set(dealt[self.number - 1 :: self.of])
        return {trial: key for trial, key in keys.items() if key in own}


def parse(text: str) -> Shard:
    """Read "2/8". Raises InputError for anything else than I/N with I from 1 to N."""
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    shard = Shard(*map(int, match.groups())) if match else Shard(0, 0)
    if not 1 <= shard.number <= shard.of <= _LIMIT:
        raise InputError(f"--shard {text}: expected I/N with I from 1 to N, such as 2/8")
    return shard
