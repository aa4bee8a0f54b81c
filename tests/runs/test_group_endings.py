"""How the trials of a group end, together or one by one: diverged, or stopped early; and with which weights."""

from contextlib import suppress
from functools import partial

import numpy as np
import pytest

from bnrenorm.analysis import tables
from bnrenorm.engines.backend import Backend
from bnrenorm.runs import group as groups
from bnrenorm.runs import narration
from bnrenorm.runs.interrupt import Interrupted
from bnrenorm.runs.store import Store
from bnrenorm.training import loop
from tests.helpers import COMPARED, ENGINES, experiment_of
from tests.runs.runs import train


@pytest.mark.parametrize("engine", ENGINES)
def test_a_diverged_trial_ends_at_its_step_and_leaves_its_companions(few, store, engine):
    text = COMPARED.replace("BRN: {", "BRN: {training: {steps: 9, optimizer: {lr: 1.0e+20}}, ")
    text = text.replace("steps: 4", "steps: 9") + "evaluation: {parameters: true}\n"
    found = train(text, few, store, backend=Backend(engine, "cpu"))
    results = {(trial.variant, trial.seed): result for trial, result in found}
    diverged = results["BRN", 0]
    assert diverged.outcome == "diverged"
    assert len(diverged.records["step"]) < 9
    assert np.isfinite(diverged.records["train_loss"][:-1]).all()
    assert not np.isfinite(diverged.records["train_loss"][-1])
    told = {name: values for name, values in diverged.records.items() if name.endswith("_mode_accuracy")}
    assert len(told) == 2
    assert np.isfinite([values[:-1] for values in told.values()]).all()
    assert np.isnan([values[-1] for values in told.values()]).all(), "weights that are no numbers have no gap of 0"
    assert diverged.parameters == {}, "how far they went on depends on its companions"
    assert results["BN", 0].outcome == "finished"
    assert len(results["BN", 0].records["step"]) == 9
    assert results["BN", 0].parameters.keys() >= {"linears/0/W", "norms/0/run_mean"}


def test_nothing_more_is_trained_once_all_have_diverged(few, store):
    text = COMPARED.replace("lr: 0.1", "lr: 1.0e+20").replace("steps: 4", "steps: 5000")
    shown = []
    results = train(text, few, store, report=lambda progress: shown.append(progress.record.step))
    assert {result.outcome for _, result in results} == {"diverged"}
    assert shown[-1] < 20


