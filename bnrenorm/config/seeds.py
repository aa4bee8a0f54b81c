"""The seeds of an experiment: a config gives a count or a list of them, and a message says how to ask for some."""

from collections.abc import Sequence

from bnrenorm.config import limits
from bnrenorm.config.document import Document
from bnrenorm.config.reader import shown
from bnrenorm.errors import InputError

_LISTED = 6  # seeds in a row that are listed one by one


def read(document: Document) -> tuple[int, ...]:
    """Return the seeds that a document asks for, 0 alone by default.

    Raises InputError unless they are a count or a list of different whole numbers, within the limits.
    """
    value = document.data.get("seeds", 1)
    location = document.location(("seeds",))
    if type(value) is int:
        if not 1 <= value <= limits.TRIALS:
            raise InputError(f"{location}: seeds is {value}, expected at least 1 and at most {limits.TRIALS:,}")
        return tuple(range(value))
    if not isinstance(value, list) or not value or not all(type(seed) is int and seed >= 0 for seed in value):
        raise InputError(f"{location}: seeds is {shown(value)}, expected a count or a list of numbers from 0")
    if max(value) > limits.SEED:
        raise InputError(f"{location}: seeds has {max(value)}, expected numbers up to 2^53 - 1")
    if len(set(value)) < len(value):
        raise InputError(f"{location}: seeds {shown(value)} has a repeated seed, expected each once")
    return tuple(value)


def compact(seeds: Sequence[int]) -> int | list[int]:
    """Return seeds as a config gives them: a count if they are 0, 1, ..., else a list."""
    return len(seeds) if list(seeds) == list(range(len(seeds))) else list(seeds)


def listed(seeds: Sequence[int]) -> str:
    """Return "0, 1, 2", or "0 to 29" of more than six in a row."""
    if len(seeds) > _LISTED and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def option(seeds: Sequence[int]) -> str:
    """Return what asks for these seeds on the command line."""
    value = compact(seeds)
    return f"--seeds {value}" if isinstance(value, int) else f"--set 'seeds=[{','.join(map(str, value))}]'"


def followed_by(seeds: Sequence[int], more: int) -> list[int]:
    """Return seeds and so many more: the next ones after the highest."""
    first = max(seeds, default=-1) + 1
    return [*seeds, *range(first, first + more)]
