import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import chainer
from bnrenorm.engines.mode_gap import IMAGES
from bnrenorm.training import loop
from tests.helpers import ENGINES, batch_at, some_digits, trials_of

pytestmark = pytest.mark.parametrize("engine", ENGINES)


def training(text, data, engine):
    return loop.Training(trials_of(text, len(data.x_train)), data, engine=engine)


@pytest.mark.parametrize("batch", ["4", "{kind: non_iid, classes: 1, size: 20}"])
@pytest.mark.parametrize("norm", ["{kind: batch}", "{kind: renorm}", "{kind: renorm, warmup: 2}"])
def test_both_modes_see_the_next_batches_with_the_weights_of_the_step(digits, engine, batch, norm):
    """By hand: the network before the update is run batch by batch in training mode, then in inference mode."""
    text = f"model: {{hidden: [8]}}\nnorm: {norm}\ntraining: {{batch: {batch}, steps: 3}}\nevaluation: {{every: 1}}"
    job = training(text, digits, engine)
    inputs, network, gap = job.engine.inputs, job.engine.network, job.engine.mode_gap
    size = inputs.sampler.batch.size
    measure, seen = gap.measure, []

    def spy(logits, step):
        got = measure(logits, step)
        right = []
        kept = [(norm.run_mean.copy(), norm.run_scale.copy(), norm.step) for norm in network.norms]
        batches = [batch_at(inputs.sampler, 0, step + 1 + i) for i in range(-(-IMAGES // size))]
        for indices in batches:
            for norm in network.norms:
                norm.step = step
            with chainer.using_config("train", True):
                y = network(inputs.images[indices][None]).array[0]
            right.extend(y.argmax(axis=1) == inputs.labels[indices])
            for norm, (mean, scale, number) in zip(network.norms, kept, strict=True):
                norm.run_mean[...], norm.run_scale[...], norm.step = mean, scale, number
        probe = np.concatenate(batches)
        with chainer.using_config("train", False):
            calm = network(inputs.images[probe]).array[0].argmax(axis=1)
        seen.append((got, np.mean(right), np.mean(calm == inputs.labels[probe])))
        return got

    gap.measure = spy
    records = [record for record in job if record is not None]
    assert len(seen) == 3
    for record, (got, right, calm) in zip(records, seen, strict=True):
        assert_allclose(got["training_mode_accuracy"], right, atol=0.0021)
        assert_allclose(got["inference_mode_accuracy"], calm, atol=0.0021)
        assert record.diagnosis["training_mode_accuracy"] == got["training_mode_accuracy"]


@pytest.mark.parametrize(
    ("batch", "micro_batch"), [("{kind: iid, size: 70, remainder: keep}", None), ("20", 10), ("200", None)]
)
def test_the_probe_is_whole_micro_batches_of_the_images_drawn(engine, batch, micro_batch):
    """Of 220 images: the batches of 70 among the next three, without that of 10. A batch of 200 is its own."""
    text = f"model: {{hidden: [8]}}\ntraining: {{batch: {batch}, micro_batch: {micro_batch or 'null'}, steps: 3}}"
    job = training(f"{text}\nevaluation: {{every: 1}}", some_digits(220, 50), engine)
    inputs, network, gap = job.engine.inputs, job.engine.network, job.engine.mode_gap
    size = inputs.sampler.batch.size
    measure, seen = gap.measure, []

    def flags():
        return [
            (norm.micro_batch, norm.frozen, norm.observing, norm.step, id(norm.diagnosis)) for norm in network.norms
        ]

    def spy(logits, step):
        before = flags()
        got = measure(logits, step)
        assert flags() == before
        first = step if size == IMAGES else step + 1
        drawn = [batch_at(inputs.sampler, 0, first + i) for i in range(-(-IMAGES // size))]
        part = micro_batch or size
        probe = np.concatenate([batch for batch in drawn if len(batch) % part == 0])
        (norm,) = network.norms
        kept, norm.frozen = norm.frozen, True
        with chainer.using_config("train", True):
            rows = [network(inputs.images[chunk][None]).array[0] for chunk in np.split(probe, len(probe) // part)]
        norm.frozen = kept
        with chainer.using_config("train", False):
            rows.append(network(inputs.images[probe]).array[0])
        answers = np.concatenate(rows).argmax(axis=1).reshape(2, -1)
        seen.append((got, *np.mean(answers == inputs.labels[probe], axis=1)))
        return got

    gap.measure = spy
    list(job)
    assert len(seen) == 3
    for got, right, calm in seen:
        assert_allclose(got["training_mode_accuracy"], right, atol=0.008)  # one image of 140
        assert_allclose(got["inference_mode_accuracy"], calm, atol=0.008)


@pytest.mark.parametrize("batch", ["4", "full"])
def test_it_is_measured_with_the_weights_from_before_the_step(digits, engine, batch):
    """Those that the logits of the step are of."""
    job = training(f"model: {{hidden: [8]}}\ntraining: {{batch: {batch}, steps: 3}}", digits, engine)
    job.engine.advance(0, 2, observe=False)
    before, gap = job.engine.replicas.network.linears[0].W.array.copy(), job.engine.mode_gap
    measure, seen = gap.measure, []

    def spy(logits, step):
        seen.append((gap.network.linears[0].W.array == before).all())
        return measure(logits, step)

    gap.measure = spy
    job.engine.advance(2, 1, observe=True)
    assert seen == [True]
    assert (job.engine.replicas.network.linears[0].W.array != before).any()


def test_a_large_batch_is_its_own_probe(digits, engine):
    job = training("model: {hidden: [8]}\ntraining: {batch: full, steps: 1}", digits, engine)
    inputs, network = job.engine.inputs, job.engine.network
    with chainer.using_config("train", True):
        network.norms[0].frozen = True
        logits = network(inputs.images).array[0]
        network.norms[0].frozen = False
    (record,) = [record for record in job if record is not None]
    right = logits[:IMAGES].argmax(axis=1) == inputs.labels[:IMAGES]
    assert record.diagnosis["training_mode_accuracy"][0] == np.mean(right)


def test_without_normalisation_there_is_no_gap(digits, engine):
    (record,) = list(training("norm: {kind: none}\ntraining: {batch: 4, steps: 1}", digits, engine))
    assert record is not None
    assert record.diagnosis == {}


def test_the_diagnosis_of_batch_normalisation_is_r_one_and_d_zero(digits, engine):
    job = training("model: {hidden: [8, 8]}\ntraining: {batch: 4, steps: 2}", digits, engine)
    record = list(job)[-1]
    assert record is not None
    for layer in (1, 2):
        assert record.diagnosis[f"layer{layer}_r_05"] == record.diagnosis[f"layer{layer}_r_95"] == 1
        assert record.diagnosis[f"layer{layer}_d_50"] == 0
        assert record.diagnosis[f"layer{layer}_mean_distance"] > 0


@pytest.mark.parametrize("batch", ["{kind: non_iid, classes: 1, size: 10}", "250"])
def test_renormalisation_in_its_warm_up_has_the_gap_of_batch_normalisation(engine, batch):
    """To its end, with which the limits jump at a step that never comes."""
    text = "variants: {BN: {norm: {kind: batch}}, BRN: {norm: {kind: renorm, warmup: 100%}}}\nseeds: 3\n"
    job = training(
        f"{text}training: {{batch: {batch}, steps: 6}}\nevaluation: {{every: 2}}", some_digits(300, 50), engine
    )
    for record in filter(None, job):
        gaps = record.diagnosis["training_mode_accuracy"].reshape(2, 3)
        assert (gaps[0] == gaps[1]).all()