EARLY = """
name: a
data: {validation: 50}
model: {hidden: [20]}
training: {batch: {kind: iid, size: 50}, steps: 60, optimizer: {lr: 0.3}, early_stopping: {patience: 2, watch: loss}}
evaluation: {every: 3, parameters: true}
seeds: 3
"""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.slow
def test_the_summary_and_the_stored_parameters_are_those_that_early_stopping_went_back_to(few, store, engine):
    results = train(EARLY, few, store, backend=Backend(engine, "cpu"))
    training = loop.Training([trial for trial, _ in results], few, engine=engine)
    list(training)
    weights = training.engine.replicas.network.linears[0].W.array
    for (_, result), row, own in zip(results, tables.summary(results).to_dict("records"), weights, strict=True):
        best = int(np.argmin(result.records["validation_loss"]))
        assert row["final_validation_loss"] == result.records["validation_loss"][best]
        assert row["final_epoch"] == result.records["epoch"][best]
        assert len(result.records["step"]) == best + 3
        assert result.outcome == "finished"
        assert (result.parameters["linears/0/W"] == own).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_parameters_are_those_of_the_best_record_even_if_all_replicas_diverge_after_it(few, store, engine):
    def trained(more=""):
        text = f"""
name: a
data: {{validation: 50}}
model: {{hidden: [20]}}
variants: {{explodes: {{training: {{optimizer: {{lr: 1.0e+9}}}}}}{more}}}
training: {{batch: {{kind: iid, size: 50}}, steps: 60, early_stopping: {{patience: 20}}}}
evaluation: {{every: 1, parameters: true}}
"""
        return train(text, few, store, backend=Backend(engine, "cpu"))[0]

    trial, alone = trained()
    (store.path(trial.key(few.checksum, Backend(engine, "cpu").address(trial.settings)))).unlink()
    _, in_company = trained(", calm: {training: {optimizer: {lr: 0.01}}}")
    assert not np.isfinite(alone.records["train_loss"][-1]), "it diverged after its best record"
    assert (alone.outcome, in_company.outcome) == ("finished", "finished")
    for name, weights in in_company.parameters.items():
        assert (alone.parameters[name] == weights).all(), name


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("calm", ["0.01", "1.0e+20"])
def test_a_run_interrupted_after_a_divergence_ends_as_it_would_have(few, tmp_path, engine, calm):
    """Some replicas, or all, have diverged when it stops, and are not trained any further."""
    trials = experiment_of(f"""
name: a
model: {{hidden: [8]}}
variants: {{a: {{training: {{optimizer: {{lr: {calm}}}}}}}, b: {{training: {{optimizer: {{lr: 1.0e+20}}}}}}}}
training: {{batch: 20, steps: 12}}
evaluation: {{every: 2, parameters: true}}
""").trials(200)
    keys, ends = [f"{i:016}" for i in range(2)], []
    for stops in (False, True):
        store, asked = Store(tmp_path / str(stops)), []
        store.prepare()
        for _ in range(20):
            asked.clear()
            with suppress(Interrupted):
                stop = partial(bool, asked) if stops else bool  # after every record, or never
                trainer = groups.GroupTrainer(few, store, Backend(engine, "cpu"), stop)
                trainer.train(trials, keys, lambda trials, record, asked=asked: asked.append(record))
                break
        ends.append([store.read(key) for key in keys])
    for whole, parts in zip(*ends, strict=True):
        assert whole.outcome == parts.outcome
        np.testing.assert_equal(parts.records, whole.records)
        np.testing.assert_equal(parts.parameters, whole.parameters)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("early_stopping", ["null", "{patience: 1}", "{patience: 1, watch: accuracy}"])
def test_a_last_step_that_destroys_the_weights_is_a_divergence(few, store, engine, early_stopping):
    """The training loss is that before the step; the test loss after it is no number."""
    text = f"""
name: a
model: {{hidden: [20]}}
variants: {{BN: {{}}, slow: {{training: {{optimizer: {{lr: 0.01}}}}}}}}
data: {{validation: 40}}
training: {{steps: 1, optimizer: {{lr: 1.0e+30}}, early_stopping: {early_stopping}}}
"""
    results = train(text, few, store, backend=Backend(engine, "cpu"))
    assert [(trial.variant, result.outcome) for trial, result in results] == [("BN", "diverged"), ("slow", "finished")]
    assert all(np.isfinite(result.records["train_loss"]).all() for _, result in results)


@pytest.mark.parametrize("engine", ENGINES)
def test_initial_weights_without_a_finite_loss_are_trained(few, store, engine):
    """BN overflows by its first running averages alone, in inference; without a normalisation the training does."""
    text = """
name: a
data: {validation: 40}
model: {hidden: [8, 8, 8], weight_init: {kind: normal, std: 1.0e+13}}
variants: {BN: {norm: {kind: batch, decay: 0, affine: none}}, none: {norm: {kind: none}}}
training: {batch: 40, steps: 4, optimizer: {lr: 1.0e-20}, early_stopping: {patience: 1}}
evaluation: {every: 2, training_set: true}
"""
    shown = []
    (_, trained), (_, diverged) = train(text, few, store, shown.append, backend=Backend(engine, "cpu"))
    assert trained.outcome == "finished"
    assert np.isfinite(trained.records["train_loss"]).tolist()[:2] == [False, True]
    assert (diverged.outcome, diverged.records["step"]) == ("diverged", [0, 2])
    lines = {(progress.record.step, line) for progress in shown for line in narration.losses(progress)}
    assert lines >= {(0, "BN not finite"), (0, "none not finite")}
