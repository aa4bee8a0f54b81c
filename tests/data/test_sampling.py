import numpy as np
import pytest

from bnrenorm.config.schema import ClassSorted, Full, Iid, NonIid
from bnrenorm.data.sampling import Sampler
from bnrenorm.errors import InputError

LABELS = np.repeat(np.arange(5, dtype=np.int32), 21)[np.random.default_rng(0).permutation(105)]


def epoch(sampler, number, seed=0):
    steps = sampler.batch.steps_per_epoch(len(LABELS))
    return [sampler.indices(seed, number * steps + i) for i in range(steps)]


def test_full_is_every_image_in_order():
    assert (Sampler(Full(kind="full"), LABELS).indices(3, 7) == np.arange(105)).all()


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
    assert (again.indices(0, 13) == epoch(sampler, 1)[3]).all()  # asked for out of turn, of a new sampler


def test_a_batch_may_be_one_image():
    sampler = Sampler(Iid(kind="iid", size=1), LABELS)
    assert len({int(sampler.indices(0, step)[0]) for step in range(105)}) == 105


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
        batch = sampler.indices(0, step)
        names, counts = np.unique(LABELS[batch], return_counts=True)
        assert list(counts) == [10 // classes] * classes
        assert len(np.unique(batch)) == 10
        seen |= set(names)
    assert seen == set(range(5))
    assert (sampler.indices(0, 3) == sampler.indices(0, 3)).all()
    assert (sampler.indices(0, 3) != sampler.indices(1, 3)).any()


def test_every_class_is_as_likely():
    sampler = Sampler(NonIid(kind="non_iid", classes=1, size=1), LABELS)
    counts = np.bincount([LABELS[sampler.indices(0, step)[0]] for step in range(2000)], minlength=5)
    assert abs(counts - 400).max() < 4 * np.sqrt(400 * 0.8)


@pytest.mark.parametrize(
    ("classes", "size", "message"),
    [(6, 6, "has 5 classes"), (1, 22, "22 images a class, but the smallest class has 21")],
)
def test_what_the_training_set_cannot_give_is_refused(classes, size, message):
    with pytest.raises(InputError, match=message):
        Sampler(NonIid(kind="non_iid", classes=classes, size=size), LABELS)
