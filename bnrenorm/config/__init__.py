"""Reading configs: YAML in, validated experiments and trials out. Imports neither NumPy nor Chainer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnrenorm import disk
from bnrenorm.config import document, limits, plugins
from bnrenorm.config.build import build
from bnrenorm.config.document import Document, unknown
from bnrenorm.config.experiment import CONFIG_FILE, TRIALS, TRIALS_LIST, Experiment
from bnrenorm.config.reader import plain, shown
from bnrenorm.config.trial import Trial
from bnrenorm.errors import InputError
from bnrenorm.norm import registry

__all__ = ["CONFIG_FILE", "TRIALS", "TRIALS_LIST", "Experiment", "Trial", "load", "shipped"]


def shipped() -> dict[str, Path]:
    """Map the names of the configs shipped with bnrenorm to their files."""
    package = Path(__file__).parents[1]
    folder = next(path for path in (package / "configs", package.parent / "configs") if disk.is_folder(path))
    return {str(path.relative_to(folder).with_suffix("")): path for path in disk.names(folder, "**/*.yaml")}


def load(
    config: str | Path | Mapping[str, Any],
    overrides: list[str] | None = None,
    values: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
) -> Experiment:
    """Load a shipped config by name, a YAML file by path, a run's by its folder, or one as a dictionary; override it.

    `overrides` are "KEY=VALUE" strings as on the command line, VALUE being YAML; `values` maps dotted keys to Python
    values, and `options` the keys that have an option of their own there, None if it is not given. The Python files
    that the config names under `plugins` are run. Raises InputError with file, line, key, value and what was expected.
    """
    if isinstance(config, Mapping):
        parsed, folder = Document("config", plain(config, "config")), Path()
    else:
        parsed, folder = _read(config)
    for assignment in overrides or []:
        parsed.override(assignment)
    assignments = [(f"{key}={shown(value)}", key, value) for key, value in (values or {}).items()]
    assignments += [(f"--{key} {value}", key, value) for key, value in (options or {}).items() if value is not None]
    for location, key, value in assignments:
        parsed.assign(key, plain(value, location), location)
    loaded = plugins.load(parsed, folder)
    registry.reread()
    return build(parsed, loaded)


def _read(config: str | Path) -> tuple[Document, Path]:
    """Read a config by its name, path or folder; return it with the folder of its file."""
    if config == "":
        raise InputError("the config's name or path is empty, expected one such as compare")
    configs = shipped()
    path = configs.get(str(config), Path(config))
    try:
        if disk.is_file(path / CONFIG_FILE):
            config = path = path / CONFIG_FILE
        elif disk.is_folder(path) and disk.may_enter(path):
            raise ValueError(f"a folder without {CONFIG_FILE}, expected a config or the folder of a run")
        text = disk.read_regular(path, limits.BYTES).decode("utf-8")
    except FileNotFoundError:
        inside = [name for name in configs if name.startswith(f"{config}/")]
        known = f"did you mean one of {', '.join(inside)}?" if inside else unknown(str(config), configs, "config")
        raise InputError(f"{config}: no such file; {known}") from None
    except UnicodeDecodeError as error:
        if str(config).endswith((".yaml", ".yml")):
            place = f"byte {error.start:,}, expected UTF-8; save it as UTF-8"
            raise InputError(f"{config}: cannot be read at {place}") from None
        raise InputError(f"{config}: is not YAML; to train on images, set data.path={config}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{config}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return document.parse(text, str(config) if config not in configs else f"configs/{config}.yaml"), path.parent
