"""The house's one rule of direction, read from the source: imports point down."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bnrenorm

PACKAGE = Path(bnrenorm.__file__).parent
# A module may import those in lines above its own, and its neighbours to the left in its line.
FLOORS = [
    "_compat errors interrupt registry published streams atomic norm.semantics norm.schedule norm.formulas norm.diagnosis",
    "config.document config.duration config.explain config.grid config.strict config.norms config.network config.schema config.experiment config.identity config",
    "data.mnist data.files data.dataset data.sampling data.scaling data stats environment",
    "norm.function norm.affine norm.links norm.custom norm.dropin norm linear activations weights dropout losses optimizers model evaluate stopping gap snapshot device",
    "fused.parts fused.compiled fused.denormals fused.vectors fused.views fused.rows fused.types fused.blas fused.pixels fused.quads fused.columns fused.batches fused.products fused.update fused.first fused.normal fused.propagate fused.step fused.judge",
    "fused.blocks fused.fold fused.passes fused.by_batch fused.full fused.layout fused.masks fused.judges fused.sorts fused.engine fused train",
    "compilation store folder checkpoint memory plan runner",
    "directions beside tables plots figures portraits graphs api report layouts terminal closing",
    "doctor",
    "bnrenorm",
    "cli",
    "__main__",
]
ORDER = [name for floor in FLOORS for name in floor.split()]


def module(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts) or "bnrenorm"


def imported(path):
    names = {module(each) for each in PACKAGE.rglob("*.py")}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            targets = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            if target == "bnrenorm" or target.startswith("bnrenorm."):
                inner = target.removeprefix("bnrenorm").lstrip(".")
                yield inner if inner in names else inner.rpartition(".")[0] or "bnrenorm"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=module)
def test_imports_point_down(path):
    name = module(path)
    assert name in ORDER, f"{name} has no place in the house: add it to FLOORS"
    for target in imported(path):
        lazy = name == "bnrenorm"  # the public names are loaded when asked for
        assert lazy or ORDER.index(target) < ORDER.index(name), f"{name} imports {target}, which is above it"


def test_only_the_chainer_rooms_import_chainer():
    users = {module(p) for p in PACKAGE.rglob("*.py") if "bnrenorm._compat import" in p.read_text()}
    assert users - {"_compat"} == {
        *("norm.function", "norm.affine", "norm.links", "norm.custom", "norm.dropin"),
        *("linear", "activations", "dropout", "losses", "model", "optimizers", "evaluate", "gap", "train"),
        *("stopping", "snapshot", "graphs"),
    }


def loaded_by(statement):
    code = f"import sys; {statement}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_importing_the_package_and_asking_for_help_loads_nothing_heavy():
    heavy = {"chainer", "numpy", "scipy", "pandas", "matplotlib", "cupy", "numba", "pydantic"}
    assert not heavy & loaded_by("import bnrenorm")
    assert not heavy & loaded_by("import bnrenorm.cli.commands")
    assert not (heavy - {"pydantic"}) & loaded_by("import bnrenorm.config")


def test_every_public_name_is_there():
    for name in bnrenorm.__all__:
        assert getattr(bnrenorm, name) is not None
