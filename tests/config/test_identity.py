import pytest

from bnrenorm import config
from bnrenorm.config.comparisons import comparisons
from tests.helpers import trials_of


def identical(trials):
    return [one for one in comparisons(trials) if one.identical_because is not None]


def found(*norms):
    variants = "\n".join(f"  V{i}: {{norm: {norm}}}" for i, norm in enumerate(norms))
    return [(same.a, same.b, same.identical_because) for same in identical(trials_of(f"variants:\n{variants}"))]


def test_the_articles_comparison_is_recognised_with_its_reason():
    (same,) = identical(config.load("article").trials(60_000))
    assert (same.a, same.b) == ("BN", "BRN")
    assert "r = 1 and d = 0 at every step" in same.identical_because
    assert "defaults of chainer.links.BatchRenormalization" in same.identical_because


def test_chainers_defaults_are_named_whichever_variant_comes_first():
    norms = ("{kind: batch}", "{kind: renorm, r_max: 1, d_max: 0}")
    for pair in (norms, norms[::-1]):
        ((_, _, because),) = found(*pair)
        assert because.endswith("; these are the defaults of chainer.links.BatchRenormalization")


def test_the_default_comparison_is_not():
    assert identical(config.load("compare").trials(60_000)) == []


@pytest.mark.parametrize(
    "norm",
    [
        "{kind: renorm, r_max: 1, d_max: 0.1}",
        "{kind: renorm, r_max: 1.1, d_max: 0}",
        "{kind: renorm, r_max: 1, d_max: 0, decay: 0.8}",
        "{kind: renorm, r_max: 1, d_max: 0, semantics: paper}",
        "{kind: renorm, warmup: 49}",
        "{kind: renorm, warmup: 49, ramp_r: 1}",
        "{kind: renorm, warmup: 49, ramp_d: 1}",
        "{kind: renorm, warmup: 48, ramp_r: 1, ramp_d: 1}",
        "{kind: renorm, r_max: 1, d_max: 0, affine: layer}",
        "{kind: renorm, r_max: 1, d_max: 0, affine: layer, affine_gradient: mean}",
        "{kind: renorm, r_max: 1, d_max: 0, affine_lr: 0.1}",
        "{kind: none}",
    ],
)
def test_what_can_differ_is_not_called_identical(norm):
    assert found("{kind: batch}", norm) == []


@pytest.mark.parametrize(
    "other",
    [
        "{norm: {kind: batch, affine_lr: 0.01}}",
        "{norm: {kind: batch, affine_gradient: mean}}",
        "{norm: {kind: batch}, model: {dropout: {form: exact, keep_input: 1}}}",
    ],
)
def test_what_changes_nothing_makes_no_other_computation(other):
    text = f"variants:\n  A: {{norm: {{kind: batch}}}}\n  B: {other}\n"
    (same,) = identical(trials_of(f"{text}training: {{optimizer: {{lr: 0.01}}}}"))
    assert same.identical_because == "their settings are one computation"
    others = identical(trials_of(f"{text}training: {{optimizer: {{lr: 0.02}}}}"))
    assert len(others) == ("affine_lr" not in other)


@pytest.mark.parametrize(
    ("a", "b", "kinds"),
    [
        ("evaluation: {statistics: running}", "evaluation: {statistics: batch}", {"none", "layer"}),
        ("evaluation: {statistics: population}", "evaluation: {statistics: batch}", {"none", "layer"}),
        ("model: {order: linear-activation-norm}", "model: {order: linear-norm-activation}", {"none"}),
        ("evaluation: {penalty: true}", "evaluation: {penalty: false}", {"none", "layer", "batch", "renorm"}),
        ("norm: {r_max: 1, ramp_r: 9}", "norm: {r_max: 1}", {"renorm"}),
        ("norm: {d_max: 0, ramp_d: 9}", "norm: {d_max: 0}", {"renorm"}),
        ("norm: {ramp_d: 9}", "norm: {ramp_d: 8}", set()),
        ("norm: {d_max: 0, ramp_r: 9}", "norm: {d_max: 0}", set()),
    ],
)
def test_settings_that_a_norm_has_no_use_for_make_no_other_computation(a, b, kinds):
    found = set()
    for kind in ["renorm"] if "norm:" in a else ["none", "layer", "batch", "renorm"]:
        variants = f"variants:\n  A: {{{a}}}\n  B: {{{b}}}\nnorm: {{kind: {kind}}}\n"
        found |= {kind} if identical(trials_of(variants)) else set()
        for decay in ("l1_decay", "weight_decay") if "penalty" in a else ():
            assert not identical(trials_of(f"{variants}training: {{{decay}: 0.1}}"))
    assert found == kinds


def test_what_no_gamma_and_beta_learn_by_is_no_setting():
    assert len(found("{kind: batch, affine: none}", "{kind: batch, affine: none, affine_lr: 0.5}")) == 1
    assert found("{kind: batch, affine: layer}", "{kind: batch, affine: layer, affine_gradient: mean}") == []
    assert found("{kind: layer}", "{kind: layer, affine_lr: 0.5}") == []


def test_a_warm_up_as_long_as_the_training_is_batch_normalisation():
    ((a, b, reason),) = found("{kind: batch}", "{kind: renorm, warmup: 100%}")
    assert (a, b) == ("V0", "V1")
    assert "warm-up" in reason


@pytest.mark.parametrize("norm", ["ramp_r: 1, ramp_d: 9", "r_max: 1, ramp_d: 1", "d_max: 0, ramp_r: 1"])
def test_limits_that_would_rise_after_the_last_step_are_batch_normalisation(norm):
    ((_, _, reason),) = found("{kind: batch}", f"{{kind: renorm, warmup: 49, {norm}}}")
    assert "would rise only after the training's last step" in reason


def test_every_pair_is_reported():
    bn = "{kind: batch}"
    assert [(a, b) for a, b, _ in found(bn, "{kind: renorm}", bn, bn)] == [("V0", "V2"), ("V0", "V3"), ("V2", "V3")]
    assert found(bn, bn)[0][2] == "their settings are equal"


def test_minus_0_is_0():
    assert found("{kind: renorm, d_max: 0.0}", "{kind: renorm, d_max: -0.0}")[0][2] == "their settings are equal"
