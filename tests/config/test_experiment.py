"""From a config to an experiment and its trials, and what is wrong with one in a line."""

import pytest

from bnrenorm import config
from bnrenorm.config import trial
from bnrenorm.config.norms import BatchNorm, Renorm
from bnrenorm.errors import InputError
from tests.helpers import experiment_of

HEAD = "name: a\nvariants:\n  BN: {norm: {kind: batch}}\n  BRN:\n    norm:\n      kind: renorm\n"


def trials(text, images=1000):
    return experiment_of(text).trials(images)


def refused(name, overrides=None, values=None):
    with pytest.raises(InputError) as caught:
        config.load(name, overrides, values).trials(60_000)
    return str(caught.value)


def test_trials_are_variants_by_grid_by_seeds():
    found = trials(HEAD + "grid: {training.optimizer.lr: [0.1, 0.5], norm.decay: [0.5]}\nseeds: 3")
    assert len(found) == 2 * 2 * 3
    assert {(t.variant, t.settings.training.optimizer.lr, t.settings.norm.decay) for t in found} == {
        (variant, lr, 0.5) for variant in ("BN", "BRN") for lr in (0.1, 0.5)
    }
    assert found[0].point == (("training.optimizer.lr", 0.1), ("norm.decay", 0.5))
    assert [t.seed for t in found[:3]] == [0, 1, 2]


def test_a_variant_changes_the_base_key_by_key_and_another_kind_replaces_it():
    text = """
name: a
norm: {kind: renorm, r_max: 2, decay: 0.7}
variants: {A: {norm: {d_max: 1}}, B: {norm: {kind: batch}}, C: {}}
"""
    a, b, c = (t.settings.norm for t in trials(text))
    assert isinstance(a, Renorm)
    assert (a.r_max, a.d_max, a.decay) == (2, 1, 0.7)
    assert isinstance(b, BatchNorm)
    assert b.decay == 0.9
    assert isinstance(c, Renorm)
    assert c.d_max == 5


def test_a_base_without_a_kind_serves_every_kind():
    found = trials("name: a\nnorm: {decay: 0.5}\nvariants: {A: {norm: {kind: batch}}, B: {norm: {kind: renorm}}}")
    assert [t.settings.norm.decay for t in found] == [0.5, 0.5]


def test_durations_are_resolved_to_steps():
    durations = "      warmup: 10%\n      ramp_r: 50%\n      ramp_d: 7\n"
    brn = trials(f"{HEAD}{durations}training: {{steps: 200 epochs}}\nevaluation: {{every: 5%}}")[1].settings
    assert [d.amount for d in (brn.norm.warmup, brn.norm.ramp_r, brn.norm.ramp_d)] == [20, 100, 7]
    assert brn.training.steps.amount == 200
    assert brn.evaluation.every.amount == 10


def test_decay_and_eps_come_from_the_semantics():
    norm = trials("name: a\nvariants: {A: {norm: {kind: batch, semantics: paper}}}")[0].settings.norm
    assert (norm.decay, norm.eps) == (0.99, 1e-5)


def test_equal_trainings_have_one_key_whatever_they_are_called():
    def key(text, images=1000, checksum="x", engine="cpu on cpu"):
        return trials(text, images)[0].key(checksum, engine)

    same = "name: {}\nvariants: {{{}: {{norm: {{kind: renorm, warmup: {}}}}}}}\ntraining: {{steps: {}}}"
    one = key(same.format("a", "A", "10%", 50))
    assert one == key(same.format("b", "B", 5, "50 epochs"))
    assert one != key(same.format("a", "A", 6, 50))
    assert one != key(same.format("a", "A", "10%", 50), checksum="y")
    assert one != key(same.format("a", "A", "10%", 50), engine="chainer on cpu")
    assert key(HEAD + "seeds: [3]") != key(HEAD + "seeds: [4]")


def test_the_outputs_are_the_classes_of_the_labels_given_or_not():
    inferred, given, null = (
        experiment_of(HEAD + text).trials(1000, 26)[0]
        for text in ("", "model: {outputs: 26}", "model: {outputs: null}")
    )
    assert inferred.settings.model.outputs == 26
    assert inferred.settings.model.widths(784) == (784, 400, 26)
    assert inferred.resolved()["model"]["outputs"] == 26
    assert inferred == given == null
    with pytest.raises(ValueError, match="model.outputs is not resolved"):
        experiment_of(HEAD).settings["BN", ()].model.widths(784)


def test_other_outputs_than_classes_are_refused_where_they_are_set():
    message = r"^x.yaml:7: model.outputs is 27, but the training labels have 26 classes; leave it out$"
    with pytest.raises(InputError, match=message):
        experiment_of(HEAD + "model: {outputs: 27}").trials(1000, 26)


def test_how_the_data_is_read_is_no_part_of_the_key():
    """The checksum stands for images and labels."""
    found = [trials(HEAD + text)[0] for text in ("", "data: {path: a}", "data: {first_label: 1}")]
    assert len({trial.key("x", "cpu on cpu") for trial in found}) == 1
    assert found[0].resolved()["data"] == {"validation": 0, "scaling": "unit", "scaling_axis": None}


