"""YAML with the line of every key, for error messages."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from bnrenorm.errors import InputError

Path = tuple[str | int, ...]

# Aliases of aliases can unfold a small file to a huge document, and an alias of itself to an endless one.
_MAX_NODES = 100_000
_MAX_DEPTH = 20


@dataclass
class Document:
    """A config as plain data, with the location of each key: "FILE:LINE", or the command-line option that set it."""

    source: str
    data: dict[str, Any]
    locations: dict[Path, str] = field(default_factory=dict)

    def location(self, path: Path) -> str:
        """Return the location of a key, or of the innermost group around it that is in the document."""
        while path and path not in self.locations:
            path = path[:-1]
        return self.locations.get(path, self.source)

    def override(self, assignment: str) -> None:
        """Apply a command-line assignment "KEY=VALUE": a dotted key and a value in YAML.

        Raises InputError if it is not of this form.
        """
        key, equals, text = assignment.partition("=")
        if not equals or not all(key.split(".")):
            raise InputError(f"--set {assignment}: expected KEY=VALUE, e.g. --set training.steps=10")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InputError(f"--set {assignment}: the value is not YAML") from error
        self.assign(key, value, f"--set {assignment}")

    def assign(self, key: str, value: Any, location: str) -> None:
        """Set a dotted key; `location` is what error messages say about its origin.

        What follows "grid." is the name of an axis, which may contain dots: grid.training.batch.size. Raises InputError
        if a parent of the key is not a group.
        """
        *parents, name = path = self._path(key)
        target = self.data
        for depth, parent in enumerate(parents, start=1):
            if parent not in target:
                self.locations[path[:depth]] = location
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise InputError(f"{location}: {parent} is not a group of settings")
        target[name] = value
        for replaced in [known for known in self.locations if known[: len(path)] == path]:
            del self.locations[replaced]
        self.locations[path] = location

    def _path(self, key: str) -> tuple[str, ...]:
        """Split a dotted key, except the dots inside the name of a grid axis."""
        parts = key.split(".")
        if parts[0] != "grid" or len(parts) == 1:
            return tuple(parts)
        axes = self.data.get("grid") or {}
        lengths = [n for n in range(2, len(parts) + 1) if ".".join(parts[1:n]) in axes]
        end = max(lengths, default=len(parts))  # a new axis: its name is all that follows
        return ("grid", ".".join(parts[1:end]), *parts[end:])


def parse(text: str, source: str) -> Document:
    """Parse a YAML mapping; `source` names the file in messages.

    Raises InputError for invalid YAML, a duplicate key, or a document that is not a mapping.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise InputError(f"{source}{line}: not YAML: {getattr(error, 'problem', None) or error}") from error
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{source}: expected settings (key: value), found {'nothing' if node is None else node.tag}")
    locations: dict[Path, str] = {}
    return Document(source, _Reader(source, locations).read(node, ()), locations)


class _Reader:
    def __init__(self, source: str, locations: dict[Path, str]):
        self.source, self.locations = source, locations
        self.scalars = yaml.SafeLoader("")

    def read(self, node: yaml.Node, path: Path) -> Any:
        location = f"{self.source}:{node.start_mark.line + 1}"
        self.locations.setdefault(path, location)
        if len(self.locations) > _MAX_NODES or len(path) > _MAX_DEPTH:
            raise InputError(f"{location}: the document unfolds to too many or too deep values")
        if node.tag not in yaml.SafeLoader.yaml_constructors:
            raise InputError(f"{location}: {dotted(path)}: unknown tag {node.tag}")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*path, i)) for i, child in enumerate(node.value)]
        try:
            return self.scalars.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            raise InputError(f"{location}: {dotted(path)}: cannot read {node.value!r}") from error

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            location = f"{self.source}:{key_node.start_mark.line + 1}"
            key = str(key_node.value)
            if key in result:
                raise InputError(f"{location}: {dotted((*path, key))}: duplicate key, set before in the same group")
            self.locations[(*path, key)] = location
            result[key] = self.read(value_node, (*path, key))
        return result


def dotted(path: Iterable[str | int]) -> str:
    """Join a key's path with dots: training.optimizer.lr."""
    return ".".join(str(part) for part in path)


def unknown(name: str, allowed: Iterable[str], what: str = "key") -> str:
    """Return the message for an unknown name: the most similar allowed name, and all allowed names."""
    names = sorted(allowed)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"unknown {what} {name!r}; {hint}allowed: {', '.join(names)}"
