"""Read YAML as plain data with the line of every key, within `limits`; write it so that it is read back the same.

Scalars are those of YAML 1.2's core schema: 1e-3 is a number; no, on, 1_000 and dates are text.
"""

import numbers
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import yaml

from bnrenorm.config import limits
from bnrenorm.errors import InputError, cut

Path = tuple[str | int, ...]
"""Keys from the top of a document to a value; integers are indices of lists."""

_TAG = "tag:yaml.org,2002:"
_STR, _SEQ, _MAP = (f"{_TAG}{name}" for name in ("str", "seq", "map"))
_SHOWN = 100  # characters of a value that a message repeats


def _int(text: str) -> int:
    prefix = text[:2]
    return int(text[2:], {"0o": 8, "0x": 16}[prefix]) if prefix in ("0o", "0x") else int(text)


_REORDERING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # a sentence would show other numbers
_INFINITE = r"[-+]?\.(?:inf|Inf|INF)"
_SCALARS: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    f"{_TAG}null": ("~|null|Null|NULL|", "~nN", lambda text: None),
    f"{_TAG}bool": ("true|True|TRUE|false|False|FALSE", "tTfF", lambda text: text.lower() == "true"),
    f"{_TAG}int": ("[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789", _int),
    f"{_TAG}float": (
        rf"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|{_INFINITE}|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
        lambda text: float(re.sub(r"\.(?=inf|nan)", "", text.lower())),
    ),
}
"""Per tag: pattern of the whole scalar, first characters, and how its value is made. Any other scalar is text."""


At = Callable[[int], str]
"""Returns the location of a line of the text."""


class _Loader(yaml.BaseLoader):
    """Tags scalars by `_SCALARS`, and refuses a document beyond the limits while it is read."""

    def __init__(self, text: str, at: At):
        super().__init__(text)
        self.at, self.depth, self.values = at, 0, 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        self.values += 1
        if self.depth > limits.DEPTH + 1 or self.values > limits.VALUES:
            raise _too_much(self.at(self.peek_event().start_mark.line + 1))
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers: ClassVar[dict[Any, Any]] = {}


for _tag, (_pattern, _first, _) in _SCALARS.items():
    yaml.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), [*_first, ""], Loader=_Loader, Dumper=_Dumper)


def read(text: str, source: str) -> tuple[Any, dict[Path, str]]:
    """Read a YAML document; return its value, and the location "SOURCE:LINE" of every key and list item.

    Raises InputError for invalid YAML, a duplicate key, an unknown tag, control characters, or more than the limits.
    """
    reader = _Reader(lambda line: f"{source}:{line}")
    node = _compose(text, reader.at)
    return (None if node is None else reader.read(node, ())), reader.locations


def read_value(text: str, location: str) -> Any:
    """Read a YAML value from the command line; raises InputError as `read`.

    Text without quotes is taken whole, so that a # in the name of a file begins no comment.
    """
    reader = _Reader(lambda line: location)
    node = _compose(text, reader.at)
    whole = text.strip()
    is_plain = isinstance(node, yaml.ScalarNode) and node.style is None and whole[:1] not in ("!", "&")
    if node is None or is_plain:
        tags = [tag for tag, (pattern, *_) in _SCALARS.items() if re.fullmatch(pattern, whole)]
        node = yaml.ScalarNode(tags[0] if tags else _STR, whole)
    return reader.read(node, ())


def plain(value: Any, location: str) -> Any:
    """Return a Python value as what YAML would give: numbers, text, lists and dictionaries with text as keys.

    NumPy's numbers and arrays, tuples and paths are converted. Raises InputError for anything else.
    """
    budget = iter(range(limits.VALUES))

    def convert(value: Any, path: Path) -> Any:
        if len(path) > limits.DEPTH or next(budget, None) is None:
            raise _too_much(location)
        value = getattr(value, "tolist", lambda: value)()  # of NumPy, which this module does not import
        match value:
            case None | bool():
                return value
            case str() | os.PathLike():
                return _text(os.fspath(value), location)
            case numbers.Integral():
                return _int(_digits(str(int(value)), location))
            case numbers.Real():
                return float(value)
            case Mapping():
                keys = [convert(str(key), path) for key in value]
                if len(set(keys)) < len(keys):
                    raise InputError(f"{location}:{_at(path)} two keys are the same as text, expected each once")
                return {key: convert(inner, (*path, key)) for key, inner in zip(keys, value.values(), strict=True)}
            case Iterable():
                return [convert(inner, (*path, i)) for i, inner in enumerate(value)]
        kind = type(value).__name__
        raise InputError(f"{location}:{_at(path)} expected numbers, text, lists and dictionaries, not {kind}")

    return convert(value, ())


