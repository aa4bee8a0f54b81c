"""How a comparison ends that cannot go on: the line that says what is kept, and the exit code."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

INTERRUPTED = 130


class Ended(Exception):
    """A command that ends early: the line to print on standard error, and the exit code."""

    def __init__(self, line: str, code: int):
        super().__init__(line)
        self.code = code


class Course:
    """How far a comparison is: `has_begun` tells whether its training has begun."""

    has_begun: Callable[[], bool] = staticmethod(lambda: False)


@contextmanager
def of_comparison() -> Iterator[Course]:
    """Yield a `Course`; an interrupt and a failing disk or GPU become `Ended`, which says how to go on."""
    course = Course()
    try:
        yield course
    except KeyboardInterrupt:
        where = (
            "; the same command goes on from the last checkpoint"
            if course.has_begun()
            else " before the training began"
        )
        raise Ended(f"interrupted{where}", INTERRUPTED) from None
    except OSError as error:
        raise Ended(f"{error}; finished trials are kept, the same command goes on from them", 1) from error
