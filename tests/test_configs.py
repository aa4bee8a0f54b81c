"""Every shipped config: its header, and a quick run of its own system on few digits."""

import pytest

from bnrenorm import config
from bnrenorm.config import identity
from bnrenorm.runs import runner
from bnrenorm.runs.plan import plan
from bnrenorm.runs.store import Store
from tests.conftest import some_digits

CONFIGS = config.shipped()
_BATCHES = ("of 4", "of 16", "of 128", "of two classes", "of one class")
QUICK = {
    "tuning": ["data.validation=100", *(f"grid.batches.{name}.training.steps=10" for name in _BATCHES)],
    "article2/regularisers": ["data.validation=100"],
}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_header_says_question_expected_command_and_time(name):
    header = [line for line in CONFIGS[name].read_text().splitlines() if line.startswith("#")]
    for word in ("Question:", "Expected:", "Command:", "Time:"):
        assert any(line.startswith(f"# {word}") for line in header), word
    assert config.question(CONFIGS[name]).endswith("?")


@pytest.mark.parametrize("name", CONFIGS)
def test_a_quick_form_runs(name, tmp_path):
    experiment = config.load(name, ["training.steps=10", "seeds=1", *QUICK.get(name, [])])
    store = Store(tmp_path)
    store.prepare()
    data = some_digits(500, 100)
    results = runner.run(plan(experiment, data, store, 2**30), data, store, on="cpu")
    assert {trial.variant for trial, _ in results} == set(experiment.variants)
    diverged = {trial.settings.training.optimizer.lr for trial, result in results if result.outcome != "finished"}
    assert min(diverged, default=5) >= 5  # in the second article's range of learning rates


def test_only_the_article_and_the_limits_compare_a_thing_with_itself():
    """The limits' grid begins at r_max 1 and d_max 0, which is batch normalisation."""
    found = {name: identity.identities(config.load(name).trials(60_000)) for name in CONFIGS}
    assert {name for name, same in found.items() if same} == {"article", "limits"}
    assert {each.point for each in found["limits"]} == {(("norm.r_max", 1.0), ("norm.d_max", 0.0))}
