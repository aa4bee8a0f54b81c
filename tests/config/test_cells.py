"""Cells: where each setting stands in the document, overrides that no trial sees, and experiments as run folders tell them."""

import functools
import itertools
import operator
import re
import tracemalloc

import pytest

from bnrenorm import config
from bnrenorm.config import grid, reader
from bnrenorm.config.merge import leaves
from bnrenorm.config.reader import dotted
from bnrenorm.config.shorthands import complete
from bnrenorm.config.trial import digest
from bnrenorm.errors import InputError
from tests.helpers import COMPARED, experiment_of

NONE = "name: a\nvariants: {none: {norm: {kind: none}}, BN: {norm: {kind: batch}}, BRN: {norm: {kind: renorm}}}"
GRID = COMPARED + "grid: {norm.decay: [0.5, 0.9], how: {so: {training: {steps: 7}}, thus: {norm: {d_max: 1}}}}\n"


@pytest.mark.parametrize(
    ("override", "keys"),
    [
        ("norm.kind=layer", "variants.BN.norm.kind or variants.BRN.norm.kind"),
        ("norm={kind: layer}", "variants.BN.norm.kind or variants.BRN.norm.kind"),
        ("variants.BRN.norm.decay=0.3", "grid.norm.decay"),
        ("grid.norm.d_max=[1, 2]", None),
        ("grid.norm.d_max=[1]", None),
        ("norm.decay=0.3", "grid.norm.decay"),
        ("training.steps=3", None),
        ("grid.how.so.training.steps=3", None),
        ("variants.BRN.norm.r_max=2", None),
        ("variants.plain={norm: {kind: none}}", None),
        ("model.hidden.0=3", None),
        ("grid.norm.decay.0=0.2", None),
        ("evaluation={}", None),
        ("grid.how.then=null", None),
        ("seeds=3", None),
        ("name=other", None),
    ],
)
def test_an_override_that_no_trial_sees_is_an_error_that_names_the_key_to_use(override, keys):
    if keys is None:
        assert experiment_of(GRID, [override]).settings
        return
    with pytest.raises(InputError) as caught:
        experiment_of(GRID, [override])
    assert str(caught.value).startswith(f"--set {override}: no trial sees {override.partition('=')[0]}")
    assert f"; set {keys}" in str(caught.value)


def test_a_group_that_variants_replace_hides_an_override():
    text = "name: a\nnorm: {kind: renorm}\nvariants: {BN: {norm: {kind: batch}}, LN: {norm: {kind: layer}}}"
    with pytest.raises(InputError, match="no trial sees norm.eps; set variants.BN.norm.eps or variants.LN.norm.eps"):
        experiment_of(text, ["norm.eps=1"])
    with pytest.raises(InputError, match="no trial sees norm.decay; set variants.BN.norm.decay instead"):
        experiment_of(text, ["norm.decay=0.5"])
    with pytest.raises(InputError, match="no trial sees norm.d_max; no variant has this setting"):
        experiment_of(text, ["norm.d_max=3"])


@pytest.mark.parametrize(
    ("text", "override", "keys"),
    [
        ("training: {batch: 2}\ngrid: {training.batch.size: [4, 8]}", "training.batch=16", "training.batch.size; set grid.training.batch.size"),
        ("grid: {training.batch.size: [4, 8]}", "training.batch=full", "training.batch; set grid.training.batch.size"),
        ("grid: {training.batch: [4, 8]}", "training.batch.size=16", "training.batch.size; set grid.training.batch"),
        ("variants: {A: {training: {batch: {size: 4}}}}", "training.batch=8", "training.batch.size; set variants.A.training.batch.size"),
        ("variants: {A: {training: {batch: {kind: iid, remainder: keep}}}}", "training.batch=8", None),
        ("variants: {A: {}}", "variants.B=null", None),
        ("variants: {A: {}}", "variants=null", None),
        ("grid: {training.batch: [4, 8]}", "grid=null", None),
        ("variants: {A: {model: {activation: {kind: tanh}}}}", "model.activation=relu", "model.activation.kind; set variants.A.model.activation.kind"),
        ("variants: {A: {model: {activation: tanh}}}", "model.activation=relu", "model.activation.kind; set variants.A.model.activation.kind"),
    ],
)  # fmt: skip
def test_a_shorthand_or_null_is_seen_by_what_it_sets(text, override, keys):
    if keys is None:
        assert experiment_of(f"name: a\n{text}", [override]).settings
        return
    with pytest.raises(InputError) as caught:
        experiment_of(f"name: a\n{text}", [override])
    assert str(caught.value) == f"--set {override}: no trial sees {keys} instead"


