"""YAML with the line of every key, so that an error can say where it is."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from bnrenorm.errors import InputError

Path = tuple[str | int, ...]

_MOST_NODES = 100_000  # aliases of aliases can make a small file a huge document, an alias of itself an endless one
_DEEPEST = 20


@dataclass
class Document:
    """The plain data of a config, and where each key came from: "FILE:LINE" or an option of the command line."""

    source: str
    data: dict[str, Any]
    places: dict[Path, str] = field(default_factory=dict)

    def place(self, path: Path) -> str:
        """Return where the longest known beginning of a key's path stands."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, self.source)

    def override(self, assignment: str) -> None:
        """Apply a "key.of.this=value" of the command line, the value read as YAML."""
        key, equals, text = assignment.partition("=")
        if not equals or not all(key.split(".")):
            raise InputError(f"--set {assignment}: expected KEY=VALUE, e.g. --set training.steps=10")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InputError(f"--set {assignment}: the value is not YAML") from error
        self.assign(key, value, f"--set {assignment}")

    def assign(self, key: str, value: Any, place: str) -> None:
        """Replace the value of a dotted key; `place` says in messages where it came from.

        What follows "grid." is an axis, whose own dots are part of it: grid.training.batch.size.
        """
        *parents, last = path = self._path(key)
        target = self.data
        for depth, parent in enumerate(parents, start=1):
            if parent not in target:
                self.places[path[:depth]] = place
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise InputError(f"{place}: {parent} is not a group of settings")
        target[last] = value
        for old in [known for known in self.places if known[: len(path)] == path]:
            del self.places[old]
        self.places[path] = place

    def _path(self, key: str) -> tuple[str, ...]:
        parts = key.split(".")
        if parts[0] != "grid" or len(parts) == 1:
            return tuple(parts)
        axes = self.data.get("grid") or {}
        lengths = [n for n in range(2, len(parts) + 1) if ".".join(parts[1:n]) in axes]
        last = max(lengths, default=len(parts))  # a new axis is all that follows
        return ("grid", ".".join(parts[1:last]), *parts[last:])


def parse(text: str, source: str) -> Document:
    """Read a YAML mapping. Raises InputError for bad YAML, a duplicate key, or anything but a mapping."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise InputError(f"{source}{line}: not YAML: {getattr(error, 'problem', None) or error}") from error
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{source}: expected settings (key: value), found {'nothing' if node is None else node.tag}")
    places: dict[Path, str] = {}
    return Document(source, _Reader(source, places).read(node, ()), places)


class _Reader:
    def __init__(self, source: str, places: dict[Path, str]):
        self.source, self.places = source, places
        self.scalars = yaml.SafeLoader("")

    def read(self, node: yaml.Node, path: Path) -> Any:
        place = f"{self.source}:{node.start_mark.line + 1}"
        self.places.setdefault(path, place)
        if len(self.places) > _MOST_NODES or len(path) > _DEEPEST:
            raise InputError(f"{place}: the document unfolds to too many or too deep values")
        if node.tag not in yaml.SafeLoader.yaml_constructors:
            raise InputError(f"{place}: {dotted(path)}: unknown tag {node.tag}")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*path, i)) for i, child in enumerate(node.value)]
        try:
            return self.scalars.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            raise InputError(f"{place}: {dotted(path)}: cannot read {node.value!r}") from error

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = f"{self.source}:{key_node.start_mark.line + 1}"
            key = str(key_node.value)
            if key in result:
                raise InputError(f"{place}: {dotted((*path, key))}: duplicate key, set before in the same group")
            self.places[(*path, key)] = place
            result[key] = self.read(value_node, (*path, key))
        return result


def dotted(path: Iterable[str | int]) -> str:
    """Write a key's path as the user does: training.optimizer.lr."""
    return ".".join(str(part) for part in path)


def unknown(name: str, allowed: Iterable[str], what: str = "key") -> str:
    """Say that a name is unknown, with the nearest allowed one and all of them."""
    names = sorted(allowed)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"unknown {what} {name!r}; {hint}allowed: {', '.join(names)}"
