"""The rules between the folders (design.md, section 4), read from the source."""

import ast
from pathlib import Path

import pytest

import bnrenorm

PACKAGE = Path(bnrenorm.__file__).parent
GROUND = {
    "_compat",
    "errors",
    "atomic",
    "disk",
    "rng",
    "control_groups",
    "environment",
    "family",
    "libraries",
    "numbers",
    "published",
}
ROOT = "bnrenorm"  # the package itself, whose public names are loaded when asked for
CPU = "engines.cpu"

# What a module may import of ours: that of the longest prefix of its name in ALLOWED, less that in FORBIDDEN.
ALLOWED = {
    **dict.fromkeys(GROUND, GROUND),
    "norm": GROUND | {"norm"},
    "norm.formulas": set(),
    "config": GROUND | {"norm", "config"},
    "data": GROUND | {"norm", "config", "data"},
    "network": GROUND | {"norm", "config", "network"},
    "engines": GROUND | {"norm", "config", "data", "network", "engines"},
    f"{CPU}.codegen": {f"{CPU}.codegen"},
    "engines.spec": {"config"},
    f"{CPU}.ops": {f"{CPU}.ops", f"{CPU}.codegen", "engines.spec"},
    "training": GROUND | {"norm", "config", "data", "network", "engines", "training"},
    "runs": GROUND | {"norm", "config", "data", "network", "engines", "training", "runs"},
    "analysis": GROUND | {"norm", "config", "data", "training.records", "analysis"},
    "analysis.intervals": {"family"},
    "analysis.power": {"family"},
    "analysis.stats": {"family", "analysis.intervals", "analysis.power"},
    "notebook": GROUND | {"norm", "config", "data", "network", "engines", "training", "runs"},
    "api": GROUND | {"norm", "config", "data", "network", "engines", "training", "runs", "analysis", "notebook"},
    "cli": GROUND
    | {"norm", "config", "data", "network", "engines", "training", "runs", "analysis", "api", "cli", ROOT},
    "__main__": {"cli"},
    "chainer": set(),
}
FORBIDDEN = {
    "engines.cpu": {"engines.cuda"},
    "engines.cuda": {"engines.cpu"},
    "engines.cpu.small_batch": {"engines.cpu.large_batch", "engines.cuda"},
    "engines.cpu.large_batch": {"engines.cpu.small_batch", "engines.cuda"},
}
CHAINER = {"norm", "network", "engines", "analysis.plots.computational_graph", "cli.installation"}
"""Where Chainer may be imported."""


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts) or ROOT


