"""Python files that a config names under `plugins`: they are run, to register normalisations of the user's own."""

import contextlib
import io
import linecache
import pathlib
import sys
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import decode_source, spec_from_file_location
from types import ModuleType

from bnrenorm import disk
from bnrenorm.config import limits
from bnrenorm.config.document import Document
from bnrenorm.config.reader import shown
from bnrenorm.errors import InputError
from bnrenorm.norm import registry, user_code

KEY = "plugins"


@dataclass(frozen=True)
class Plugin:
    """A file that was run: its absolute path, and its content at that time."""

    path: pathlib.Path
    source: bytes


def load(document: Document, folder: pathlib.Path) -> tuple[Plugin, ...]:
    """Run the files that a document names, once more if they were run before, and return them.

    Paths are relative to `folder`, that of the config, or to the working directory where an option gives them. Each
    file is announced on standard error before it is run. Raises InputError for one that cannot be read, raises, or
    registers nothing, and for two files of one name.
    """
    names = document.data.get(KEY)
    names = [] if names is None else names
    names = [names] if isinstance(names, str) else names
    location = document.location((KEY,))
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise InputError(f"{location}: {KEY} is {shown(names)}, expected the path of a Python file, or a list of paths")
    if any(path[0] == KEY for path in document.overrides):
        folder = pathlib.Path()
    plugins = [_read(folder / pathlib.Path(name).expanduser(), location) for name in names]
    files = [plugin.path.name for plugin in plugins]
    if len(set(files)) < len(files):
        raise InputError(f"{location}: {KEY} has two files of one name, expected names that differ: {', '.join(files)}")
    for plugin in plugins:
        print(
            f"bnrenorm: running the Python code in {plugin.path}, a plugin of {location}", file=sys.stderr, flush=True
        )
        run(plugin, location)
    return tuple(plugins)


def _read(path: pathlib.Path, location: str) -> Plugin:
    try:
        return Plugin(path.resolve(), disk.read_regular(path, limits.BYTES))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{location}: {KEY}: {path}: cannot be read: {reason}") from error


def run(plugin: Plugin, location: str) -> None:
    """Run a plugin as a module, which `sys.modules` keeps: `inspect` finds the source of its classes there.

    The source is that of the plugin, also where its file is another by now, or on another machine.
    """
    before = {name: registry.find(name) for name in registry.names()}
    name, path = f"bnrenorm_plugin_{plugin.path.stem}", str(plugin.path)
    module = ModuleType(name)
    module.__file__, module.__spec__ = path, spec_from_file_location(name, path, loader=SourceFileLoader(name, path))
    sys.modules[name] = module
    try:
        lines = io.StringIO(f"{decode_source(plugin.source)}\n").readlines()
        linecache.cache[path] = (len(plugin.source), None, lines, path)  # None: never compared with the file
        with contextlib.redirect_stdout(sys.stderr):  # standard output may be JSON for a program
            exec(compile(plugin.source, path, "exec", dont_inherit=True), vars(module))
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        line = user_code.line(error, path) or 1
        raise InputError(f"{location}: {KEY}: {path}:{line}: {user_code.reason(error)}") from error
    registered = [name for name in registry.names() if registry.find(name) is not before.get(name)]
    if not registered:
        raise InputError(f"{location}: {KEY}: {path} registers nothing, expected a call of bnrenorm.register_norm")
    registry.settle(registered)
