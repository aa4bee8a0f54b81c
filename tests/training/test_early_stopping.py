"""Early stopping: patience, the best weights, and a resume in the middle of it."""

import numpy as np
import pytest

from bnrenorm.analysis import tables
from bnrenorm.config import document
from bnrenorm.config.experiment import build
from bnrenorm.errors import InputError
from bnrenorm.runs import runner
from bnrenorm.runs.plan import plan
from bnrenorm.runs.store import Store
from bnrenorm.training import loop
from bnrenorm.training.early_stopping import Best
from tests.conftest import some_digits

TEXT = """
name: a
data: {validation: 100}
model: {hidden: [20]}
norm: {kind: batch}
training: {batch: {kind: iid, size: 50}, steps: 60, optimizer: {lr: 0.3}, early_stopping: {patience: 2, watch: loss}}
evaluation: {every: 4, parameters: true}
seeds: 3
"""


@pytest.fixture(scope="module")
def digits():
    return some_digits(500, 100)


def group(text=TEXT):
    return build(document.parse(text, "x.yaml")).trials(500)


def values(*losses):
    return {"validation_loss": np.array(losses), "validation_accuracy": 1 - np.array(losses)}


@pytest.mark.parametrize("watch", ["loss", "accuracy"])
def test_patience_counts_records_without_a_better_one_for_each_replica(digits, watch):
    training = loop.Training(group(TEXT.replace("watch: loss", f"watch: {watch}")), digits)
    best, weights = Best(training.network, training.trials, {}), training.network.linears[0].W.array
    for mark, losses in enumerate([(3, 3, 3), (2, 4, np.nan), (1, 3, 1), (1, 1, 1)]):
        weights[...] = mark
        best.see(values(*losses))
    assert list(best.stopped) == [False, True, False]
    best.restore()
    assert [float(each.max()) for each in weights] == [2, 0, 2]  # equal is not better


@pytest.mark.parametrize("average", ["null", "0.5"])
@pytest.mark.parametrize("kernels", ["formulas", "fused"])
def test_it_ends_with_the_weights_that_were_best(digits, kernels, average):
    text = TEXT.replace("parameters: true", f"parameters: true, average: {average}")
    training = loop.Training(group(text), digits, kernels=kernels)
    records = [record for record in training if record is not None]
    assert records[-1].step < 60
    losses = np.array([record.values["validation_loss"] for record in records])
    stopped = np.array([record.diagnosis["stopped"] for record in records])
    assert stopped[-1].all()
    for replica in range(3):
        end = int(stopped[:, replica].argmax())
        assert losses[: end + 1, replica].argmin() == end - 2  # patience 2
    now = training._judge({}).values["validation_loss"]
    ends = stopped.argmax(axis=0)
    np.testing.assert_allclose(now, [losses[: end + 1, i].min() for i, end in enumerate(ends)], rtol=1e-5)


def test_a_resume_changes_no_bit(digits):
    whole, first, second = (loop.Training(group(), digits) for _ in range(3))
    list(whole)
    steps = iter(first)
    for _ in range(18):
        next(steps)
    second.restore(first.state())
    list(second)
    assert all((a == b).all() for a, b in zip(whole.state().values(), second.state().values(), strict=True))


def test_the_summary_and_the_stored_parameters_are_those_it_went_back_to(digits, tmp_path):
    experiment, store = build(document.parse(TEXT, "x.yaml")), Store(tmp_path)
    store.prepare()
    results = runner.run(plan(experiment, digits, store, 2**30), digits, store, on="cpu")
    training = loop.Training(group(), digits)
    list(training)
    for (_, result), row, weights in zip(
        results, tables.summary(results).to_dict("records"), training.network.linears[0].W.array, strict=True
    ):
        place = int(np.argmin(result.records["validation_loss"]))
        assert row["final_validation_loss"] == result.records["validation_loss"][place]
        assert row["final_epoch"] == result.records["epoch"][place]
        assert len(result.records["step"]) == place + 3
        assert (result.parameters["linears/0/W"] == weights).all()


def test_without_a_validation_split_it_is_refused():
    with pytest.raises(InputError, match=r"x.yaml:6: training.early_stopping needs a validation split"):
        group(TEXT.replace("validation: 100", "validation: 0"))
