"""The text that decides what a user's factory makes: its own, and that of what it uses of the user's code."""

import ast
import functools
import hashlib
import inspect
import linecache
import os
import sys
import textwrap
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from types import CodeType, MappingProxyType, SimpleNamespace
from typing import Any

from bnrenorm.libraries import is_library

_CONSTANTS = (bool, int, float, complex, str, bytes, type(None))
_CONTAINERS = (list, tuple, set, frozenset, dict, functools.partial)
_WRITTEN = (range, slice, Decimal, Fraction, bytearray)
"""Other types whose values always have the same text."""


def text_of(factory: Any) -> str:
    """Return the source text of a factory, and of the user's functions, classes and constants that it uses.

    Of a notebook's classes, which have no source, the text of the methods is taken. "" if there is no source at all.
    """
    made = factory.func if isinstance(factory, functools.partial) else factory
    if inspect.isfunction(made) and not _source(made.__code__):
        return ""
    text = _Text(getattr(made, "__module__", None))
    text.add(factory)
    return "".join([*text.sources, *text.constants]) if any(text.sources) else ""


class _Text:
    """Collects the texts of a user's objects, those of one module and others, and of their constants; each once."""

    def __init__(self, module: str | None):
        self.module = module
        self.sources: list[str] = []
        self.constants: list[str] = []
        self._seen: dict[int, Any] = {}  # by id, which is an object's as long as it is kept

    def add(self, value: Any) -> None:
        """Add an object and what it uses, depth first."""
        using = [iter((value,))]  # a recursion could be too deep
        while using:
            part = next(using[-1], using)
            if part is using:  # the end
                using.pop()
            elif isinstance(part, _CONSTANTS):
                self.constants.append(f"{part!r}\n")
            elif id(part) not in self._seen:
                self._seen[id(part)] = part
                using.append(self._parts(part))

    def _is_own(self, module: Any) -> bool:
        return module == self.module or _is_users(sys.modules.get(str(module)))

    def _parts(self, value: Any) -> Iterator[Any]:
        """Add the text of an object itself, and yield what it uses."""
        cls = type(value)
        if isinstance(value, _CONTAINERS) and self._is_own(cls.__module__) and not hasattr(cls, "_fields"):
            yield cls  # not a named tuple's, whose methods are generated
            yield from self._members(value)
        if isinstance(value, list | tuple):
            yield from value
        elif isinstance(value, set | frozenset):
            yield from sorted(value, key=repr)
        elif isinstance(value, dict) or (type(value) is MappingProxyType and "__doc__" not in value):  # of no class
            yield from (part for item in value.items() for part in item)
        elif type(value) is deque:
            yield from (value.maxlen, *value)
        elif isinstance(value, functools.partial) or type(value) is functools.partialmethod:
            yield from (value.func, value.args, value.keywords)
        elif isinstance(value, staticmethod | classmethod) or inspect.ismethod(value):
            yield from (value.__func__, getattr(value, "__self__", None))
        elif isinstance(value, property):
            yield from (value.fget, value.fset, value.fdel)
        elif type(value) is functools.cached_property:
            yield value.func
        elif inspect.ismodule(value):
            return
        elif isinstance(value, SimpleNamespace) or str(cls.__module__).startswith("chainer.initializers"):
            yield from (cls.__name__, vars(value))
        elif not self._is_own(getattr(value, "__module__", None)):
            self.constants.append(_value_of(value))
        elif inspect.isfunction(value):
            self.sources.append(_of_function(value.__code__))  # of a decorated one the wrapper's, which leads to it
            yield from (value.__defaults__, value.__kwdefaults__, inspect.unwrap(value))
            yield from _used(value)
        elif inspect.isclass(value):
            self.sources.append(_source(value))
            yield from value.__bases__
            yield from self._members(value)
        else:  # an object of a class of that module
            yield cls
            yield from self._members(value)

    def _members(self, value: Any) -> Iterator[Any]:
        """Yield the attributes of a class or object, slots too, by their names; of special ones the functions only."""
        members = dict(getattr(value, "__dict__", {}))
        own = [cls for cls in type(value).__mro__ if self._is_own(cls.__module__)]  # a library's slots may be caches
        for name, slot in [item for cls in own for item in vars(cls).items()]:
            if inspect.ismemberdescriptor(slot):
                with suppress(AttributeError):  # not set yet
                    members[name] = slot.__get__(value)
        for name, member in sorted(members.items()):
            if inspect.isfunction(member) or not name.startswith("__"):
                yield member


