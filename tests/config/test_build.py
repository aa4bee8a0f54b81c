"""The keys of a config beside its settings, and what is wrong with one of them."""

import pytest

from bnrenorm.errors import InputError
from tests.helpers import experiment_of


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("variants: {A: {}}", "x.yaml:1: name is missing, expected letters"),
        ("name: a/b", "x.yaml:1: name is 'a/b'"),
        ("name: a\nvariants: {A: 3}", "x.yaml:2: variants.A is 3, expected a group such as {norm: {kind: batch}}"),
        ("name: a\nvariants: [A]", "x.yaml:2: variants.0 is 'A', expected named groups, such as BN: {norm: {kind: batch}}"),
        ("name: a\nvariants: []", "x.yaml:2: variants, expected an item for every variant"),
        ("name: -a", "x.yaml:1: name is '-a', expected letters, digits, _ and -"),
        (f"name: {'a' * 201}", "x.yaml:1: name is .* at most 200 bytes"),
        ("name: 3", r"x.yaml:1: name is 3 \(quote it to make it text\), expected letters"),
        ("name: a\ngrid: 5", "x.yaml:2: grid is 5, expected a group of settings"),
        ("name: a\nvariants: {A: {norm: {kind: renrom}}}", "x.yaml:2: norm: unknown kind 'renrom'; did you mean renorm"),
        ("name: a\nvariants: {A: {norm: {r_max: 3}}}", "x.yaml:2: norm has no kind, expected one of none, layer, batch, renorm, custom"),
        ("name: a\nvariants: {A: {nrom: {kind: batch}}}", "x.yaml:2: variants.A: unknown key 'nrom'; did you mean norm"),
        ("name: a\nvariants:\n A: {}\n B: {data: {validation: 9}}", "x.yaml:4: data.validation differs, expected one"),
        ("name: a\nvariants: {A: {}}\ngrid: {data.scaling: [unit, z_score]}", "x.yaml:3: data.scaling differs"),
    ],
)  # fmt: skip
def test_bad_experiments(text, message):
    with pytest.raises(InputError, match=message):
        experiment_of(text).trials(1000)


def test_a_baseline_is_a_variant_and_part_of_the_experiment():
    variants = "name: a\nvariants: {BN: {}, BRN: {norm: {kind: renorm}}}\n"
    assert experiment_of(variants).baseline is None
    experiment = experiment_of(f"{variants}baseline: BRN\n")
    assert experiment.baseline == "BRN"
    assert experiment.resolved()["baseline"] == "BRN"
    assert "baseline" not in experiment_of(variants).resolved()
    message = r"x.yaml:3: baseline: unknown variant 'BRM'; did you mean BRN\? allowed: BN, BRN"
    with pytest.raises(InputError, match=message):
        experiment_of(f"{variants}baseline: BRM\n")


def test_a_margin_is_given_in_points_and_part_of_the_experiment():
    text = "name: a\n"
    assert experiment_of(text).margin == 0.2
    assert experiment_of(f"{text}margin: 0.7\n").margin == 0.7
    assert experiment_of(f"{text}margin: 0.7\n").resolved()["margin"] == 0.7
    assert experiment_of(f"{text}margin: 0.2\n").resolved() == experiment_of(text).resolved(), "with its folder's name"
    for value in ("0", "-1", "100", ".nan", "true", "1%", "[1]", "null"):
        with pytest.raises(InputError, match=r"^x.yaml:2: margin is .*, expected percentage points, above 0 and below"):
            experiment_of(f"{text}margin: {value}\n")
