"""Write an experiment as a config with every setting, each explained by a comment where it first stands."""

import os
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from bnrenorm.config import document, reader, seeds
from bnrenorm.config.build import build
from bnrenorm.config.document import Document
from bnrenorm.config.experiment import Experiment
from bnrenorm.config.schema import Settings
from bnrenorm.errors import InputError

TOP_LEVEL = {
    "name": "name of the experiment and of its run folder",
    "variants": "what is compared: settings of each variant, in addition to those that all share",
    "grid": "settings that vary in addition: every combination of their values is a grid point",
    "seeds": "each variant is trained once per seed at each grid point; a count N stands for the seeds 0, ..., N-1. "
    "One seed gives variants of the same layers the same initial weights, and those of the same `training.batch` the "
    "same batches",
    "baseline": "every other variant is compared with this one only, instead of every pair: fewer comparisons need "
    "fewer seeds",
    "margin": "differences of test accuracy below so many percentage points count as equivalent; choose it before you "
    "see results",
    "published": "table of published numbers to compare the results with",
    "plugins": "Python files with normalisations of your own",
}
"""What the keys of a config are for, other than those of `Settings`."""
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")
_INDENT = "  "

Groups = dict[str, Any]


class _Comments:
    """Writes each explanation once, in lines of a width."""

    def __init__(self, width: int):
        self.width, self.written = width, set()

    def of(self, key: str, text: str, indent: str) -> Iterator[str]:
        if text and (key, text) not in self.written:
            self.written.add((key, text))
            begin = f"{indent}# "
            yield from _wrapped(_LINK.sub(r"\1", text), self.width, begin, begin)


def _wrapped(text: str, width: int, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )


def annotated(experiment: Experiment, plugins: Sequence[str], width: int) -> str:
    """Return the text of a config that repeats the experiment, its comments in lines of at most `width` characters.

    Settings that all trials share stand at the top level. Variants and grid stand as in the experiment's own config
    where its grid does not decide any default; else the variants are a list with an item for every grid point. Of more
    cells than a config may have (`limits`) the list has no comments, and cannot be read again.
    """
    for variants, grid in _forms(experiment):
        text = "\n".join(_lines(experiment, plugins, variants, grid, _Comments(width))) + "\n"
        if _repeats(text, experiment):
            return text
    plain = experiment.resolved(absolute(experiment.data.path))
    return reader.dump({**plain, "published": experiment.published, "plugins": list(plugins)})


def _repeats(text: str, experiment: Experiment) -> bool:
    try:
        again = build(document.parse(text, experiment.name), experiment.plugins)
    except InputError:  # explicit defaults may contradict the grid: a full batch and a grid of batch sizes
        return False
    images = absolute(experiment.data.path)
    return again.resolved(images) == experiment.resolved(images)


def absolute(path: str | None) -> str | None:
    """Return the path of images so that it does not depend on the working directory."""
    return os.path.abspath(os.path.expanduser(path)) if path else path


def _forms(experiment: Experiment) -> Iterator[tuple[Mapping[Any, Settings], Groups | None]]:
    """Yield settings by variant with the grid, where a config without its grid is valid; then settings by cell."""
    data = deepcopy(experiment.document.data)
    grid = data.pop("grid", None)
    if not isinstance(data.get("variants"), list):
        try:
            ungridded = build(Document(experiment.document.source, data), experiment.plugins).settings
        except InputError:  # a setting that only the grid gives
            ungridded = None
        if ungridded is not None:
            yield {variant: settings for (variant, _), settings in ungridded.items()}, grid
    yield experiment.settings, None


def _lines(
    experiment: Experiment,
    plugins: Sequence[str],
    variants: Mapping[Any, Settings],
    grid: Groups | None,
    comments: _Comments,
) -> Iterator[str]:
    if experiment.question:
        yield from _wrapped(experiment.question, comments.width, "# Question: ", "#           ")
    top = {
        "name": experiment.name,
        "seeds": seeds.compact(experiment.seeds),
        "baseline": experiment.baseline,
        "margin": experiment.margin,
        "published": experiment.published,
        "plugins": list(plugins) or None,
    }
    for key, value in top.items():
        if value is not None:
            yield from comments.of(key, TOP_LEVEL[key], "")
            yield from _value(key, value, "")
    dumped = {name: settings.model_dump(mode="json") for name, settings in variants.items()}
    for own in dumped.values():
        own["data"]["path"] = absolute(own["data"]["path"])
    shared = _shared(list(dumped.values()))
    yield from _group(shared, next(iter(variants.values())), "", comments, "")
    yield from comments.of("variants", TOP_LEVEL["variants"], "")
    yield "variants:"
    for name, settings in variants.items():
        own = _without(dumped[name], shared)
        if isinstance(name, str):
            *before, line = _value(name, None, _INDENT)
            yield from before  # of a name that is too long for one line: "? name", and ":" below
            yield line.removesuffix(" null") + ("" if own else " {}")
            yield from _group(own, settings, "", comments, 2 * _INDENT)
        else:
            variant, point = name
            axes = [_value(key, value, 2 * _INDENT) for key, value in (("variant", variant), *point)]
            first, *more = [line for lines in axes for line in lines]
            yield f"{_INDENT}- {first.strip()}"
            yield from more
            yield f"{2 * _INDENT}settings:{'' if own else ' {}'}"
            yield from _group(own, settings, "", comments, 3 * _INDENT)
    if grid:
        yield from comments.of("grid", TOP_LEVEL["grid"], "")
        yield from _value("grid", grid, "")


def _group(values: Groups, model: BaseModel, path: str, comments: _Comments, indent: str) -> Iterator[str]:
    """Yield the lines of a group of settings, of which `values` may have a part."""
    for key, value in values.items():
        field, inner = type(model).model_fields[key], getattr(model, key)
        choices = _choices(field.annotation)
        one_of = f" (one of {', '.join(map(str, choices))})" if len(choices) > 1 else ""
        yield from comments.of(f"{path}{key}", f"{field.description or ''}{one_of}", indent)
        if isinstance(value, dict):
            yield f"{indent}{key}:"
            yield from _group(value, inner, f"{path}{key}.", comments, indent + _INDENT)
        else:
            yield from _value(key, value, indent)


def _value(key: str, value: Any, indent: str) -> list[str]:
    text = reader.dump({key: value}, flow=isinstance(value, list | tuple | dict))
    return [f"{indent}{line}" for line in text.rstrip("\n").split("\n")]  # and not where Unicode has other line breaks


def _choices(annotation: Any) -> list[Any]:
    """Return the values of a Literal, or the kinds of a group that has several."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _choices(annotation.model_fields["kind"].annotation) if "kind" in annotation.model_fields else []
    return [choice for part in get_args(annotation) for choice in _choices(part)]


def _shared(groups: list[Groups]) -> Groups:
    """Return the settings that are equal in all groups; nothing of a group whose kinds differ."""
    first, *others = groups
    shared = {}
    for key, value in first.items():
        values = [value, *(other.get(key, other) for other in others)]
        if all(other == value for other in values):
            shared[key] = value
        elif all(isinstance(group, dict) for group in values) and len({group.get("kind") for group in values}) == 1:
            shared[key] = _shared(values)
    return shared


def _without(group: Groups, shared: Groups) -> Groups:
    """Return what a group has in addition to what is shared."""
    own = {}
    for key, value in group.items():
        if key not in shared:
            own[key] = value
        elif value != shared[key]:
            own[key] = _without(value, shared[key])
    return own