@pytest.mark.parametrize("name", [name for name, path in config.shipped().items() if "\ngrid:" in path.read_text()])
@pytest.mark.slow
def test_the_advice_in_place_of_a_hidden_override_is_accepted(name):
    document, hidden = config.load(name).document, 0
    for value in itertools.chain(*grid.axes(document)):
        for path in leaves(value.changes):
            setting = functools.reduce(operator.getitem, path, complete(value.changes))
            advice = re.search("; set (.*) instead", refusal(name, {dotted(path): setting}))
            for key in advice[1].removesuffix(" or ...").split(" or ") if advice and path[-1] != "kind" else ():
                is_list = key.removeprefix("grid.") in document.data["grid"]
                assert refusal(name, {key: [setting] if is_list else setting}) == ""
                hidden += 1
    assert hidden or name == "paper"  # whose axis has a point that changes nothing


def refusal(name, values):
    try:
        config.load(name, values=values)
    except InputError as error:
        return str(error)
    return ""


REGIME = (
    COMPARED
    + """grid:
  regime:
    few: {training: {batch: {kind: non_iid, classes: 2, size: 30}}}
"""
)


@pytest.mark.parametrize(
    ("text", "override", "message"),
    [
        (REGIME, "grid.regime.few.training.batch.classes=20", "training.batch is {kind: 'non_iid', classes: 20, size: 30}, expected size (30) to be a multiple of classes (20)"),
        (REGIME, "grid.regime.few.training.batch.size=9", "training.batch is {kind: 'non_iid', classes: 2, size: 9}, expected size (9) to be a multiple of classes (2)"),
        (REGIME, "grid.regime.few.training.batch.classes=30", "training.batch.classes is 30, but the training set has 10 classes"),
        (REGIME, "grid.regime.few.training.batch.size=2000", "training.batch has 2000 images, but the training set 1000"),
        ("name: a", "training.batch.kind=non_iid", "training.batch.classes is missing"),
        (COMPARED, "variants.BRN.norm.kind=renrom", "norm: unknown kind 'renrom'; did you mean renorm? allowed: batch, custom, layer, none, renorm"),
        ("name: a", "model.output=identity", "model.output is identity, which needs training.loss squared_error"),
        ("name: a", "name=123", "name is 123 (quote it to make it text), expected letters, digits, _ and -, at most 200 bytes"),
        ("name: a", "data.path=3", "data.path is 3 (quote it to make it text), expected text or null"),
        (COMPARED, "norm.r_max=2", "norm.r_max is no setting of kind batch; set variants.BRN.norm.r_max instead"),
        (NONE, "norm.decay=0.5", "norm.decay is no setting of kind none; set variants.BN.norm.decay or variants.BRN.norm.decay instead"),
        (NONE, "variants.none.norm.decay=0.5", "norm.decay is a setting of kind batch or renorm, but kind is none"),
    ],
)  # fmt: skip
def test_a_mistake_by_an_option_is_located_at_the_option(text, override, message):
    with pytest.raises(InputError) as caught:
        experiment_of(text, [override]).trials(1000)
    assert str(caught.value) == f"--set {override}: {message}"


def test_a_loss_that_is_set_is_blamed_itself():
    with pytest.raises(
        InputError, match=r"^x.yaml:2: training.loss is cross_entropy, which needs model.output softmax$"
    ):
        experiment_of("name: a\ntraining: {loss: cross_entropy}\nmodel: {output: identity}").trials(1000)


def test_a_number_in_quotes_is_a_name():
    assert experiment_of("name: a", ['name="123"']).name == "123"


