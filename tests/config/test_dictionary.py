"""A config as a dictionary, as a notebook has it: the same as in a file, but for the places that messages name."""

from copy import deepcopy

import numpy as np
import pytest
import yaml

from bnrenorm import config
from bnrenorm.errors import InputError
from tests.helpers import COMPARED, experiment_of

GRID = f"{COMPARED}grid: {{training.optimizer.lr: [0.1, 0.2], how: {{so: {{model: {{hidden: [3, 4]}}}}}}}}\n"


def test_it_is_what_the_file_of_its_text_is():
    dictionary = yaml.safe_load(GRID)
    before = deepcopy(dictionary)
    loaded = config.load(dictionary, ["training.steps=3"], {"seeds": 4}, {"baseline": "BRN"})
    want = experiment_of(f"{GRID}baseline: BRN\n".replace("seeds: 2", "seeds: 4").replace("steps: 4", "steps: 3"))
    assert loaded.resolved() == want.resolved()
    assert dictionary == before, "overrides are of the copy"
    assert experiment_of(loaded.as_config()).resolved() == want.resolved()


def test_tuples_and_numpys_numbers_are_lists_and_numbers():
    lists = config.load({"name": "a", "model": {"hidden": [3, 4]}, "training": {"steps": 5}, "seeds": [1, 2]})
    others = config.load(
        {
            "name": "a",
            "model": {"hidden": (3, np.int64(4))},
            "training": {"steps": np.int32(5)},
            "seeds": np.array([1, 2]),
        }
    )
    assert lists.resolved() == others.resolved()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training": {"steps": "x"}}, "config: training.steps is 'x', expected a duration"),
        ({"training": {"stops": 3}}, "config: unknown key 'training.stops'; did you mean training.steps?"),
        ({"name": None}, "config: name is None, expected letters"),
        (
            {"model": {"hidden": [object()]}},
            "config: model.hidden.0: expected numbers, text, lists and dictionaries, not ob",
        ),
        ({"variants": {1: {}, "1": {}}}, "config: variants: two keys are the same as text, expected each once"),
        (
            {"training.batch": 3},
            "config: unknown key 'training.batch'; did you mean the group training, with batch in it?",
        ),
        (
            {"training.optimizer.lr": 3},
            "config: unknown key 'training.optimizer.lr'; did you mean the group training, with o",
        ),
        ({"plugins": "none.py"}, "config: plugins: none.py: cannot be read: No such file"),
    ],
)
def test_mistakes_are_one_line_that_names_the_key(change, message):
    with pytest.raises(InputError) as error:
        config.load({"name": "a", **change})
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
