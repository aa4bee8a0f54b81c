"""The comment at the top of a config: its question, the expected answer, the command, the time."""

import re
from dataclasses import dataclass

_FIELD = re.compile(r"# (Question|Expected|Command|Time): +(.*)")
_CONTINUED = re.compile(r"#  +(.*)")


@dataclass(frozen=True)
class Header:
    """What the header of a config says: a field per word, "" where it is missing."""

    question: str = ""
    expected: str = ""
    command: str = ""
    time: str = ""


def read(text: str) -> Header:
    """Return the header of a config's text. Lines of a field that are indented further belong to it, others do not."""
    fields: dict[str, str] = {}
    current = None
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        begin, more = _FIELD.match(line), _CONTINUED.match(line)
        if begin:
            current = begin[1].lower()
            fields[current] = begin[2].strip()
        elif more and current:
            fields[current] += f" {more[1].strip()}"
        else:
            current = None
    return Header(**fields)
