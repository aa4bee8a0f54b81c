"""Random configs and overrides: each is an experiment, or one line that says what is wrong; nothing else is raised."""

import functools
import json
import operator
import random

from bnrenorm import config
from bnrenorm.config import document, explain, merge
from bnrenorm.config.build import build
from bnrenorm.config.schema import Settings
from bnrenorm.errors import InputError
from tests.helpers import COMPARED, experiment_of

CASES = 80
GOOD = [
    "1", "2", "0.1", "0.5", "1e-3", "1E+1", "true", "null", "10%", "2 epochs", "text", "full", "paper", "tanh", "he_normal", "batch", "renorm",
    "mean_squared_error", "[1, 2]", "[0.1, 0.2]", "[10, 20]", "{}", "{kind: renorm}", "{kind: iid, size: 5}", "{patience: 3}",
]  # fmt: skip
BAD = [
    "", "0", "-1", "-.5", "1.", "1e999", "-1e999", ".nan", ".inf", "nan", "inf", "1_000", "0x10", "0o9", "9" * 30, "9" * 5000, "1e45", "1e45 steps",
    "9999999999 epochs", "1e-400", "1.5 steps", "-3%", "[]", "[[]]", "[1, 1.0, true]", "[[[1], {a: 2}]]", "{a: 1}", "{kind: full, size: 3}",
    "{kind: [1]}", "{kind: {}}", "{kind: ~}", "{variant: x}", "[{variant: a, settings: {}}]", "&a [*a]", "&a {b: *a}", "{? [1] : 2}", "{1: 2}",
    "*x", "!!int ''", "!!int x", "!!bool x", "!!float a", "!!timestamp x", "!!binary x", "!!set {a}", "!!str 5", "!!map []", "!x 3", "2026-99-99",
    "12:30:45", "no", "on", '"\\0"', '"\\ud800"', '"\\UFFFFFFFF"', "'it''s'", "a=b #1", "# c", "a: b: c", "- 1\n- 2", "|\n  x", "?", "-", "---",
    "...", "%YAML 9.9", "\t", "\x07", "\ufeff", "学習", "[" * 30, "[" * 3000, "{a: " * 50, "]", "}", ",", ":", "<<: *a", "/dev/zero", "$x", "[a]",
]  # fmt: skip
"""Values, and pieces of YAML, that a parser or a model may stumble over."""


DEFAULT = Settings().model_dump(mode="json")


def keys(model=Settings, prefix=""):
    """Yield all dotted keys of the settings, those of every kind."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for inner in explain.models_of(field.annotation):
            yield from keys(inner, f"{prefix}{name}.")


SETTINGS = sorted(set(keys()))
DEFAULTS = {
    ".".join(path): json.dumps(functools.reduce(operator.getitem, path, DEFAULT)) for path in merge.leaves(DEFAULT)
}
KEYS = [*SETTINGS, "name", "seeds", "variants", "grid", "published", "x", "norm.kind.x", "model.hidden.0", ".", "a" * 300, "a." * 50 + "a"]  # fmt: skip
PLACES = [
    "{}",
    "{}",
    "variants.BN.{}",
    "variants.BRN.{}",
    "variants.new.{}",
    "grid.{}",
    "grid.how.so.{}",
    "variants.0.settings.{}",
]
GRID = COMPARED + "grid: {training.optimizer.lr: [0.1, 0.2], how: {so: {}, thus: {norm: {decay: 0.5}}}}\n"
TEXTS = [COMPARED, GRID, experiment_of(GRID).as_config(), config.shipped()["paper"].read_text()]


def assignment(rng):
    key, value = rng.choice(rng.choice((SETTINGS, KEYS))), rng.choice(rng.choice((GOOD, BAD)))
    if rng.random() < 0.3:
        key, value = rng.choice(list(DEFAULTS.items()))
    return f"{rng.choice(PLACES).format(key)}={value}"


def damaged(text, rng):
    """Insert something, delete something, or repeat a part elsewhere."""
    start, end = sorted(rng.choices(range(len(text)), k=2))
    return rng.choice((
        text[:start] + rng.choice(rng.choice((GOOD, BAD))) + text[start:],
        text[:start] + text[min(end, start + 8) :],
        text[:end] + text[start : min(end, start + 40)] + text[end:],
    ))  # fmt: skip


def answer(text, assignments):
    """Return the trials of a config with overrides, or the message that refuses it."""
    try:
        parsed = document.parse(text, "x.yaml")
        for each in assignments:
            parsed.override(each)
        return build(parsed).trials(1000)
    except InputError as error:
        return str(error)


def check(answers):
    """Check that all messages are single lines, and that some configs are refused and some are not."""
    messages = [each for each in answers if isinstance(each, str)]
    assert 0 < len(messages) < len(answers)
    assert all(len(message.splitlines()) == 1 and len(message) < 2000 for message in messages)


def test_overrides():
    rng = random.Random(0)
    overrides = ([assignment(rng) for _ in range(rng.choice((1, 1, 3)))] for _ in range(CASES))
    check([answer(rng.choice(TEXTS), each) for each in overrides])


def test_damaged_documents():
    rng = random.Random(0)
    answers = []
    for _ in range(CASES):
        text = rng.choice(TEXTS)
        for _ in range(rng.choice((1, 1, 3))):
            text = damaged(text, rng)
        answers.append(answer(text, []))
    check(answers)
