"""Validation errors in one line: location, key, value and what was expected, instead of pydantic's report."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bnrenorm.config.document import Document, Path, dotted, unknown
from bnrenorm.errors import InputError

Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], data: dict[str, Any], origins: Mapping[Path, Path], document: Document) -> Model:
    """Validate plain data and return the model. Raises InputError for the first mistake.

    `origins` maps paths in data to paths in the document, where the two differ.
    """
    try:  # via JSON: pydantic's strict mode then accepts a list for a tuple, and nothing else
        return model.model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        first = error.errors()[0]
    path = _strip_tags(first["loc"], data)
    raise InputError(f"{_location(path, origins, document)}: {_message(first, path, model)}")


def _location(path: Path, origins: Mapping[Path, Path], document: Document) -> str:
    prefix = path
    while prefix and prefix not in origins:
        prefix = prefix[:-1]
    origin = (*origins[prefix], *path[len(prefix) :]) if prefix in origins else path
    in_base_only = path in document.locations and origin not in document.locations
    return document.location(path if in_base_only else origin)


def unknown_paths(model: type[BaseModel], data: dict[str, Any]) -> set[Path]:
    """Return the paths of all keys in data that the model does not have."""
    try:
        model.model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        details = error.errors()
        return {_strip_tags(detail["loc"], data) for detail in details if detail["type"] == "extra_forbidden"}
    return set()


def _strip_tags(loc: tuple[str | int, ...], data: Any) -> Path:
    """Remove from pydantic's location the parts that name a member of a union (a `kind`), which are no keys."""
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
    """Explain a number like 1e-5 that YAML 1.1 reads as text: it requires a dot in the mantissa, as in 1.0e-5."""
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
    """Return the field names of the model at a pydantic location; in a union the location contains the member's tag."""
    current: Any = model
    for part in loc:
        if isinstance(current, list):  # the members of a union; part is the tag of one of them
            current = next(member for member in current if part in _tags(member))
            continue
        annotation = current.model_fields[part].annotation
        members = list(get_args(annotation))
        current = members if members and all(isinstance(member, type) for member in members) else annotation
    return list(current.model_fields)


def _tags(member: type[BaseModel]) -> tuple[str, ...]:
    return get_args(member.model_fields["kind"].annotation)