def test_the_config_of_the_design_is_the_shipped_default():
    found = config.load("compare")
    assert found.variants == ("BN", "BRN")
    norm = found.trials(60_000)[-1].settings.norm
    assert (norm.r_max, norm.d_max, norm.warmup.amount, norm.ramp_r.amount, norm.ramp_d.amount) == (3, 5, 5, 25, 15)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trainin: {steps: 3}", "x.yaml:7: unknown key 'trainin'; did you mean training"),
        ("      r_mx: 3", "x.yaml:7: unknown key 'norm.r_mx'; did you mean norm.r_max"),
        ("training: {optimizer: {lrr: 1}}", "x.yaml:7: unknown key 'training.optimizer.lrr'; did you mean training.optimizer.lr"),
        ("      kind: renorm", "x.yaml:7: variants.BRN.norm.kind: duplicate key"),
        ("      r_max: big", "x.yaml:7: norm.r_max is 'big', expected a number"),
        ("training: {optimizer: {lr: true}}", "x.yaml:7: training.optimizer.lr is True, expected a number"),
        ("training: {optimizer: {lr: 1_0}}", "x.yaml:7: training.optimizer.lr is '1_0', expected a number"),
        ("training: {optimizer: {lr: nan}}", "x.yaml:7: training.optimizer.lr is 'nan', expected a number"),
        ("training: {optimizer: {lr: 1e300}}", r"x.yaml:7: training.optimizer.lr is 1e\+300, expected at most 3.4e\+38"),
        ("training: {optimizer: {kind: adam, eps: 1e-50}}", "x.yaml:7: training.optimizer.eps is 1e-50, expected a number from 1.17549e-38 on"),
        ("training: {optimizer: {kind: rmsprop, eps: 0}}", "x.yaml:7: training.optimizer.eps is 0, expected a number from"),
        ("      eps: 1e-46", "x.yaml:7: norm.eps is 1e-46, expected a number from"),
        ("training: 3", "x.yaml:7: training is 3, expected a group of settings: batches, optimizer"),
        ("model: {hidden: 400}", "x.yaml:7: model.hidden is 400, expected a list: number of nodes of each hidden layer"),
        ("model: {activation: [1]}", r"x.yaml:7: model.activation is \[1\], expected a group of settings: activation function"),
        ("training:\n  steps: 3\n  batch: 0", "x.yaml:9: training.batch.size is 0"),
        ("training:\n  steps: 3\n  batch: half", "x.yaml:9: training.batch is 'half', expected a group of settings: how batches are drawn"),
        ("training: {early_stopping: {patienc: 3}}", "x.yaml:7: unknown key 'training.early_stopping.patienc'; did you mean training.early_stopping.patience"),
        ("training:\n  batch: {kind: non_iid, classes: 2, size: 3}", "x.yaml:8: training.batch is {.*}, expected size"),
        ("training: {steps: 1e45}", r"x.yaml:7: training.steps is 1e\+45, expected at most 1,000,000,000,000"),
        ("training: {steps: 1e12 epochs, batch: 1}", "x.yaml:7: training.steps is 1,000,000,000,000,000 steps, expected 1 to 1,000,000,000,000"),
        ("seeds: 1e3", "x.yaml:7: seeds is 1000.0, expected a count or a list"),
        ("seeds: [0, true]", r"x.yaml:7: seeds is \[0, True\], expected a count or a list"),
        ("      r_max: 0.5", "x.yaml:7: norm.r_max is 0.5, expected a number from 1 on"),
        ("training: {batch: {kind: iid, size: 0}}", "x.yaml:7: training.batch.size is 0, expected a whole number from 1 on"),
        ("training: {batch: {kind: iid, size: many}}", "x.yaml:7: training.batch.size is 'many', expected a whole number"),
        ("training: {micro_batch: 1.5}", "x.yaml:7: training.micro_batch is 1.5, expected a whole number"),
        ("training: {optimizer: {momentum: 1}}", "x.yaml:7: training.optimizer.momentum is 1, expected a number below 1"),
        ("model: {dropout: {keep_input: 0}}", "x.yaml:7: model.dropout.keep_input is 0, expected a number above 0"),
        ("model: {dropout: {keep_input: 2}}", "x.yaml:7: model.dropout.keep_input is 2, expected a number up to 1"),
        ("training: {steps: -5}", "x.yaml:7: training.steps is -5, expected a positive duration such as 50"),
        ("      d_max: -1", "x.yaml:7: norm.d_max is -1, expected a number from 0 on"),
        ("training: {optimizer: {lr: .nan}}", "x.yaml:7: training.optimizer.lr is nan, expected a finite number"),
        ("training: {optimizer: {lr: .inf}}", "x.yaml:7: training.optimizer.lr is inf, expected a finite number"),
        ("      warmup: 60", "x.yaml:7: norm.warmup is 60 steps, but the training has 50"),
        ("      warmup: 110%", "x.yaml:7: norm.warmup is 55 steps"),
        ("      warmup: soon", "x.yaml:7: norm.warmup is 'soon', expected a duration"),
        ("training: {steps: 0}", "x.yaml:7: training.steps is 0 steps, expected 1 to"),
        ("training: {steps: 10%}", "x.yaml:7: training.steps is '10%', expected steps or epochs"),
        ("evaluation: {every: 51}", "x.yaml:7: evaluation.every is 51 steps, expected 1 to"),
        ("evaluation: {every: 0}", "x.yaml:7: evaluation.every is 0 steps"),
        ("seeds: 0", "x.yaml:7: seeds is 0, expected at least 1"),
        ("seeds: -3", "x.yaml:7: seeds is -3"),
        ("seeds: two", "x.yaml:7: seeds is 'two'"),
        ("seeds: []", r"x.yaml:7: seeds is \[\]"),
        ("seeds: [1, -1]", r"x.yaml:7: seeds is \[1, -1\]"),
        ("seeds: [1, 9007199254740992]", r"x.yaml:7: seeds has 9007199254740992, expected numbers up to 2\^53 - 1"),
        ("seeds: [1, 1]", r"x.yaml:7: seeds \[1, 1\] has a repeated seed"),
        ("seeds: 60000", "x.yaml: 120,000 trials"),
        ("model: {hidden: []}", "x.yaml:7: model.hidden is"),
        ("model: {hidden: [0]}", "x.yaml:7: model.hidden.0 is 0"),
        ("model: {order: norm-first}", "x.yaml:7: model.order is 'norm-first', expected 'linear"),
        ("data: {path: 3}", "x.yaml:7: data.path is 3"),
    ],
)  # fmt: skip
def test_bad_values_are_one_line_with_place_key_value_and_what_was_expected(text, message):
    with pytest.raises(InputError, match=message) as caught:
        trials(HEAD + text)
    assert "\n" not in str(caught.value)


