"""A config with every setting, explained, repeats the experiment that it was written from."""

import pytest
import yaml
from pydantic import BaseModel

from bnrenorm import config
from bnrenorm.config import document, limits
from bnrenorm.config.build import build
from bnrenorm.config.trial import digest
from tests.helpers import COMPARED, experiment_of

SEMANTICS = "grid: {norm.semantics: [chainer, paper]}"
OWN = {
    "a grid that decides a default": COMPARED + SEMANTICS,
    "a grid that gives what is required": COMPARED + "grid: {training.batch.size: [10, 20]}",
    "a grid of kinds": COMPARED + "grid: {training.optimizer.kind: [adam, sgd]}",
    "a grid of lists": COMPARED + "grid: {model.hidden: [[10], [20, 10]]}",
    "a grid that a variant ignores": COMPARED + "grid: {norm.r_max: [2.0, 3.0]}",
    "names like YAML": COMPARED.replace("BN:", "'[x]: #':", 1).replace("BRN:", "'null':"),
    "long and empty names": COMPARED.replace("BN:", f"'{'x' * 300}':", 1).replace("BRN:", "'':"),
    "names with line breaks of Unicode": COMPARED.replace("BN:", '"a\\u2028b":', 1)
    + 'grid: {"c\\u2029d": {"e\\u2028": {}, f: {training: {steps: 2}}}, training.weight_decay: [0.0, 0.1]}',
    "one variant": "name: a\nnorm: {kind: none}",
    "seeds and published": COMPARED.replace("seeds: 2", "seeds: [3, 1]\npublished: brn17\nbaseline: BRN\nmargin: 0.7"),
    "a grid that cannot be left out": "name: a\nmodel: {output: identity}\n"
    "grid: {how: {so: {training: {loss: squared_error}}, thus: {model: {output: softmax}}}}",
    "groups that may be null": COMPARED + "data: {validation: 10}\ngrid: {stop: {no: {}, 'yes': {training: "
    "{early_stopping: {patience: 3}}}}}",
}  # fmt: skip
MANY = """
name: many
baseline: BN
variants:
  none: {norm: {kind: none}}
  BN: {norm: {kind: batch}}
  BRN: {norm: {kind: renorm, r_max: 3}, training: {weight_decay: 0.1}}
training: {batch: 10, steps: 2 epochs}
grid:
  training.optimizer.lr: [RATES]
  norm.decay: [0.5, 0.9]
  how: {so: {}, thus: {norm: {eps: 0.1}}}
seeds: [3, 5]
""".replace("RATES", ", ".join(str(0.01 * i) for i in range(1, 21)))


def read(text):
    return build(document.parse(text, "written.yaml"))


@pytest.mark.parametrize("name", config.shipped())
def test_a_shipped_config_is_repeated(name):
    experiment = config.load(name)
    text = experiment.as_config()
    repeated = read(text)
    assert repeated.resolved() == experiment.resolved()
    assert repeated.trials(60_000) == experiment.trials(60_000)
    assert (repeated.published, repeated.baseline) == (experiment.published, experiment.baseline)
    assert repeated.margin == experiment.margin
    assert repeated.question == experiment.question != ""
    assert ("grid:" in text) == ("grid" in experiment.document.data)


@pytest.mark.parametrize("name", OWN)
def test_any_config_is_repeated(name):
    experiment = experiment_of(OWN[name])
    text = experiment.as_config()
    repeated = read(text)
    assert repeated.resolved() == experiment.resolved()
    assert repeated.trials(200) == experiment.trials(200)
    assert repeated.as_config() == read(repeated.as_config()).as_config(), "what it says itself is repeated too"


def test_where_the_grid_decides_a_default_every_point_is_listed():
    text = experiment_of(OWN["a grid that decides a default"]).as_config()
    assert "grid:" not in text
    assert text.count("- variant: ") == 4


def test_many_cells_are_variants_and_a_grid_of_the_same_trials():
    experiment = experiment_of(MANY)
    text = experiment.as_config()
    content = yaml.safe_load(text)
    assert list(content["variants"]) == ["none", "BN", "BRN"]
    assert content["variants"]["BN"].keys() == {"norm", "training"}
    assert content["grid"]["norm.decay"] == [0.5, 0.9]
    assert content["evaluation"]["statistics"] == "running", "a default"
    assert len(text) < 10_000
    again = experiment_of(text)
    assert digest(again.resolved()) == digest(experiment.resolved())
    assert again.trials(1000) == experiment.trials(1000)
    assert again.as_config() == text


@pytest.mark.slow
def test_many_cells_without_a_common_grid_are_listed():
    text = MANY.replace("norm.decay: [0.5, 0.9]", "norm.semantics: [chainer, paper]") + "margin: 1\n"
    experiment = experiment_of(text)
    assert yaml.safe_load(experiment.as_config())["margin"] == experiment.resolved()["margin"] == 1
    assert len(yaml.safe_load(experiment.as_config())["variants"]) == 240
    assert experiment_of(experiment.as_config()).resolved() == experiment.resolved()


def test_more_cells_than_a_config_may_have_are_told_at_least(monkeypatch):
    experiment = experiment_of(OWN["a grid that decides a default"])
    monkeypatch.setattr(limits, "VALUES", 50)
    assert yaml.safe_load(experiment.as_config())["variants"] == experiment.resolved()["variants"]


@pytest.mark.parametrize("text", [OWN["a grid that decides a default"], "name: a", MANY])
@pytest.mark.parametrize(
    ("path", "written"),
    [("a.npz", "{cwd}/a.npz"), ("../a", "{up}/a"), ("~/a", "{home}/a"), ("/b/a.npz", "/b/a.npz"), ("''", "''")],
)
def test_its_images_are_found_from_every_working_directory(tmp_path, monkeypatch, text, path, written):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/of/me")
    monkeypatch.setenv("USERPROFILE", "/home/of/me")
    experiment = experiment_of(f"{text}\ndata: {{path: {path}}}\n")
    written = written.format(cwd=tmp_path, up=tmp_path.parent, home="/home/of/me")
    assert f"path: {written}\n" in experiment.as_config()
    assert ("grid:" in experiment.as_config()) == (text == MANY)


def test_overrides_are_in_it():
    text = config.load("compare", ["training.steps=7", "variants.BRN.norm.r_max=2"], {"seeds": 2}).as_config()
    assert "\n  steps: 7\n" in text
    assert "\n      r_max: 2.0\n" in text
    assert "\nseeds: 2\n" in text


def described(model):
    """Yield the description of every setting of a model's instance, that of groups inside it too."""
    for name, field in type(model).model_fields.items():
        yield name, field.description
        if isinstance(getattr(model, name), BaseModel):
            yield from described(getattr(model, name))


def test_every_setting_has_its_description_once():
    experiment = config.load("compare")
    lines = [line.strip() for line in experiment.as_config(width=10**6).splitlines()]
    for settings in experiment.settings.values():
        for name, description in described(settings):
            assert any(line.startswith(f"{name}:") for line in lines), name
            assert any(line.startswith(f"# {description}") for line in lines) or "](" in description, name
    assert "# update rule of the parameters (one of sgd, momentum_sgd, adam, rmsprop)" in lines
    assert len([line for line in lines if line.startswith("# weight of the old running statistics")]) == 1


@pytest.mark.parametrize("width", [40, 80, 100])
def test_comments_fit_the_width_and_hold_no_links(width):
    text = config.load("limits").as_config(width=width)
    comments = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    assert max(map(len, comments)) <= width
    assert "](" not in text
