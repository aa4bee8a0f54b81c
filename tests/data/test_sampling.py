import numpy as np
import pytest

from bnrenorm.config.resolve import Misfit
from bnrenorm.config.schema import ClassSorted, Full, Iid, NonIid
from bnrenorm.data import sampling
from bnrenorm.data.sampling import Sampler
from bnrenorm.rng import Stream, generator
from tests.helpers import batch_at

LABELS = np.repeat(np.arange(5, dtype=np.int32), 21)[np.random.default_rng(0).permutation(105)]


def epoch(sampler, number, seed=0):
    steps = sampler.batch.steps_per_epoch(len(LABELS))
    return [batch_at(sampler, seed, number * steps + i) for i in range(steps)]


def test_full_is_every_image_in_order():
    assert (batch_at(Sampler(Full(kind="full"), LABELS), 3, 7) == np.arange(105)).all()


@pytest.mark.parametrize(("remainder", "sizes"), [("drop", [10] * 10), ("keep", [10] * 10 + [5])])
def test_iid_sees_no_image_twice_in_an_epoch(remainder, sizes):
    sampler = Sampler(Iid(kind="iid", size=10, remainder=remainder), LABELS)
    for number in (0, 1):
        batches = epoch(sampler, number)
        assert [len(batch) for batch in batches] == sizes
        assert len(np.unique(np.concatenate(batches))) == sum(sizes)


def test_epochs_and_seeds_have_their_own_order_and_steps_are_stateless():
    sampler = Sampler(Iid(kind="iid", size=10), LABELS)
    first, second = (np.concatenate(epoch(sampler, number)) for number in (0, 1))
    assert (first != second).any()
    assert (first != np.concatenate(epoch(sampler, 0, seed=1))).any()
    again = Sampler(Iid(kind="iid", size=10), LABELS)
    assert (batch_at(again, 0, 13) == epoch(sampler, 1)[3]).all()  # asked for out of turn, of a new sampler


def test_a_batch_may_be_one_image():
    sampler = Sampler(Iid(kind="iid", size=1), LABELS)
    assert len({int(batch_at(sampler, 0, step)[0]) for step in range(105)}) == 105


def test_sorted_walks_class_by_class_and_shuffles_within():
    sampler = Sampler(ClassSorted(kind="sorted", size=7), LABELS)
    first, second = (np.concatenate(epoch(sampler, number)) for number in (0, 1))
    assert (np.diff(LABELS[first]) >= 0).all()
    assert len(np.unique(first)) == 105
    assert (first != second).any()