def _value_of(value: Any) -> str:
    """Return a text of the value of a constant of a type of others; "" of a type whose text might be another each time.

    Such are Links, whose sets Python orders anew in every process, generators, locks, and paths, as plugins are copied.
    """
    import numpy as np  # not above: configs are read without it

    if isinstance(value, (*_WRITTEN, np.dtype)):
        return f"{value!r}\n"
    if not isinstance(value, np.ndarray | np.generic) or value.dtype.hasobject:
        return ""
    is_exact = value.dtype.names is None and value.dtype.char not in "gG"  # no byte is padding
    content = hashlib.sha256(value.tobytes()).hexdigest() if is_exact else repr(value.tolist())
    return f"{value.dtype.descr}{value.shape}{content}\n"


def _source(value: Any) -> str:
    if getattr(value, "co_filename", "") == "<string>":  # of eval; Python 3.13 would give the text of `python -c`
        return ""
    try:
        return textwrap.dedent(inspect.getsource(value))
    except (OSError, TypeError):
        return ""


def _of_function(code: CodeType) -> str:
    """Return the source text of a function.

    Its instructions are added where that is not known to be all of it: if there is none, as of a notebook's timed cell,
    if its file was edited since it was imported, and of a lambda whose place in its line is not known.
    """
    text, file = _lambda(code) if code.co_name == "<lambda>" else _source(code), code.co_filename
    is_known = text and (not os.path.isfile(file) or code in _functions("".join(linecache.getlines(file))))
    return text if is_known else (text or _source(code)) + _instructions(code)


def _lambda(code: CodeType) -> str:
    """Return the text of a lambda, "" if its place is not known; `inspect` gives the first of its lines."""
    text = "".join(linecache.getlines(code.co_filename))
    nodes = [node for node in _lambdas(text) if node.lineno == code.co_firstlineno]
    places: list[Any] = [place for place in code.co_positions() if place[3]]  # 0 or None: of nothing that is written
    if places:
        begin, end = min((place[0], place[2]) for place in places), max((place[1], place[3]) for place in places)
        nodes = [
            node for node in nodes
            if (node.lineno, node.col_offset) <= begin and end <= (node.end_lineno, node.end_col_offset)
        ]  # fmt: skip
    if not nodes or not (places or len(nodes) == 1):
        return ""
    innermost = max(nodes, key=lambda node: node.col_offset)
    return f"{ast.get_source_segment(text, innermost)}\n"


@functools.lru_cache(maxsize=8)
def _lambdas(text: str) -> list[ast.Lambda]:
    """Return the lambdas in a text of Python; none if it is no Python."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Lambda)]
    except (SyntaxError, ValueError):
        return []


@functools.lru_cache(maxsize=8)
def _functions(text: str) -> set[CodeType]:
    """Return the functions and classes of a file of Python, compiled; none if it is no Python."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return set(_nested(compile(text, "", "exec", dont_inherit=True)))
    except (SyntaxError, ValueError):
        return set()


def _nested(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _nested(constant)


def _instructions(code: CodeType) -> str:
    """Return a text of what a function does, the same in every process of one version of Python."""
    constants = [
        _instructions(value) if isinstance(value, CodeType)
        else repr(sorted(value, key=repr) if isinstance(value, frozenset) else value)
        for value in code.co_consts
    ]  # fmt: skip
    return f"{code.co_code.hex()}{code.co_names}{code.co_varnames}{constants}\n"


def _used(function: Any) -> Iterator[Any]:
    """Yield the globals and the outer variables that a function names, and what it names of the user's modules."""
    names = [name for name in sorted(_names(function.__code__)) if not name.startswith("__")]
    scopes = [function.__globals__]
    for scope in scopes:  # which grows
        for value in [scope[name] for name in names if name in scope]:
            yield value
            if _is_users(value) and not any(vars(value) is other for other in scopes):
                scopes.append(vars(value))
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # not set yet
            yield cell.cell_contents


def _is_users(module: Any) -> bool:
    """Tell whether this is a module of the user's own."""
    file = vars(module).get("__file__") if inspect.ismodule(module) else None
    return isinstance(file, str) and not is_library(file)


def _names(code: CodeType) -> set[str]:
    return set(code.co_names).union(*(inner.co_names for inner in _nested(code)))
