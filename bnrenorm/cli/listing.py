"""`bnrenorm list`: the shipped configs, each with question, answer, seeds and time."""

import glob
import os
import re
from pathlib import Path

from bnrenorm.errors import InputError
from bnrenorm.numbers import counted


def list_configs() -> None:
    """List the shipped configs: the question of each, the answer, how many seeds it takes, and how long."""
    from bnrenorm import config as configs
    from bnrenorm.cli.printer import Printer
    from bnrenorm.config import header

    say = Printer().say
    for i, (name, path) in enumerate(configs.shipped().items()):
        text = path.read_text(encoding="utf-8")
        about, count = header.read(text), seeds(text)
        if i:
            say("")
        say(f"{name}: {counted(count, 'seed')}, {about.time}")
        for text in (about.question, about.expected):
            say(f"  {text[:1].upper()}{text[1:]}")


def in_folder(config: str, out: Path) -> str:
    """Return a config's name; raises InputError for the name of a run, which is the folder `out / config`."""
    from bnrenorm import config as configs

    if config in configs.shipped() or os.path.exists(config) or not os.path.isfile(out / config / configs.CONFIG_FILE):
        return config  # also for a name that no file system takes: whoever opens it says so
    raise InputError(f"{config}: no such file; did you mean {out / config}?")


def seeds(text: str) -> int:
    """Return how many seeds a config asks for; read without a YAML parser, which would take most of the time."""
    match = re.search(r"^seeds: +(\d+|\[.*\])", text, re.M)
    value = match[1] if match else "1"
    return value.count(",") + 1 if value.startswith("[") else int(value)


def complete(incomplete: str) -> list[str]:
    """Return the configs, and the YAML files and folders here, whose names begin so: for a shell's completion."""
    from bnrenorm import config as configs

    paths = sorted(map(Path, glob.glob(f"{glob.escape(incomplete)}*")))
    files = [f"{path}/" if path.is_dir() else str(path) for path in paths if path.is_dir() or path.suffix == ".yaml"]
    return [*(name for name in configs.shipped() if name.startswith(incomplete)), *files]
