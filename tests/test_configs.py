"""Every shipped config: its header, and a short run of its networks on few digits."""

import pytest

from bnrenorm import config
from bnrenorm.config import header
from bnrenorm.config.comparisons import comparisons
from bnrenorm.engines.backend import Backend
from bnrenorm.runs.session import Session
from tests.helpers import some_digits

CONFIGS = config.shipped()
_BATCHES = ("of 4", "of 16", "of 128", "of two classes", "of one class")
QUICK = {
    "quick": ["training.steps=10", "evaluation.every=5 steps"],
    "tuning": ["data.validation=100", *(f"grid.batches.{name}.training.steps=10" for name in _BATCHES)],
    "article2/regularisers": ["data.validation=100", "training.steps=10"],
}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_header_says_question_expected_command_and_time(name):
    about = header.read(CONFIGS[name].read_text(encoding="utf-8"))
    assert about.question.endswith("?")
    assert about.expected.endswith(".")
    assert about.command.split("  ")[0] == ("bnrenorm compare" if name == "compare" else f"bnrenorm compare {name}")
    assert " on 2 cores" in about.time


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_a_quick_form_runs(name, tmp_path):
    experiment = config.load(name, ["seeds=1", *QUICK.get(name, ["training.steps=10"])])
    options = {"memory": 2**30, "load": lambda _: some_digits(500, 100)}
    with Session(experiment, Backend("cpu", "cpu"), tmp_path, **options).run() as outcome:
        pass
    assert {trial.variant for trial, _ in outcome.trials} == set(experiment.variants)
    diverged = {
        trial.settings.training.optimizer.lr for trial, result in outcome.trials if result.outcome != "finished"
    }
    assert min(diverged, default=5) >= 5  # in the second article's range of learning rates


def test_only_article_and_limits_have_identical_variants():
    """The grid of `limits` begins at r_max 1 and d_max 0, which is batch normalisation."""
    pairs = [(name, pair) for name in CONFIGS for pair in comparisons(config.load(name).trials(60_000))]
    identical = [(name, pair.point) for name, pair in pairs if pair.identical_because is not None]
    assert set(identical) == {("article", ()), ("limits", (("norm.r_max", 1.0), ("norm.d_max", 0.0)))}
