"""Validation errors in one line: location, key, value and what was expected, instead of pydantic's report."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bnrenorm.config.document import Document, hint, similar, unknown
from bnrenorm.config.merge import Cell, leaves
from bnrenorm.config.reader import Path, dotted, shown, unquoted
from bnrenorm.config.schema import Settings
from bnrenorm.config.shorthands import complete
from bnrenorm.errors import InputError

_EXPECTED = {
    "model_type": "a group of settings",
    "dict_type": "a group of settings",
    "tuple_type": "a list",
    "too_short": "a list that is not empty",
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing_size": "a number with fewer digits",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
}
"""What is expected, by pydantic's type of an error; elsewhere its own message says so."""

_WORDS = {"batch_size": "batch", "epochs": "steps", "layers": "hidden", "learning_rate": "lr", "momentum": "decay"}
"""Names of settings by those that they have elsewhere."""

_REMARKS = {"epochs": " (such as '3 epochs')", "momentum": " (1 - PyTorch's momentum)"}
"""What stands behind a name that is meant by one of `_WORDS`."""

_BOUNDS = {
    "greater_than_equal": ("ge", "from {:g} on"),
    "greater_than": ("gt", "above {:g}"),
    "less_than_equal": ("le", "up to {:g}"),
    "less_than": ("lt", "below {:g}"),
}
"""Key of the bound in the error's context, and which numbers keep it, by pydantic's type of the error."""


def validate(cell: Cell, document: Document, elsewhere: Callable[[Path], str]) -> Settings:
    """Return the settings of a cell, validated. Raises InputError for the first mistake.

    `elsewhere` names the keys that set, in other cells, a setting that this one cannot have; "" if there are none.
    """
    valid, errors = _validate(cell.settings)
    if valid is not None:
        return valid
    path, error = errors[0]
    blamed = {"missing": path[:-1], "union_tag_invalid": (*path, "kind")}.get(error["type"], path)
    is_shared = error["type"] == "extra_forbidden" and cell.origin(path) == path
    keys = elsewhere(path) if is_shared else ""
    kind = _value(cell.settings, (*path[:-1], "kind"))
    message = f"{dotted(path)} is no setting of kind {kind}; set {keys} instead" if keys else _message(error, path)
    raise InputError(f"{location(document, cell, blamed)}: {message}")


def location(document: Document, cell: Cell, path: Path) -> str:
    """Return the location of a setting of a cell; of a group, the option that last set a part of it, if any."""
    parts = {document.location(cell.origin(leaf)) for leaf in leaves(_value(cell.settings, path), path)}
    options = [option for option in document.overrides.values() if option in parts]
    return options[-1] if options else document.location(cell.origin(path))


def _value(settings: dict[str, Any], path: Path) -> Any:
    """Return the value at a path in settings without shorthands, None if there is none."""
    value: Any = complete(settings)
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def unknown_paths(settings: dict[str, Any]) -> set[Path]:
    """Return the paths of all keys that are no settings."""
    return {path for path, error in _validate(settings)[1] if error["type"] == "extra_forbidden"}


def _validate(settings: dict[str, Any]) -> tuple[Settings | None, list[tuple[Path, ErrorDetails]]]:
    """Return the validated settings, or None and pydantic's errors, each with the path of the key that it is about."""
    data = complete(settings)
    try:  # via JSON: pydantic's strict mode then accepts a list for a tuple, and nothing else
        return Settings.model_validate_json(json.dumps(data)), []
    except ValidationError as error:
        return None, [(_strip_tags(detail["loc"], data), detail) for detail in error.errors(include_url=False)]


def _strip_tags(loc: tuple[str | int, ...], data: Any) -> Path:
    """Remove from pydantic's location the parts that name a member of a union (a `kind`), which are no keys."""
    path: list[str | int] = []
    is_after_tag = False  # a key may be called like the kind
    for part in loc:
        is_after_tag = not is_after_tag and isinstance(data, dict) and data.get("kind") == part
        if is_after_tag:
            continue
        path.append(part)
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            data = data[part]
    return tuple(path)


