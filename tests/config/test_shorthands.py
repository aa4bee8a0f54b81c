"""Shorthands and the groups that they stand for mean the same wherever they meet."""

import pytest

from bnrenorm.config.schema import ClassSorted, Full, Iid, NonIid
from bnrenorm.config.shorthands import complete
from bnrenorm.errors import InputError
from tests.helpers import experiment_of


def batch(text, *overrides):
    """Return the batch regimes of a config's cells."""
    return [settings.training.batch for settings in experiment_of(f"name: a\n{text}", overrides).settings.values()]


IID = [Iid(kind="iid", size=4), Iid(kind="iid", size=16)]


@pytest.mark.parametrize("base", ["", "training: {batch: 32}", "training: {batch: full}", "training: {batch: {kind: iid, size: 2}}", "training: {steps: 3}"])  # fmt: skip
@pytest.mark.parametrize("axis", ["training.batch.size: [4, 16]", "training.batch: [4, 16]", "how: {a: {training: {batch: 4}}, b: {training: {batch: {size: 16}}}}"])  # fmt: skip
def test_a_size_meets_every_form_in_the_grid(base, axis):
    assert batch(f"{base}\ngrid: {{{axis}}}") == IID


@pytest.mark.parametrize("base", ["", "training: {batch: 32}", "training: {batch: full}"])
def test_a_size_meets_every_form_in_variants_and_overrides(base):
    assert (
        batch(f"{base}\nvariants: {{a: {{training: {{batch: {{size: 4}}}}}}, b: {{training: {{batch: 16}}}}}}") == IID
    )
    assert batch(base, "training.batch.size=4") == IID[:1]
    assert batch(base, "training.batch=2", "training.batch={size: 16}") == IID[1:]


def test_a_shorthand_keeps_the_rest_of_its_group():
    (same,) = batch("training: {batch: {kind: iid, size: 2, remainder: keep}}\nvariants: {a: {training: {batch: 4}}}")
    assert same == Iid(kind="iid", size=4, remainder="keep")
    (same,) = batch("training: {batch: 4}", "training.batch.remainder=keep")
    assert same == Iid(kind="iid", size=4, remainder="keep")


def test_a_size_alone_leaves_another_kind_as_it_is():
    base = "training: {batch: {kind: non_iid, classes: 2, size: 6}}"
    assert batch(base, "training.batch.size=8") == [NonIid(kind="non_iid", classes=2, size=8)]
    assert batch(base, "training.batch=8") == [Iid(kind="iid", size=8)]
    assert batch("training: {batch: {kind: sorted, size: 6}}", "training.batch.size=8") == [
        ClassSorted(kind="sorted", size=8)
    ]


def test_full_replaces_any_batch():
    assert batch("training: {batch: 4}\nvariants: {a: {training: {batch: full}}}") == [Full(kind="full")]
    with pytest.raises(InputError, match="x.yaml:2: training.batch.size is a setting of kind iid"):
        batch("training: {batch: {kind: full, size: 3}}")


def test_a_name_meets_the_settings_of_its_group():
    found = experiment_of("name: a\nmodel: {activation: leaky_relu}\ngrid: {model.activation.alpha: [0.1, 0.2]}")
    assert [settings.model.activation.alpha for settings in found.settings.values()] == [0.1, 0.2]


def test_settings_next_to_the_papers_schedule_take_precedence():
    norm = {"kind": "renorm", "d_max": 2.0, "schedule": "paper", "ramp_r": 7}
    want = {"kind": "renorm", "r_max": 3.0, "d_max": 2.0, "warmup": 5_000, "ramp_r": 7, "ramp_d": 20_000}
    assert complete({"norm": norm})["norm"] == want