def test_an_axis_hides_an_earlier_one():
    text = "name: a\ngrid:\n  training.steps: [3]\n  how: {so: {training: {steps: 4}}}"
    assert experiment_of(text).settings
    with pytest.raises(InputError, match=r"no trial sees grid.training.steps; set grid.how.so.training.steps instead"):
        experiment_of(text, ["grid.training.steps=[5]"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training:\n  micro_batch: 3\n  batch: 4", "x.yaml:3: training.micro_batch is 3, which does not divide"),
        ("training: {batch: 4}\ngrid:\n  training.micro_batch: [2, 3]", "x.yaml:4: training.micro_batch is 3"),
        ("training: {batch: 4}\ngrid:\n  how:\n    so: {training: {batch: 2000}}", "x.yaml:5: training.batch has 2000"),
        ("training: {batch: 4}\nvariants:\n  A:\n    training: {batch: 2000}", "x.yaml:5: training.batch has 2000"),
        ("grid:\n  how:\n    so: {}\n    thus: {training: {batch: 2000}}", "x.yaml:5: training.batch has 2000"),
        ("variants:\n- variant: A\n  settings:\n    training: {batch: 2000}", "x.yaml:5: training.batch has 2000"),
    ],
)
def test_contradictions_are_located_where_the_value_stands(text, message):
    with pytest.raises(InputError) as caught:
        experiment_of(f"name: a\n{text}").trials(1000)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["axis{}: [{}]", "axis{}: {{{}}}"], ids=["values", "names"])
def test_a_grid_is_counted_before_it_is_made(text):
    values = [", ".join(f"{i}" for i in range(100)), ", ".join(f"n{i}: {{}}" for i in range(100))]
    axes = [text.format(i, values["{{" in text]) for i in range(5)]
    tracemalloc.start()
    with pytest.raises(InputError, match="x.yaml: 20,000,000,000 trials, the limit is 100,000"):
        experiment_of(f"{COMPARED.replace('seeds: 2', 'seeds: 1')}grid: {{{', '.join(axes)}}}")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 * 2**20


@pytest.mark.parametrize("axis", ["seed", "variant", "settings", "step", "gap", "stopped", "''"])
def test_an_axis_is_not_called_like_a_column(axis):
    with pytest.raises(InputError, match="x.yaml:2: an axis cannot be called"):
        experiment_of(f"name: a\ngrid: {{{axis}: {{so: {{}}}}}}")


ODD = (
    COMPARED
    + """
published: brn17
training: {steps: 0.1234567890123 epochs, batch: 30}
grid:
  model.hidden: [[20], [30, 40]]
  "how: #1":
    "1e-3": {norm: {d_max: 1e-5}}
    "no": {norm: {semantics: paper}, evaluation: {every: 10%}}
    学習: {}
  norm.affine_lr: [null, 1e-7]
"""
)


@pytest.mark.parametrize("text", [COMPARED, GRID, ODD.replace("\ntraining: {steps: 4, optimizer: {lr: 0.1}}", "", 1)])
def test_what_a_run_tells_of_its_experiment_is_a_config_of_the_same_trials(text):
    experiment = experiment_of(text)
    again = experiment_of(experiment.as_config())
    assert digest(again.resolved()) == digest(experiment.resolved())
    assert again.published == experiment.published
    assert again.trials(1000) == experiment.trials(1000)


@pytest.mark.parametrize(
    "item",
    [
        "{variant: A}",
        "{variant: A, settings: 3}",
        "{variant: 3, settings: {}}",
        "3",
        "{variant: A, axis: 1, settings: {}}",
    ],
)
def test_an_incomplete_list_of_variants_is_refused(item):
    with pytest.raises(InputError, match=r"x.yaml:2: variants"):
        experiment_of(f"name: a\nvariants: [{{variant: A, settings: {{}}}}, {item}]")


def test_a_setting_of_a_cell_can_be_overridden():
    experiment = experiment_of(GRID)
    listed = reader.dump(experiment.resolved())
    changed = experiment_of(listed, ["variants.0.settings.norm.decay=0.25"])
    assert [t.settings.norm.decay == 0.25 for t in changed.trials(1000)].count(True) == len(experiment.seeds)


def test_a_missing_or_repeated_cell_is_refused():
    full = experiment_of(GRID).resolved()
    for variants in (full["variants"][1:], [*full["variants"], full["variants"][0]], []):
        with pytest.raises(InputError, match="expected an item for every variant at every grid point, each once"):
            experiment_of(reader.dump({**full, "variants": variants}))