def _message(error: ErrorDetails, path: Path) -> str:
    key, value, kind = dotted(path), error["input"], error["type"]
    if kind == "extra_forbidden" and path == ("norm", "schedule"):  # a shorthand for one value: see `shorthands`
        return f"{key} is {shown(value)}, expected paper; r_max, d_max, warmup, ramp_r and ramp_d make any other"
    if kind == "extra_forbidden":
        (around,), _ = _at(error["loc"][:-1])
        siblings, _ = _at(error["loc"][:-2])
        kinds = " or ".join(_kinds(around))
        if others := [kind for other in siblings if path[-1] in other.model_fields for kind in _kinds(other)]:
            return f"{key} is a setting of kind {' or '.join(others)}, but kind is {error['loc'][-2]}"
        return unknown_key(path, around.model_fields) + (f" (where kind is {kinds})" if kinds else "")
    if kind == "union_tag_invalid":
        tags = [tag.strip(" '") for tag in error.get("ctx", {})["expected_tags"].split(",")]
        return f"{key}: {unknown(str(value['kind']), tags, 'kind')}"
    if kind == "union_tag_not_found":
        kinds = [name for group in _at(error["loc"])[0] for name in _kinds(group)]
        return f"{key} has no kind, expected one of {', '.join(kinds)}"
    if kind == "missing":
        return f"{key} is missing"
    expected = error["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    if kind in _EXPECTED:
        models, field = _at(error["loc"])
        meaning = f": {field.description}" if field and (models or kind == "tuple_type") else ""
        kinds = [name for group in models for name in _kinds(group)]
        example = f", such as {{kind: {value if value in kinds else kinds[0]}}}" if kinds else ""
        if isinstance(value, str) and any("path" in group.model_fields for group in models):
            example = f"; did you mean {key}.path?"
        expected = f"expected {_EXPECTED[kind]}{meaning}{example}"
    remark = unquoted(value) if kind == "string_type" else ""
    if kind in _BOUNDS:
        (bound, numbers), (_, field) = _BOUNDS[kind], _at(error["loc"])
        noun = "whole number" if field and _is_whole(field.annotation) else "number"
        expected = f"expected a {noun} {numbers.format(error.get('ctx', {})[bound])}"
    field = _at(error["loc"])[1]
    null = " or null" if field and type(None) in get_args(field.annotation) and "null: " not in expected else ""
    return f"{key} is {shown(value)}{remark}, {expected}{null}"


def unknown_key(path: Path, names: Iterable[str]) -> str:
    """Return the message for an unknown key in a group that has these names: the key that may be meant, and the names.

    That is one of the same name further inside the group or anywhere in the settings, or one of a similar name.
    """
    *group, name = path
    keys = list(dict.fromkeys(paths()))
    inside = [key for key in keys if key[:-1][: len(group)] == tuple(group)]
    words = [(word, within) for within in (inside, keys) for word in (name, _WORDS.get(str(name)))]
    found = (([key for key in within if key[-1] == word], word) for word, within in words)
    same, word = next((pair for pair in found if pair[0]), ([], name))
    texts = {dotted(key[len(group) :]): key for key in inside} | {text: (*group, text) for text in names}
    texts |= {str(key[-1]): key for key in reversed(inside)}
    near = min(same, key=len) if same else texts.get(similar(str(name), texts), ())
    if len(path) == 1 and "." in str(name) and tuple(str(name).split(".")) in keys:
        outer, *inner = str(name).split(".")
        return f"unknown key {shown(dotted(path))}; did you mean the group {outer}, with {dotted(tuple(inner))} in it?"
    allowed = ", ".join(sorted(dotted((*group, text)) for text in names))
    meant = f"{dotted(near)}{_REMARKS.get(str(name), '') if word != name else ''}"
    return f"unknown key {shown(dotted(path))}; {hint(meant)}allowed: {allowed}"


def paths(model: type[BaseModel] = Settings) -> Iterator[Path]:
    """Yield the paths of all settings, those of every kind."""
    for name, field in model.model_fields.items():
        yield (name,)
        yield from ((name, *path) for inner in models_of(field.annotation) for path in paths(inner))


def _kinds(model: type[BaseModel]) -> tuple[str, ...]:
    return get_args(model.model_fields["kind"].annotation) if "kind" in model.model_fields else ()


def _at(loc: tuple[str | int, ...]) -> tuple[list[type[BaseModel]], FieldInfo | None]:
    """Return the models at a pydantic location (several at a union whose tag the location lacks), and its field."""
    models: list[type[BaseModel]] = [Settings]
    field = None
    for part in loc:
        if len(models) > 1:
            models = [member for member in models if part in get_args(member.model_fields["kind"].annotation)]
        elif models:
            field = models[0].model_fields[str(part)]
            models = models_of(field.annotation)
    return models, field


def models_of(annotation: Any) -> list[type[BaseModel]]:
    """Return the models in an annotation: none for a plain value, several for a group with kinds."""
    if isinstance(annotation, type):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for part in get_args(annotation) for model in models_of(part)]


def _is_whole(annotation: Any) -> bool:
    """Tell whether a field, or each item of it, is a whole number."""
    return annotation is int or any(map(_is_whole, get_args(annotation)))
