"""Float64 for proofs: what is converted, and that nothing else changes."""

import numpy as np

from bnrenorm.engines.precision import to_double
from bnrenorm.training import loop
from tests.engines.groups import advance, coarse_digits, group


def test_all_that_is_trained_becomes_float64_and_keeps_its_numbers():
    settings = "norm: {kind: renorm}\ntraining.optimizer: {kind: adam}\nevaluation.average: 0.5"
    more = {"data__validation": 20, "training__early_stopping": "{patience: 2}", "evaluation__training_set": True}
    training = loop.Training(group(settings, "{kind: iid, size: 10}", 60, **more), coarse_digits(60, 20))
    advance(training, 2)
    replicas, inputs = training.engine.replicas, training.engine.inputs
    state, images = replicas.state_dict(), {name: data[0].copy() for name, data in inputs.eval_sets.items()}
    to_double(replicas, inputs)
    converted = replicas.state_dict()
    assert {name.partition("/")[0] for name in state} >= {"weights", "optimizer", "average", "kept", "best"}
    for name, array in converted.items():
        assert array.dtype == (np.float64 if state[name].dtype == np.float32 else state[name].dtype)
        assert (array == state[name]).all()
    assert inputs.images.dtype == np.float64
    assert inputs.labels.dtype == np.int32
    for name, (own, labels) in inputs.eval_sets.items():
        assert own.dtype == np.float64
        assert (own == images[name]).all()
        assert labels.dtype == np.int32


def test_steps_stay_in_float64():
    training = loop.Training(group("norm: {kind: renorm}", "{kind: iid, size: 10}", 60), coarse_digits(60, 20))
    to_double(training.engine.replicas, training.engine.inputs)
    advance(training, 2)
    arrays = [array for name, array in training.state_dict().items() if name.startswith(("weights", "optimizer"))]
    assert {array.dtype for array in arrays} == {np.dtype(np.float64)}