def test_an_override_is_named_as_the_place_of_its_mistake():
    line = refused("compare", ["variants.BRN.norm.r_max=0"])
    assert line.startswith("--set variants.BRN.norm.r_max=0: norm.r_max is 0, expected")


def test_an_experiment_is_shown_in_one_line():
    text = f"{HEAD}seeds: 3\n"
    assert repr(experiment_of(text)) == "Experiment(a: BN, BRN; 3 seeds)"
    grid = "grid: {training.optimizer.lr: [0.1, 0.2]}\n"
    assert repr(experiment_of(text + grid)) == "Experiment(a: BN, BRN; 2 grid points; 3 seeds)"


def test_the_configs_question_is_asked_unless_another_training_was_set():
    text = f"# Question: which?\n{HEAD}"
    assert experiment_of(text, ["seeds=5", "evaluation.every=2", "data.validation=10"]).question == "which?"
    for other in ("training.batch=5", "variants.N={norm: {kind: none}}", "variants.BN.norm.decay=0.5"):
        assert experiment_of(text, [other]).question == ""
    assert experiment_of(HEAD).question == ""


def test_a_setting_that_an_override_makes_impossible_says_what_to_set_too():
    long = "configs/article2/l1.yaml:12: evaluation.every is 600 steps, expected 1 to the training's 20"
    assert refused("article2/l1", ["training.steps=20", "seeds=1"]) == (
        f"{long}; with training.steps=20 also set evaluation.every, for example --set evaluation.every=10"
    )
    assert refused("article2/l1", None, {"training.steps": 20}).endswith(", for example evaluation.every=10")
    assert "also set" not in refused("compare", ["evaluation.every=100"])


def test_the_folder_of_configs_suggests_what_is_in_it():
    assert "did you mean one of article2/dropout, article2/" in refused("article2")


def test_a_run_folder_is_a_config(tmp_path):
    experiment = config.load("quick")
    (tmp_path / "experiment.yaml").write_text(experiment.as_config())
    assert config.load(tmp_path).resolved() == experiment.resolved()
    (tmp_path / "experiment.yaml").write_text("name: a\ntrainin: 1\n")
    assert refused(tmp_path).startswith(f"{tmp_path}/experiment.yaml:2: unknown key 'trainin'")


def test_norms_of_the_users_own_have_a_version_of_their_numbers(monkeypatch):
    """What such norms draw has changed once while no other number did."""
    settings = {kind: {"norm": {"kind": kind}} for kind in ("batch", "custom")}
    before = {kind: trial.key_of("x", "cpu on cpu", 0, own) for kind, own in settings.items()}
    monkeypatch.setattr(trial, "CUSTOM_RESULTS", 0)
    now = {kind: trial.key_of("x", "cpu on cpu", 0, own) for kind, own in settings.items()}
    assert {kind: before[kind] == now[kind] for kind in settings} == {"batch": True, "custom": False}