@pytest.mark.parametrize("classes", [1, 2, 5])
def test_non_iid_has_so_many_classes_with_equally_many_images(classes):
    sampler = Sampler(NonIid(kind="non_iid", classes=classes, size=10), LABELS)
    seen = set()
    for step in range(40):
        batch = batch_at(sampler, 0, step)
        names, counts = np.unique(LABELS[batch], return_counts=True)
        assert list(counts) == [10 // classes] * classes
        assert len(np.unique(batch)) == 10
        seen |= set(names)
    assert seen == set(range(5))
    assert (batch_at(sampler, 0, 3) == batch_at(sampler, 0, 3)).all()
    assert (batch_at(sampler, 0, 3) != batch_at(sampler, 1, 3)).any()


def test_every_class_is_as_likely():
    sampler = Sampler(NonIid(kind="non_iid", classes=1, size=1), LABELS)
    counts = np.bincount([LABELS[batch_at(sampler, 0, step)[0]] for step in range(2000)], minlength=5)
    assert abs(counts - 400).max() < 4 * np.sqrt(400 * 0.8)


@pytest.mark.parametrize(
    ("classes", "size", "message"),
    [(6, 6, "has 5 classes"), (1, 22, "22 images a class, but the smallest class has 21")],
)
def test_what_the_training_set_cannot_give_is_refused(classes, size, message):
    larger = np.append(LABELS, np.zeros(9, np.int32))  # of which one class has more
    for labels in (LABELS, larger):
        with pytest.raises(Misfit, match=message):
            Sampler(NonIid(kind="non_iid", classes=classes, size=size), labels)


REGIMES = {
    "full": Full(kind="full"),
    "iid": Iid(kind="iid", size=10),
    "iid keep": Iid(kind="iid", size=10, remainder="keep"),
    "iid whole": Iid(kind="iid", size=105, remainder="keep"),
    "iid unshuffled": Iid(kind="iid", size=8, shuffle=False),
    "one image": Iid(kind="iid", size=1),
    "sorted": ClassSorted(kind="sorted", size=7),
    "sorted keep": ClassSorted(kind="sorted", size=16, remainder="keep"),
    "non_iid": NonIid(kind="non_iid", classes=2, size=10),
}


def by_definition(batch, seed, step):
    """Return the indices of a batch straight from the generator."""
    if isinstance(batch, Full):
        return np.arange(105)
    if isinstance(batch, NonIid):
        random = generator(seed, Stream.BATCHES, step)
        classes = random.choice(5, batch.classes, replace=False)
        return np.concatenate(
            [random.choice(np.flatnonzero(name == LABELS), batch.images, replace=False) for name in classes]
        )
    epoch, place = divmod(step, batch.steps_per_epoch(105))
    order = generator(seed, Stream.BATCHES, epoch).permutation(105) if batch.shuffle else np.arange(105)
    if isinstance(batch, ClassSorted):
        order = np.concatenate([order[LABELS[order] == name] for name in range(5)])
    return order[place * batch.size : (place + 1) * batch.size]


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize(("first", "steps"), [(0, 1), (0, 40), (9, 3), (104, 2), (33, 0)])
def test_a_table_has_the_batches_of_every_seed_and_step_padded_with_zeros(regime, first, steps):
    batch, seeds = REGIMES[regime], [4, 0, 7]
    sampler = Sampler(batch, LABELS)
    sampler.table([0], first + 1, 50)  # whatever was asked for before
    table, counts = sampler.table(seeds, first, steps)
    assert (table.shape, table.dtype) == ((steps, 3, sampler.size), np.int32)
    assert (counts.shape, counts.dtype) == ((steps,), np.int64)
    for row, step in enumerate(range(first, first + steps)):
        for column, seed in enumerate(seeds):
            want = by_definition(batch, seed, step)
            assert len(want) == counts[row]
            assert (table[row, column, : counts[row]] == want).all()
            assert not table[row, column, counts[row] :].any()


@pytest.fixture
def drawn(monkeypatch):
    """The (seed, epoch) of every permutation that was drawn."""
    calls = []

    def spy(seed, stream, step):
        calls.append((seed, step))
        return generator(seed, stream, step)

    monkeypatch.setattr(sampling, "generator", spy)
    return calls


@pytest.mark.parametrize("seeds", [65, 1000])
@pytest.mark.parametrize("batch", [REGIMES["iid"], REGIMES["sorted"]])
def test_any_number_of_seeds_take_turns_without_drawing_an_epoch_twice(drawn, seeds, batch):
    sampler = Sampler(batch, LABELS)
    for step in range(12):
        sampler.table(range(seeds), step, 1)
    for seed in range(seeds):
        sampler.table([seed], 12, 9)
    epochs = [step // sampler.steps_per_epoch for step in range(21)]
    assert sorted(drawn) == sorted({(seed, epoch) for seed in range(seeds) for epoch in epochs})


def test_a_look_into_the_next_epoch_does_not_cost_the_rest_of_this_one(drawn):
    """As the accuracy in training mode is measured on the batches that come next."""
    sampler = Sampler(REGIMES["iid"], LABELS)  # 10 steps per epoch
    for step in range(30):
        sampler.table([0], step, 1)
        sampler.table([0], step + 1, 4)
    assert drawn == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_no_more_than_two_epochs_of_a_seed_are_kept():
    sampler = Sampler(REGIMES["iid"], LABELS)
    for first, steps in [(0, 95), (60, 1), (3, 40), (95, 1), (0, 1), (25, 10), (99, 2), (100, 1)]:
        sampler.table([0, 1], first, steps)
        assert all(len(epochs) <= 2 for epochs in sampler._epochs.values())
    assert [list(epochs) for epochs in sampler._epochs.values()] == [[10], [10]]
