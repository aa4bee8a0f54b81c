import pytest

from bnrenorm.config import document
from bnrenorm.errors import InputError


def test_every_key_has_its_line():
    parsed = document.parse("a: 1\nb:\n  c: [1, 2]\n", "x.yaml")
    assert parsed.data == {"a": 1, "b": {"c": [1, 2]}}
    assert parsed.location(("b", "c")) == "x.yaml:3"
    assert parsed.location(("b", "missing")) == "x.yaml:2"


def test_an_override_replaces_a_whole_value_and_names_itself():
    parsed = document.parse("a: {b: {c: 1, d: 2}}", "x.yaml")
    parsed.override("a.b={c: 3}")
    parsed.override("a.e=text")
    assert parsed.data == {"a": {"b": {"c": 3}, "e": "text"}}
    assert parsed.location(("a", "b", "c")) == "--set a.b={c: 3}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "but the file is empty"),
        ("# nothing", "but the file is empty"),
        ("[1]", r"found \[1\]"),
        ("a", "found 'a'"),
    ],
)
def test_a_document_is_a_group_of_settings(text, found):
    with pytest.raises(InputError, match=rf"x.yaml: expected settings \(key: value\), {found}"):
        document.parse(text, "x.yaml")


@pytest.mark.parametrize("assignment", ["a", "=3", "a..b=3", "a.b.c=3", "a=[", "", "c.2=1", "c.x=1", f"{'x.' * 50}x=1"])
def test_a_bad_override_is_named(assignment):
    parsed = document.parse("a: {b: 1}\nc: [1, 2]", "x.yaml")
    with pytest.raises(InputError, match="--set"):
        parsed.override(assignment)


def test_an_axis_of_the_grid_is_overridden_whole_or_in_a_named_part():
    parsed = document.parse("grid: {training.batch.size: [2, 4], how: {so: {norm: {decay: 0.5}}}}", "x.yaml")
    parsed.override("grid.training.batch.size=[8]")
    parsed.override("grid.how.so.norm.decay=0.9")
    parsed.override("grid.norm.r_max=[1, 2]")
    assert parsed.data["grid"] == {
        "training.batch.size": [8],
        "how": {"so": {"norm": {"decay": 0.9}}},
        "norm.r_max": [1, 2],
    }


def test_names_with_dots_and_items_of_lists_are_overridden():
    parsed = document.parse("variants: {decay 0.9: {norm: {decay: 0.9}}}\nmodel: {hidden: [1, 2]}", "x.yaml")
    parsed.override("variants.decay 0.9.norm.decay=0.8")
    parsed.override("model.hidden.1=3")
    assert parsed.data == {"variants": {"decay 0.9": {"norm": {"decay": 0.8}}}, "model": {"hidden": [1, 3]}}


def test_of_names_that_begin_alike_the_longest_is_overridden():
    parsed = document.parse("variants: {decay: {}, decay.9: {norm: {decay: 0.9}}}", "x.yaml")
    parsed.override("variants.decay.9.norm.decay=0.8")
    assert parsed.data == {"variants": {"decay": {}, "decay.9": {"norm": {"decay": 0.8}}}}


def test_a_value_may_have_an_equals_sign():
    parsed = document.parse("name: a", "x.yaml")
    parsed.override("data.path=lr=0.1.npz")
    assert parsed.data["data"] == {"path": "lr=0.1.npz"}


def test_an_override_enters_a_group_where_null_or_a_shorthand_stands():
    parsed = document.parse("training: {early_stopping: null, batch: 32}", "x.yaml")
    parsed.override("training.early_stopping.patience=3")
    parsed.override("training.batch.size=4")
    assert parsed.data["training"] == {"early_stopping": {"patience": 3}, "batch": {"kind": "iid", "size": 4}}
    assert parsed.location(("training", "early_stopping")) == "--set training.early_stopping.patience=3"


def test_a_long_override_is_cut_in_messages():
    parsed = document.parse("a: 1", "x.yaml")
    with pytest.raises(InputError) as caught:
        parsed.override("a.b=" + "x" * 10_000)
    assert len(str(caught.value)) < 400


VARIANTS = "variants: {BN: {norm: {kind: batch}}}"


@pytest.mark.parametrize("text", [VARIANTS, "variants: null", "name: a"])
def test_a_variant_is_added_as_a_whole_but_not_by_a_part(text):
    parsed = document.parse(text, "x.yaml")
    with pytest.raises(
        InputError, match=r"unknown variant 'BM'; .* a new one is set as a whole, such as variants.BM={"
    ):
        parsed.override("variants.BM.norm.kind=batch")
    parsed.override("variants.LN={norm: {kind: layer}}")
    parsed.override("variants.LN.norm.eps=0.1")
    assert parsed.data["variants"]["LN"] == {"norm": {"kind": "layer", "eps": 0.1}}


def test_a_misspelt_variant_offers_the_nearest():
    with pytest.raises(InputError, match=r"^--set variants.bn.norm.eps=1: unknown variant 'bn'; did you mean BN\?"):
        document.parse(VARIANTS, "x.yaml").override("variants.bn.norm.eps=1")


def test_another_kind_replaces_the_group_of_the_file_but_keeps_what_was_set():
    text = "training:\n  optimizer:\n    kind: sgd\n    lr: 1\n    momentum: 0.9\n  batch: 4"
    parsed = document.parse(text, "x.yaml")
    for assignment in ("training.optimizer.lr=2", "training.optimizer.kind=adam", "training.batch.kind=full"):
        parsed.override(assignment)
    assert parsed.data["training"] == {"optimizer": {"kind": "adam", "lr": 2}, "batch": {"kind": "full"}}
    assert parsed.location(("training", "optimizer", "momentum")) == "x.yaml:2", "which is not set any more"
    parsed.override("training.optimizer.kind=adam")
    assert parsed.data["training"]["optimizer"] == {"kind": "adam", "lr": 2}
    for assignment in ("training.optimizer.betas.one=0.9", "training.optimizer.kind=sgd"):
        parsed.override(assignment)
    mistake = {"betas": {"one": 0.9}}  # which is still there to be refused
    assert parsed.data["training"]["optimizer"] == {"kind": "sgd", "lr": 2, **mistake}
