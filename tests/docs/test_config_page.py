"""docs/config.md is what docs/generate.py makes of the settings' models, and leaves none of them out."""

import re
from typing import get_args

import pytest
from pydantic import BaseModel

from bnrenorm import config
from bnrenorm.config import norms, reader, schema
from bnrenorm.config.build import KEYS
from docs.generate import PAGE, config_page
from tests.helpers import experiment_of


def models(annotation):
    """Return all models in an annotation, and those in their fields."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        inner = [model for field in annotation.model_fields.values() for model in models(field.annotation)]
        return [annotation, *inner]
    return [model for part in get_args(annotation) for model in models(part)]


MODELS = models(schema.Settings)


def rows(text):
    """Return (key, default, description) of all rows in tables of settings."""
    cells = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in text.splitlines()]
    return [(row[0].strip("`"), row[2].strip("`"), row[3]) for row in cells if len(row) == 4 and row[0].startswith("`")]


ROWS = rows(config_page())


def test_the_committed_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == config_page(), "run python docs/generate.py"


def test_every_field_of_every_model_has_a_description_and_a_row():
    assert {norms.Renorm, norms.Custom, schema.NonIid, schema.RMSprop, schema.EarlyStopping} <= set(MODELS)
    documented = {(key.rpartition(".")[2], description.replace(r"\|", "|")) for key, _, description in ROWS}
    for model in set(MODELS) - {schema.Settings}:
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"
            assert (name, field.description) in documented, f"{model.__name__}.{name}"


def test_every_top_level_key_has_a_row():
    assert set(KEYS) <= {key for key, *_ in ROWS}


def test_defaults_are_written_as_yaml_reads_them():
    defaults = {default for _, default, _ in ROWS}
    assert {"null", "false", "0", "5", "1e-08", "[400]", "*required*"} <= defaults
    for default in defaults:
        if default[:1].isdigit():
            assert isinstance(reader.read_value(default, "default"), int | float), default


BLOCKS = re.findall(r"```yaml\n(.*?)```", config_page(), re.S)
(PLUGIN,) = re.findall(r"```python\n(.*?)```", config_page(), re.S)
SHORTHANDS = re.findall(r"^\| `([a-z]+: \{.*\})` \| `([a-z]+: \{.*\})`", config_page(), re.M)


@pytest.mark.parametrize("text", BLOCKS)
def test_examples_are_valid(text, tmp_path):
    (tmp_path / "fast.py").write_text(PLUGIN)
    (tmp_path / "config.yaml").write_text(text if text.startswith("name:") else "name: a\n" + text)
    assert config.load(tmp_path / "config.yaml").trials(60_000)


@pytest.mark.parametrize(("short", "long"), SHORTHANDS)
def test_a_shorthand_is_what_the_page_says(short, long):
    steps = "" if "training" in short else "training: {steps: 60000}\n"
    one, other = (experiment_of(f"name: a\n{steps}{text}\n").trials(60_000) for text in (short, long))
    assert one == other


def test_all_shorthands_are_found():
    assert len(SHORTHANDS) == 7
    assert len(BLOCKS) == 3