SOURCES = {name_of(path): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


def within(name, prefixes):
    """Return the longest of the prefixes that is the name itself or a folder around it; None if there is none."""
    parts = name.split(".")
    candidates = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((candidate for candidate in candidates if candidate in prefixes), None)


def imported(source):
    """List everything that a source imports, wherever it does so, as dotted names; "." begins a relative one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module",
            "__import__",
        ):
            yield from (each.value for each in node.args if isinstance(each, ast.Constant))


def ours(source):
    """List what a source imports of ours, modules or names in them, without the package's name in front."""
    for target in imported(source):
        if target.startswith("."):
            yield target
        elif target.partition(".")[0] == ROOT:
            inner = target.partition(".")[2]
            yield inner if inner.partition(".")[0] in SOURCES else ROOT  # a name of the package itself


def violations(module, source):
    """List what a module of that name must not import, in words."""
    rule = within(module, ALLOWED)
    if rule is None:
        return [f"{module} has no place among the folders"]
    forbidden = FORBIDDEN.get(within(module, FORBIDDEN) or "", set())
    return [
        f"{module} imports {target}"
        for target in ours(source)
        if within(target, ALLOWED[rule]) is None or within(target, forbidden) is not None
    ]


@pytest.mark.parametrize("module", [module for module in SOURCES if module != ROOT])
def test_a_folder_imports_only_what_it_may(module):
    assert violations(module, SOURCES[module]) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("rng", "from bnrenorm.config import Trial"),
        ("norm.links", "from bnrenorm.config.schema import Settings"),
        ("norm.formulas", "from bnrenorm._compat import chainer"),
        ("norm.formulas", "from bnrenorm.norm.schedule import Ramp"),
        ("config.build", "from bnrenorm.data import dataset"),
        ("data.sampling", "from bnrenorm.network import mlp"),
        ("network.mlp", "from bnrenorm.data.dataset import Dataset"),
        ("network.mlp", "from bnrenorm.engines import evaluate"),
        ("engines.select", "from bnrenorm.training import loop"),
        ("engines.cpu.engine", "from bnrenorm.training.records import Record"),
        ("engines.cpu.engine", "from bnrenorm.engines.cuda import engine"),
        ("engines.cuda.engine", "from bnrenorm.engines.cpu.ops import spec"),
        ("engines.cpu.small_batch.steps", "from bnrenorm.engines.cpu.large_batch import blocks"),
        ("engines.cpu.large_batch.steps", "from bnrenorm.engines.cpu.small_batch.network import mean_loss"),
        ("engines.cpu.codegen.blas", "from bnrenorm.engines.cpu.ops import layout"),
        ("engines.cpu.codegen.blas", "from bnrenorm.errors import InputError"),
        ("engines.cpu.ops.norm", "from bnrenorm.config import Trial"),
        ("engines.spec", "from bnrenorm.engines.cpu.parameters import StackedParameters"),
        ("training.loop", "from bnrenorm.runs.store import Store"),
        ("runs.session", "from bnrenorm.analysis import outputs"),
        ("runs.session", "from bnrenorm.cli.progress import Screen"),
        ("runs.session", "from bnrenorm import api"),
        ("analysis.stats", "from bnrenorm.config import Trial"),
        ("analysis.plots.pages", "from bnrenorm.runs import store"),
        ("analysis.plots.pages", "def draw():\n    from bnrenorm.runs.store import Store"),
        ("analysis.tables", "from bnrenorm.training import loop"),
        ("analysis.tables", "import bnrenorm.training.loop"),
        ("analysis.tables", "from bnrenorm.network import mlp"),
        ("analysis.results", "from bnrenorm.engines.backend import Backend"),
        ("analysis.results", "import bnrenorm"),
        ("analysis.results", "from bnrenorm import run"),
        ("analysis.results", "import importlib\nimportlib.import_module('bnrenorm.runs.session')"),
        ("api", "from bnrenorm.cli import commands"),
        ("notebook", "from bnrenorm.cli.progress import Screen"),
        ("cli.progress", "from bnrenorm import notebook"),
        ("chainer", "from bnrenorm import api"),
        ("runs.plan", "from . import store"),
        ("runs.plan", "from ..analysis import stats"),
        ("somewhere", "import os"),
    ],
)
def test_what_breaks_a_rule_is_found(module, source):
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("analysis.tables", "from bnrenorm.training.records import CURVES"),
        ("analysis.tables", "from bnrenorm.training import records"),
        ("engines.spec", "from bnrenorm.config import Trial"),
        ("engines.cpu.evaluator", "from bnrenorm.engines.cpu.large_batch.passes import Passes"),
        ("engines.cuda.engine", "from bnrenorm.engines.replicas import Replicas"),
        ("cli.commands", "import bnrenorm\nfrom bnrenorm import api\nfrom bnrenorm.runs.session import Session"),
        ("analysis.stats", "import numpy as np\nfrom scipy import stats\n\nfrom bnrenorm.family import ALPHA"),
    ],
)
def test_what_keeps_the_rules_is_let_through(module, source):
    assert violations(module, source) == []


def imports_chainer(source):
    targets = set(imported(source))
    if any(target.split(".")[0] == "chainer" for target in targets):
        return True
    if targets & {f"bnrenorm._compat.{name}" for name in ("chainer", "F", "L")}:
        return True
    used = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute))
    return any(node.attr in ("chainer", "F", "L") and getattr(node.value, "id", "") == "_compat" for node in used)


def test_only_the_listed_folders_import_chainer():
    users = {module for module, source in SOURCES.items() if imports_chainer(source)} - {"_compat"}
    assert {within(module, CHAINER) for module in users} == CHAINER
    assert not {module for module in users if within(module, {"engines.cpu"})}


def test_only_the_cpu_engine_imports_numba():
    users = {module for module, source in SOURCES.items() if any(t.split(".")[0] == "numba" for t in imported(source))}
    assert {within(module, {"engines.cpu"}) for module in users} == {"engines.cpu"}


FILES = {"atomic", "config", "data", "runs", "analysis"}
"""Where files are touched through `disk` only."""
OF_THE_PACKAGE = {"analysis.report.page", "data.mnist"}  # what is installed with it
TOUCHES = {
    *("open", "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir", "rmdir", "rmtree", "touch"),
    *("iterdir", "glob", "rglob", "stat", "lstat", "exists", "lexists", "is_file", "is_dir", "is_symlink"),
    *("makedirs", "listdir", "scandir", "fsync"),
}


def touches(source):
    """List the calls that touch a file in another way than through `disk`."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    for call in calls:
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        owner = getattr(getattr(call.func, "value", None), "id", "")
        if name in TOUCHES and owner not in ("disk", "gzip", "archive"):
            yield f"line {call.lineno}: {name}"


@pytest.mark.parametrize(
    "module", [module for module in SOURCES if within(module, FILES) and module not in OF_THE_PACKAGE]
)
def test_files_are_touched_through_one_layer(module):
    assert list(touches(SOURCES[module])) == []


@pytest.mark.parametrize(
    "source", ["path.read_bytes()", "open(path)", "os.unlink(path)", "path.with_name('a').is_file()"]
)
def test_a_touch_past_the_layer_is_found(source):
    assert len(list(touches(source))) == 1
