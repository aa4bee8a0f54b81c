"""What holds for every config, on configs that Hypothesis draws: always the same ones, so that a failure can be repeated."""

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bnrenorm.config.trial import digest
from tests.helpers import experiment_of

few = settings(max_examples=40, deadline=None, derandomize=True)
RATES = st.floats(1e-4, 10, allow_nan=False).map(lambda rate: float(f"{rate:.3g}"))
NORMS = st.one_of(
    st.just({"kind": "none"}),
    st.fixed_dictionaries({"kind": st.just("batch"), "decay": st.floats(0, 0.99), "affine": st.sampled_from(["node", "layer", "none"])}),
    st.fixed_dictionaries({"kind": st.just("renorm"), "r_max": st.floats(1, 10), "d_max": st.floats(0, 10), "warmup": st.integers(0, 5)}),
    st.fixed_dictionaries({"kind": st.just("layer"), "eps": st.floats(1e-8, 1)}),
)  # fmt: skip
OPTIMIZERS = st.one_of(
    st.fixed_dictionaries({"kind": st.just("sgd"), "lr": RATES}),
    st.fixed_dictionaries({"kind": st.just("momentum_sgd"), "lr": RATES, "momentum": st.floats(0, 0.99)}),
    st.fixed_dictionaries({"kind": st.sampled_from(["adam", "rmsprop"]), "lr": RATES}),
)
NAMES = st.text("abcXYZ学習é0_-", min_size=1, max_size=8)
CONFIGS = st.fixed_dictionaries(
    {
        "name": NAMES.filter(lambda name: name[0] != "-"),
        "model": st.fixed_dictionaries({"hidden": st.lists(st.integers(1, 50), min_size=1, max_size=3)}),
        "variants": st.dictionaries(NAMES, st.fixed_dictionaries({"norm": NORMS}), min_size=1, max_size=3),
        "training": st.fixed_dictionaries(
            {"steps": st.integers(6, 50), "batch": st.sampled_from(["full", 4, 10]), "optimizer": OPTIMIZERS}
        ),
        "seeds": st.one_of(st.integers(1, 4), st.lists(st.integers(0, 10**6), min_size=1, max_size=4, unique=True)),
    },
    optional={"grid": st.fixed_dictionaries({"training.weight_decay": st.lists(RATES, min_size=1, max_size=3, unique=True)})},
)  # fmt: skip


def experiment(config):
    return experiment_of(yaml.safe_dump(config, allow_unicode=True, sort_keys=False))


@few
@given(CONFIGS)
def test_an_experiment_survives_being_written_and_read(config):
    first = experiment(config)
    again = experiment_of(first.as_config())
    assert again.resolved() == first.resolved()
    assert again.as_config() == first.as_config()
    assert digest(again.resolved()) == digest(first.resolved())
    keys = [[trial.key("data", "cpu") for trial in each.trials(100)] for each in (first, again)]
    assert keys[0] == keys[1]


@few
@given(CONFIGS, st.randoms(use_true_random=False))
def test_keys_of_trials_do_not_depend_on_the_order_of_a_config(config, random):
    shuffled = dict(random.sample(list(config.items()), len(config)))
    shuffled["variants"] = dict(random.sample(list(config["variants"].items()), len(config["variants"])))
    keys = [
        {(trial.variant, trial.point, trial.seed): trial.key("data", "cpu") for trial in experiment(each).trials(100)}
        for each in (config, shuffled)
    ]
    assert keys[0] == keys[1]


@few
@given(CONFIGS)
def test_trials_share_a_key_only_if_their_settings_and_seed_are_equal(config):
    by_key = {}
    for trial in experiment(config).trials(100):
        by_key.setdefault(trial.key("data", "cpu"), set()).add((trial.seed, digest(trial.resolved())))
    assert all(len(same) == 1 for same in by_key.values())
