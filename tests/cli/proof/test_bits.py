"""The proof of equal bits, on a card made of NumPy that is right, and on some that are not."""

import re
from itertools import count

import pytest

from bnrenorm.cli.proof import bits, rows
from bnrenorm.engines.cuda.reference import Reference
from bnrenorm.training.loop import Training
from tests.cli.proof.card import Card

JOB, LARGER = (
    f"model: {{hidden: [5]}}\nnorm: {{kind: renorm}}\ntraining: {{steps: 6, batch: {n}}}\n" for n in (16, 50)
)
AGAIN, RESUME, REPEATED, COMPANY = (
    f"job: {check}" for check in ("the same bits when trained again", "the same bits after a resume",
    "the same bits in steps that are repeated", "numbers in other company")
)  # fmt: skip


class Drifting(Card):
    """Every step is a little another one."""

    calls = count()

    def update_weights(self, tensor, gradient, context):
        super().update_weights(tensor, gradient, context)
        tensor.value[...] *= 1 + 1e-6 * next(self.calls)


class Recording(Card):
    """Can record a graph."""

    recorded = Reference.recorded


class Forgetful(Card):
    """A recording that is repeated does nothing."""

    def recorded(self, step):
        step()
        return lambda: None


class Crowded(Card):
    """Numbers of three replicas are others than those of one or two."""

    share = 1e-6

    def update_weights(self, tensor, gradient, context):
        super().update_weights(tensor, gradient, context)
        tensor.value[...] *= 1 + self.share * (len(tensor.value) == 3)


class Overcrowded(Crowded):
    share = 1e-2


class Narrow(Crowded):
    """Its blocks have the shared memory of a T4's, too little for 16 images of digits."""

    shared_memory = 65_536


@pytest.fixture
def prove(monkeypatch):
    """A function that returns the rows of one experiment whose bits are promised in any company."""
    monkeypatch.setattr(bits, "_JOBS", {"job": JOB})
    monkeypatch.setattr(bits, "_COMPANIES", (1, 3, 2))
    return lambda: list(bits.rows("cpu"))


def bad(table):
    return [row.check for row in table if not row.ok]


@pytest.mark.slow
def test_the_bits_of_every_job_are_the_same_on_a_right_card(use, monkeypatch):
    use(Card)
    monkeypatch.setattr(bits, "_COMPANIES", (1, 3))
    table = list(bits.rows("cpu"))
    assert bad(table) == []
    assert len(table) == 4 * 3
    assert {row.result for row in table[:4]} == {
        "yes", "yes, without a CUDA graph: no card", "the same bits with 1, 3 replicas; largest difference 0.0e+00"
    }  # fmt: skip
    assert [row.expected for row in table[3::4]] == ["with 1, 3", "with 1, 3", "equal up to rounding"]


def test_steps_that_differ_each_time_are_told(use, prove):
    use(Drifting)
    table = prove()
    assert bad(table) == [AGAIN, RESUME, REPEATED, COMPANY]
    different, arrays = map(int, re.fullmatch(r"(\d+) of (\d+) arrays differ", table[0].result).groups())
    assert 0 < different < arrays


def change(state):
    return {key: value * 1.00001 if key.startswith("weights") else value for key, value in state.items()}


@pytest.mark.parametrize("damage", [change, lambda state: {}], ids=["changes a number", "loads nothing"])
def test_a_resume_in_the_middle_that_is_none_is_told(use, prove, monkeypatch, damage):
    def load(training, state):
        if loaded := damage(state) if 0 < state["step"] < 6 else state:
            real(training, loaded)

    real = Training.load_state_dict
    monkeypatch.setattr(Training, "load_state_dict", load)
    use(Card)
    assert bad(prove()) == [RESUME]


def test_repeated_steps_that_do_nothing_are_told(use, prove):
    use(Forgetful)
    assert REPEATED in bad(prove())


@pytest.mark.parametrize("name", bits._JOBS)
def test_every_kind_of_step_is_recorded_and_repeated(use, name):
    """The first step, those of odd and of even numbers, and the two parts of the observed one."""
    repeated = []

    class Counting(Card):
        def recorded(self, step):
            def again():
                repeated[place] += 1
                step()

            place = len(repeated)
            repeated.append(0)
            step()
            return again

    use(Counting)
    data = rows.digits(1000, 200)
    assert bits._replayed(name, rows.trials(bits._JOBS[name], data), data, "cpu").ok
    assert len(repeated) == 5
    assert min(repeated) > 0


def test_a_graph_is_told_from_launches(use, prove):
    use(Recording)
    assert prove()[2].result == "yes, by a CUDA graph"


@pytest.mark.parametrize(
    ("card", "job", "ok"),
    [(Crowded, JOB, False), (Crowded, LARGER, True), (Overcrowded, LARGER, False), (Narrow, JOB, True)],
)
def test_other_company_may_change_rounding_where_no_more_is_promised(use, prove, card, job, ok):
    use(card)
    row = bits._companions("job", job, "cpu")
    assert row.ok is ok
    assert row.result.startswith("the same bits with 1, 2 replicas; largest difference ")
