"""Generate docs/config.md from the settings' pydantic models: python docs/generate.py."""

import inspect
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from jinja2 import StrictUndefined, Template
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bnrenorm import published
from bnrenorm.config import annotated, limits
from bnrenorm.config.duration import Duration
from bnrenorm.config.explain import models_of
from bnrenorm.config.schema import Settings
from bnrenorm.config.shorthands import PAPER_SCHEDULE
from bnrenorm.family import MARGIN

PAGE = Path(__file__).with_name("config.md")
_HEAD = Path(__file__).with_name("config.md.j2")

_GRID = "; see [Variants and grid](#variants-and-grid)"
_NORM = "; see [A normalisation of your own](#a-normalisation-of-your-own)"


def config_page() -> str:
    """Return the text of docs/config.md."""
    head = Template(_HEAD.read_text(encoding="utf-8"), undefined=StrictUndefined, keep_trailing_newline=True).render(
        kib=f"{limits.BYTES // 2**10:,}",
        values=f"{limits.VALUES:,}",
        trials=f"{limits.TRIALS:,}",
        paper_schedule=", ".join(f"{key}: {value:g}" for key, value in PAPER_SCHEDULE.items()),
        top_level="\n".join(_top_level()),
    )
    sections = [text for name, field in Settings.model_fields.items() for text in _sections(name, field, level=2)]
    return "\n".join([head, *sections])


def _top_level() -> Iterator[str]:
    """Yield the rows of a config's keys, the groups of settings last."""
    keys = {  # values, default and a link to more
        "name": ("letters, digits, `_` and `-`", "*required*", ""),
        "variants": ("named groups of settings", "one variant, `default`", _GRID),
        "grid": ("axes", "no grid", _GRID),
        "seeds": ("count, or list of integers ≥ 0", "`1`", ""),
        "baseline": ("name of a variant", "none", ""),
        "margin": ("number > 0 and < 100", f"`{100 * MARGIN:g}`", ""),
        "published": (_choice(published.names()), "none", ""),
        "plugins": ("path, or list of paths", "none", _NORM),
    }
    for key, (values, default, more) in keys.items():
        yield f"| `{key}` | {values} | {default} | {annotated.TOP_LEVEL[key]}{more} |"
    for name, field in Settings.model_fields.items():
        yield f"| `{name}` | group of settings | {_literal(field.default)}, see [{name}](#{name}) | {_cell(field)} |"


def _sections(path: str, field: FieldInfo, *, level: int) -> Iterator[str]:
    """Yield the section of one group of settings and those of the groups inside it; with kinds, one table per kind."""
    models = models_of(field.annotation)
    yield f"{'#' * level} {path}\n"
    if len(models) == 1:
        yield from _group(path, models[0], level=level)
        return
    yield f"{_sentence(field)} One of {len(models)} groups, selected by `{path}.kind`.\n"
    for model in models:
        kinds = ", ".join(get_args(model.model_fields["kind"].annotation))
        yield f"{'#' * (level + 1)} {path}: {kinds}\n"
        yield from _group(path, model, level=level + 1)


def _group(path: str, model: type[BaseModel], *, level: int) -> Iterator[str]:
    """Yield a model's docstring and table, then the sections of the groups inside it."""
    yield f"{inspect.cleandoc(model.__doc__ or '')}\n"
    rows = [_row(f"{path}.{name}", field, model) for name, field in model.model_fields.items()]
    yield "\n".join(["| key | value | default | description |", "| --- | --- | --- | --- |", *rows, ""])
    for name, field in model.model_fields.items():
        if models_of(field.annotation):
            yield from _sections(f"{path}.{name}", field, level=level + 1)


def _row(path: str, field: FieldInfo, model: type[BaseModel]) -> str:
    cells = [f"`{path}`", _type(field.annotation, field.metadata), _default(field, model), _cell(field)]
    return "| " + " | ".join(cells) + " |"


def _cell(field: FieldInfo) -> str:
    return (field.description or "").replace("|", "\\|")


def _sentence(field: FieldInfo) -> str:
    description = field.description or ""
    return f"{description[:1].upper()}{description[1:]}."


def _type(annotation: Any, constraints: list[Any]) -> str:
    """Write the allowed values of a field in words."""
    if models_of(annotation):
        link = "group of settings, see below"
        return f"{link}, or null" if NoneType in get_args(annotation) else link
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner, *metadata = arguments
        return _type(
            inner, [part for item in metadata for part in (item.metadata if isinstance(item, FieldInfo) else [item])]
        )
    if origin is Literal:
        return _choice(arguments)
    if origin in (Union, UnionType):
        return " or ".join("null" if part is NoneType else _type(part, constraints) for part in arguments)
    if origin is tuple:
        return f"non-empty list of {_type(arguments[0], []).replace('integer', 'integers')}"
    names = {bool: "true or false", int: "integer", float: "number", str: "text", Duration: "duration"}
    return " ".join([names[annotation], *filter(None, [_bounds(constraints)])])


def _choice(values: Iterable[Any]) -> str:
    *others, last = [f"`{value}`" for value in values]
    return f"{', '.join(others)} or {last}" if others else last


def _bounds(constraints: list[Any]) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    return " and ".join(
        f"{sign} {getattr(constraint, name):g}"
        for constraint in constraints
        for name, sign in signs.items()
        if getattr(constraint, name, None) is not None
    )


def _default(field: FieldInfo, model: type[BaseModel]) -> str:
    if field.is_required():
        return "*required*"
    if field.default_factory is None:
        return _literal(field.default)
    if "semantics" not in model.model_fields:
        return "automatic"
    return ", ".join(
        f"{semantics}: {_literal(field.default_factory({'semantics': semantics}))}"  # pyright: ignore[reportCallIssue]
        for semantics in get_args(model.model_fields["semantics"].annotation)
    )


def _literal(value: Any) -> str:
    """Write a default as in YAML; a group by its kind."""
    if isinstance(value, BaseModel):
        kind = getattr(value, "kind", None)
        return f"`{kind}`" if kind else "its defaults"
    if isinstance(value, Duration):
        value = value.serialise()
    if isinstance(value, tuple):
        value = list(value)
    if value is None or isinstance(value, bool):
        return f"`{json.dumps(value)}`"
    return f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(config_page(), encoding="utf-8")
