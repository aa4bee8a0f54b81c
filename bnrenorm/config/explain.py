"""pydantic's findings as one line: the place, the key, the value and what was expected."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bnrenorm.config.document import Document, Path, dotted, unknown
from bnrenorm.errors import InputError

Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], data: dict[str, Any], origins: Mapping[Path, Path], document: Document) -> Model:
    """Make the model of plain data. Raises InputError for the first mistake.

    `origins` maps the path of a key in data to its path in the document, where the two differ.
    """
    try:  # by way of JSON, where a list may become a tuple while all else stays strict
        return model.model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        first = error.errors()[0]
    path = _strip_tags(first["loc"], data)
    known = path
    while known and known not in origins:
        known = known[:-1]
    origin = (*origins[known], *path[len(known) :]) if known in origins else path
    place = document.place(path if path in document.places and origin not in document.places else origin)
    raise InputError(f"{place}: {_message(first, path, model)}")


def foreign(model: type[BaseModel], data: dict[str, Any]) -> set[Path]:
    """Find the paths of the keys that the model does not know."""
    try:
        model.model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        return {_strip_tags(each["loc"], data) for each in error.errors() if each["type"] == "extra_forbidden"}
    return set()


def _strip_tags(loc: tuple[str | int, ...], data: Any) -> Path:
    """Drop the parts of pydantic's location that name a member of a union instead of a key."""
    path: list[str | int] = []
    for i, part in enumerate(loc):
        last = i == len(loc) - 1
        if isinstance(data, dict) and data.get("kind") == part and part not in data and not last:
            continue
        path.append(part)
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            data = data[part]
    return tuple(path)


def _message(error: ErrorDetails, path: Path, model: type[BaseModel]) -> str:
    key, value, kind = dotted(path), error["input"], error["type"]
    if kind == "extra_forbidden":
        return unknown(key, [dotted((*path[:-1], name)) for name in _fields(model, error["loc"][:-1])])
    if kind == "union_tag_invalid":
        tags = [tag.strip(" '") for tag in error.get("ctx", {})["expected_tags"].split(",")]
        return f"{key}: {unknown(str(value['kind']), tags, 'kind')}"
    if kind == "union_tag_not_found":
        return f"{key} has no kind"
    if kind == "missing":
        return f"{key} is missing"
    expected = error["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    return f"{key} is {value!r}, {expected}{_hint(value)}"


def _hint(value: Any) -> str:
    """Explain a number that YAML 1.1 took for text: it wants a dot in the mantissa and a sign in the exponent."""
    try:
        number = float(value) if isinstance(value, str) else None
    except ValueError:
        return ""
    return "" if number is None else f" (YAML 1.1 reads {value} as text; write {_yaml_float(number)})"


def _yaml_float(number: float) -> str:
    text = f"{number:e}"
    mantissa, exponent = text.split("e")
    return f"{mantissa.rstrip('0').ljust(len(mantissa.split('.')[0]) + 2, '0')}e{exponent}"


def _fields(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """List the fields of the model at a location, walking through unions by their tags."""
    found: Any = model
    for part in loc:
        if isinstance(found, list):  # the members of a union, of which part is the tag
            found = next(member for member in found if part in _tags(member))
            continue
        annotation = found.model_fields[part].annotation
        members = list(get_args(annotation))
        found = members if members and all(isinstance(member, type) for member in members) else annotation
    return list(found.model_fields)


def _tags(member: type[BaseModel]) -> tuple[str, ...]:
    return get_args(member.model_fields["kind"].annotation)
