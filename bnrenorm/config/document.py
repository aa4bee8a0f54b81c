"""A config as plain data that remembers where each key stands, and the settings that override it."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bnrenorm.config import header, limits, reader
from bnrenorm.config.reader import Path, dotted, shown
from bnrenorm.config.shorthands import as_group
from bnrenorm.errors import InputError, cut

_SHOWN = 200  # characters of an option that a message repeats, and of a name that is compared with others


@dataclass
class Document:
    """A config, with the location of each key: "FILE:LINE", or the option that set it.

    `overrides` maps the keys that were set after the file had been read to their locations; `question` is the one that
    the file's header asks, "" if it has none.
    """

    source: str
    data: dict[str, Any]
    locations: dict[Path, str] = field(default_factory=dict)
    overrides: dict[Path, str] = field(default_factory=dict)
    question: str = ""

    def location(self, path: Path) -> str:
        """Return the location of a key, or of the innermost group around it that is in the document."""
        while path and path not in self.locations:
            path = path[:-1]
        return self.locations.get(path, self.source)

    def key(self, path: Path) -> str:
        """Return the key to set for a setting at a path: for one that an axis with a list of values gives, the axis."""
        value: Any = self.data
        for depth, part in enumerate(path):
            if isinstance(value, list):
                return dotted(path[:depth])
            value = value.get(part) if isinstance(value, dict) else None
        return dotted(path)

    def override(self, assignment: str) -> None:
        """Apply a command-line assignment "KEY=VALUE": a dotted key and a value in YAML.

        Raises InputError if it is not of this form.
        """
        location = f"--set {cut(assignment, _SHOWN)}"
        key, equals, text = assignment.partition("=")
        if not equals:
            raise InputError(f"{location}: expected KEY=VALUE, e.g. --set training.steps=10")
        self.assign(key, reader.read_value(text, location), location)

    def assign(self, key: str, value: Any, location: str) -> None:
        """Set a dotted key to plain data; `location` is what error messages say about its origin.

        Names with dots in them are recognised, such as the axis in grid.training.batch.size; in a list, a name is an
        index. Another `kind` replaces its group, except what was set before. Raises InputError if there is no such
        place, as for a part of a variant that there is not.
        """
        path = self._path(key, location)
        variants = self.data.get("variants") or {}
        if path[0] == "variants" and path[2:] and isinstance(variants, dict) and path[1] not in variants:
            whole = f"a new one is set as a whole, such as variants.{path[1]}={{norm: {{kind: batch}}}}"
            raise InputError(f"{location}: {unknown(str(path[1]), variants, 'variant')}; {whole}")
        group: Any = self.data
        for depth, parent in enumerate(path[:-1], start=1):
            value_there = group.get(parent) if isinstance(group, dict) else group[parent]
            inner = value_there if isinstance(value_there, list) else as_group(parent, value_there)
            if inner is None:
                problem = f"{dotted(path[:depth])} is {shown(value_there)}"
                raise InputError(f"{location}: {problem}, expected a group of settings")
            if value_there is None:
                self.locations[path[:depth]] = location
            group[parent] = inner
            group = inner
        if path[-1] == "kind" and group.get("kind", value) != value:  # as in a variant
            kept = {key[: len(path)] for key in self.overrides}
            for other in [name for name in group if (*path[:-1], name) not in kept]:
                del group[other]
                self.locations.pop((*path[:-1], other), None)
        group[path[-1]] = value
        for known in (self.locations, self.overrides):
            for replaced in [other for other in known if other[: len(path)] == path]:
                del known[replaced]
            known[path] = location

    def _path(self, key: str, location: str) -> Path:
        """Split a dotted key into names: the longest that are in the document; a new axis of the grid is one name."""
        names = key.split(".")
        if not all(names) or len(names) > limits.DEPTH:
            raise InputError(f"{location}: {shown(key)} is no key, expected one such as training.steps")
        path: Path = ()
        group: Any = self.data
        while names:
            is_list = isinstance(group, list)
            here = list(map(str, range(len(group)))) if is_list else group if isinstance(group, dict) else ()
            lengths = [length for length in range(1, len(names) + 1) if ".".join(names[:length]) in here]
            if is_list and not lengths:
                raise InputError(f"{location}: {dotted(path)} has no item {names[0]}, expected 0 to {len(group) - 1}")
            length = max(lengths, default=len(names) if path == ("grid",) else 1)
            name = ".".join(names[:length])
            path = (*path, int(name) if is_list else name)
            group = group[path[-1]] if lengths else None
            names = names[length:]
        return path


def parse(text: str, source: str) -> Document:
    """Parse a YAML mapping; `source` names the file in messages.

    Raises InputError for what `reader.read` refuses, and for a document that is not a mapping.
    """
    data, locations = reader.read(text, source)
    if not isinstance(data, dict):
        content = "but the file is empty" if data is None else f"found {shown(data)}"
        raise InputError(f"{source}: expected settings (key: value), {content}")
    return Document(source, data, locations, question=header.read(text).question)


def unknown(name: str, allowed: Iterable[str], what: str) -> str:
    """Return the message for an unknown name: the most similar allowed name, and all allowed names."""
    names = sorted(allowed)
    return f"unknown {what} {shown(name)}; {hint(similar(name, names))}allowed: {', '.join(names) or 'none'}"


def similar(name: str, names: Iterable[str]) -> str:
    """Return the most similar of some names, whatever their case; "" if none is similar."""
    lower = {text.lower(): text for text in names}
    own = name[:_SHOWN].lower()
    near = difflib.get_close_matches(own, lower, n=1, cutoff=0.65)
    near = near or [text for text in lower if own and text.startswith(f"{own}_")]
    return lower[near[0]] if near else ""


def hint(name: str) -> str:
    """Return the question whether a name was meant, "" for no name."""
    return f"did you mean {name}? " if name else ""