def _at(path: Path) -> str:
    return f" {dotted(path)}:" if path else ""


def dump(data: Any, *, flow: bool = False) -> str:
    """Write plain data as YAML that `read` reads back the same; `flow`: innermost lists and groups on one line."""
    style = {"default_flow_style": None, "width": float("inf")} if flow else {}
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, **style)


def dotted(path: Iterable[str | int]) -> str:
    """Join a key's path with dots: training.optimizer.lr."""
    return ".".join(str(part) for part in path)


def shown(value: Any) -> str:
    """Return a value as messages repeat it: on one line, a group as in YAML, cut if it is long."""
    if isinstance(value, dict):
        text = f"{{{', '.join(f'{key}: {inner!r}' for key, inner in value.items())}}}"
    else:
        text = repr(value)
    return cut(text, _SHOWN)


def unquoted(value: Any) -> str:
    """Return a remark about a number or truth value where text is expected; "" for other values."""
    return " (quote it to make it text)" if isinstance(value, bool | int | float) else ""


def _compose(text: str, at: At) -> yaml.Node | None:
    try:
        return _Loader(text, at).get_single_node()
    except InputError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # also for "\\UFFFFFFFF", which is no character
        mark = getattr(error, "problem_mark", None)
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise InputError(f"{at(mark.line + 1 if mark else 1)}: not YAML: {problem}") from error


class _Reader:
    """Makes values of YAML nodes."""

    def __init__(self, at: At):
        self.at = at
        self.locations: dict[Path, str] = {}

    def read(self, node: yaml.Node, path: Path) -> Any:
        location = self.at(node.start_mark.line + 1 if node.start_mark else 1)
        self.locations.setdefault(path, location)
        if len(self.locations) > limits.VALUES or len(path) > limits.DEPTH:
            raise _too_much(location)  # aliases unfold a small file to a large document, or to an endless one
        if isinstance(node, yaml.MappingNode) and node.tag == _MAP:
            return {key: self.read(value, (*path, key)) for key, value in self._items(node, path)}
        if isinstance(node, yaml.SequenceNode) and node.tag == _SEQ:
            return [self.read(child, (*path, i)) for i, child in enumerate(node.value)]
        where = ": ".join(filter(None, (location, dotted(path))))
        if isinstance(node, yaml.ScalarNode) and node.tag == _STR:
            return _text(node.value, where)
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _SCALARS:
            raise InputError(f"{where}: unknown tag {node.tag}")
        pattern, _, make = _SCALARS[node.tag]
        if not re.fullmatch(pattern, node.value):
            raise InputError(f"{where}: {shown(node.value)} is no {node.tag.removeprefix(_TAG)}")
        value = make(_digits(node.value, where))
        if isinstance(value, float) and abs(value) == float("inf") and not re.fullmatch(_INFINITE, node.value):
            raise InputError(f"{where}: {shown(node.value)} is too large for a number")
        return value

    def _items(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, yaml.Node]]:
        keys = set()
        for key_node, value_node in node.value:
            location = self.at(key_node.start_mark.line + 1)
            if not isinstance(key_node, yaml.ScalarNode):
                raise InputError(f"{location}: {dotted(path)} has a key that is no name")
            key = _text(key_node.value, location)
            if any(unicodedata.bidirectional(character) in _REORDERING for character in key):
                raise InputError(
                    f"{location}: {shown(key)} has a character that reorders text, expected none in a name"
                )
            if key in keys:
                raise InputError(f"{location}: {dotted((*path, key))}: duplicate key, set before in the same group")
            keys.add(key)
            self.locations[(*path, key)] = location
            yield key, value_node


def _text(text: str, where: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise InputError(f"{where}: {shown(text)} has a line break, a control character or half a character")
    return text


def _digits(text: str, where: str) -> str:
    if len(text) > limits.DIGITS:
        raise InputError(f"{where}: a number of {len(text)} characters, expected at most {limits.DIGITS}")
    return text


def _too_much(location: str) -> InputError:
    size = f"at most {limits.VALUES:,} keys and values, aliases unfolded"
    return InputError(f"{location}: expected {size}, and at most {limits.DEPTH} groups or lists inside each other")
