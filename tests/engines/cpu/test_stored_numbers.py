"""What an address promises: a trial that is stored, and one that is trained again, have the same bits.

Whether these are right other tests ask. Full batches are left out: BLAS multiplies them, by the processor.
"""

import hashlib

import pytest
from llvmlite import binding

from bnrenorm.config.trial import RESULTS
from tests.engines.groups import SETTINGS, group, training_of
from tests.helpers import curves, some_digits

DIGESTS = {
    13: {
        "BN after": "a6001e14",
        "BN before": "f079bc64",
        "BRN": "c3aaa72a",
        "BRN before, paper": "76e6d5c3",
        "none": "4a46eaeb",
        "none before": "4a46eaeb",
        "layer": "70d39454",
        "layer before": "06a8ae43",
        "one gamma a layer": "26136b7c",
        "no gamma": "a777aa57",
        "three layers": "bc124519",
        "three layers before": "35eab4f0",
        "micro": "0e28f3af",
        "decay, average": "c52275b2",
        "sgd": "80f13ee1",
        "adam": "ad68cde0",
        "rmsprop": "16efe3ec",
        "both decays": "3a7f5427",
        "mean gradient": "d5856204",
        "dropout": "c54ec085",
        "dropout before": "8031d525",
        "dropout, adam": "909429f1",
    }
}
"""Of the curves of SETTINGS, by RESULTS, which is raised where they move: CONTRIBUTING.md, When numbers may change."""


@pytest.fixture(scope="module")
def digits():
    return some_digits(500, 100)


@pytest.mark.skipif(not binding.get_host_cpu_features().get("fma", True), reason="the processor rounds every product")
@pytest.mark.parametrize("name", SETTINGS)
def test_the_numbers_are_those_of_stored_results(digits, name):
    trials = group(SETTINGS[name], "{kind: iid, size: 30}", training__steps=8)
    found = hashlib.sha256(curves(training_of(trials, digits, "cpu")).tobytes()).hexdigest()[:8]
    assert found == DIGESTS[RESULTS][name], "numbers moved: raise RESULTS in bnrenorm/config/trial.py"
