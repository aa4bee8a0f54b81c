"""Reading configs: YAML in, validated experiments and trials out. Imports neither NumPy nor Chainer."""

from pathlib import Path
from typing import Any

from bnrenorm.config import document
from bnrenorm.config.build import build
from bnrenorm.config.document import unknown
from bnrenorm.config.experiment import Experiment
from bnrenorm.config.trial import Trial
from bnrenorm.errors import InputError

__all__ = ["Experiment", "Trial", "load", "shipped"]


def shipped() -> dict[str, Path]:
    """Map the names of the configs shipped with bnrenorm to their files."""
    package = Path(__file__).parents[1]
    folder = next(path for path in (package / "configs", package.parent / "configs") if path.is_dir())
    return {str(path.relative_to(folder).with_suffix("")): path for path in sorted(folder.rglob("*.yaml"))}


def load(config: str | Path, overrides: list[str] | None = None, values: dict[str, Any] | None = None) -> Experiment:
    """Load a shipped config by name, or a YAML file by path, and apply overrides.

    `overrides` are "KEY=VALUE" strings as on the command line, VALUE being YAML; `values` maps dotted keys to Python
    values. Raises InputError with file, line, key, value and what was expected.
    """
    configs = shipped()
    path = configs.get(str(config), Path(config))
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{config}: no such file; {unknown(str(config), configs, 'config')}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{config}: cannot be read: {error}") from error
    parsed = document.parse(text, str(config) if config not in configs else f"configs/{config}.yaml")
    for assignment in overrides or []:
        parsed.override(assignment)
    for key, value in (values or {}).items():
        parsed.assign(key, value, f"{key}={value!r}")
    return build(parsed)


def question(path: Path) -> str:
    """Return the question in a config's header."""
    header = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        header.append(line.lstrip("# ").strip())
    text = " ".join(header).partition("Question:")[2]
    return text.partition("Expected:")[0].partition("Command:")[0].strip()
