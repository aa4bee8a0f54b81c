"""The operations on files that can be made to fail, and how."""

import errno
import inspect
import os
import signal
from contextlib import suppress

from bnrenorm import disk

OPERATIONS = [name for name, value in vars(disk).items() if inspect.isfunction(value)]
WRITES = ("create", "replace", "sync", "delete", "delete_folder", "make", "try_to_write")
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
BROKEN = OSError(errno.EIO, os.strerror(errno.EIO))


class Faulty:
    """Lets the calls of one operation fail from number `first` on, so many of them; counts all calls.

    how: "error", "torn" (of `create`: half of the content is written before the error), or "kill" (of this process).
    """

    def __init__(self, name, first=0, count=1, how="error"):
        self.name, self.first, self.count, self.how = name, first, count, how
        self.real, self.calls = getattr(disk, name), 0

    def __call__(self, *arguments, **named):
        self.calls += 1
        if not self.first <= self.calls < self.first + self.count or not self.first:
            return self.real(*arguments, **named)
        if self.how in ("torn", "torn and killed"):
            path, data = arguments
            path.write_bytes(data[: len(data) // 2])
        if self.how.endswith("kill") or self.how.endswith("killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        raise FULL if self.name in WRITES else BROKEN

    def __enter__(self):
        setattr(disk, self.name, self)
        return self

    def __exit__(self, *error):
        with suppress(AttributeError):
            setattr(disk, self.name, self.real)
