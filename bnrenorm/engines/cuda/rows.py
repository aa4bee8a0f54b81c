"""How the images of a batch are divided: groups that are normalised together, and pieces that one block takes."""

from enum import IntEnum
from typing import Any, NamedTuple

Array = Any

PIECE = 256
"""Images of a piece at most: a batch of 100 is one, and one of 60,000 fills a GPU with blocks."""

SUMMED = 1024
"""Images whose gradient of weights is one sum: longer sums are slow, as few blocks take part, and round more."""


def pieces_of(n: int) -> int:
    """Return the number of sums that a gradient over n images is made of, of equal length if n has a fit divisor."""
    least = -(-n // SUMMED)
    return next((pieces for pieces in range(least, 2 * least) if n % pieces == 0), least)


def piece_length(n: int, pieces: int) -> int:
    """Return the images of a piece; the last one may have fewer."""
    return -(-n // pieces)


class Mode(IntEnum):
    """The statistics that normalise, as numbered in `kernels/common.cuh`.

    TRAINING: the batch's own, corrected by r and d, which also move the running ones. FROZEN: those without moving the
    running ones. OWN: the batch's own alone. RUNNING: the running ones.
    """

    TRAINING = 0
    FROZEN = 1
    OWN = 2
    RUNNING = 3


class Rows(NamedTuple):
    """`n` images in groups of `group`, which are normalised together; a group is cut into `pieces` of equal length."""

    n: int
    group: int
    pieces: int

    @property
    def groups(self) -> int:
        """Number of groups."""
        return self.n // self.group

    @property
    def total(self) -> int:
        """Number of pieces of all groups."""
        return self.groups * self.pieces

    @property
    def length(self) -> int:
        """Images of a piece; the last one of a group may have fewer, but always has some."""
        return -(-self.group // self.pieces)

    def spans(self) -> list[tuple[int, int]]:
        """Return the first image of every piece and the one behind its last, group after group."""
        starts = [(g * self.group, piece * self.length) for g in range(self.groups) for piece in range(self.pieces)]
        return [(base + at, base + min(at + self.length, self.group)) for base, at in starts]


def divide(n: int, group: int = 0) -> Rows:
    """Divide n images into groups; 0 stands for a single one. `group` divides n."""
    return Rows(n, group or n, -(-(group or n) // PIECE))


class Mask(NamedTuple):
    """What the exact form of dropout keeps of a layer at a step: a node whose rank is below its replica's count.

    ranks (S, K) int32: `network.dropout.ranks` per seed; kept (R,) int32; seed_of (R,) int32: each replica's seed.
    """

    ranks: Array
    kept: Array
    seed_of: Array
