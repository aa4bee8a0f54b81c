"""Are the numbers right? Every kernel, gradients, and whole trainings against the CPU."""

from collections.abc import Iterator

import numpy as np

from bnrenorm.cli.proof.rows import Row, below, cuda_training, digits, double_reference, guarded, noise, trials
from bnrenorm.config import Trial
from bnrenorm.data.dataset import Dataset
from bnrenorm.training.loop import Training
from bnrenorm.training.state import State

_ODD = "model: {hidden: [37, 53]}\nseeds: 3\ntraining: {steps: 2, batch: 257}\nevaluation: {every: 2}\n"
_TILED = "model: {hidden: [301, 37]}\nseeds: 3\ntraining: {steps: 3, batch: 41}\nevaluation: {every: 3}\n"
_SMALL = "model: {hidden: [301]}\nseeds: 3\ntraining: {steps: 3, batch: 5}\nevaluation: {every: 3}\n"
_BRN = "norm: {kind: renorm, r_max: 1.5, d_max: 0.5}\n"
_ADAPTIVE = "training.optimizer: {{kind: {}, eps: 0.001}}\n"
_CASES = [
    (_ODD, _BRN + "training.weight_decay: 0.1\nevaluation.average: 0.9"),
    (_ODD, "norm: {kind: renorm, semantics: paper}\nmodel.order: linear-norm-activation\ntraining.optimizer.kind: sgd"),
    (_ODD, "norm: {kind: layer}\n" + _ADAPTIVE.format("adam") + "model.dropout: {form: exact, keep_hidden: .5}"),
    (_ODD, "norm: {kind: layer, affine: layer}\nmodel.order: linear-norm-activation\ntraining.batch: 5"),
    (_ODD, "norm: {kind: batch, affine: layer}\nnorm.affine_gradient: mean\n" + _ADAPTIVE.format("rmsprop")),
    (_ODD, "norm: {kind: batch}\ntraining.batch: full\nevaluation.statistics: batch\ntraining.l1_decay: 0.01"),
    (_ODD, _BRN + "training.batch: 60\ntraining.micro_batch: 10\nmodel.dropout: {form: exact, keep_input: .7}"),
    (_ODD, "norm: {kind: none}\ntraining.batch: 1"),
    (_TILED, _BRN + "training.weight_decay: 0.1\nevaluation.average: 0.9"),
    (_TILED, "norm: {kind: layer}\n" + _ADAPTIVE.format("adam") + "training.batch: 128"),
    (_TILED, "norm: {kind: batch}\ntraining.optimizer.kind: sgd\ntraining.batch: 5"),
    (_SMALL, _BRN),
    (_SMALL, "norm: {kind: batch}\nmodel.order: linear-norm-activation\ntraining.optimizer.kind: sgd"),
    (_SMALL, "norm: {kind: none}\ntraining.batch: 1"),
    (_SMALL, "norm: {kind: batch}\ntraining.batch: 9\nmodel.hidden: [1400]"),  # 4,200 rows: a warp takes several
]
"""Experiments that use every kernel, with sizes that no tile divides."""

_PROVEN = {
    "full batch": "norm: {kind: renorm, r_max: 1.5, d_max: 0.5}\ntraining.batch: full",
    "mini-batch": "norm: {kind: renorm, r_max: 1.5, d_max: 0.5}\ntraining.batch: 50\nmodel.hidden: [30, 20]",
    "micro-batch": "norm: {kind: renorm, r_max: 1.5, d_max: 0.5}\ntraining.batch: 4\ntraining.optimizer.lr: 0.002",
}
"""Experiments that grow rounding errors slowly enough for a bound after 200 steps."""

_LENGTH = 1e-7  # of the moves that the loss's differences are taken over: few ReLUs change sign


def kernels(device: str) -> Iterator[Row]:
    """Compare every launch of `_CASES` with its formula in float64."""
    for double, limit in ((False, 5e-6), (True, 1e-10)):
        yield from guarded("kernels", _kernels(device, double, limit))


def _kernels(device: str, double: bool, limit: float) -> Iterator[Row]:
    errors: dict[str, float] = {}
    for base, changes in _CASES:
        data = noise(700, 63 if base is _ODD else 64, 7)
        training = cuda_training(trials(base + changes, data), data, device, double=double, check=True)
        for _ in training:
            pass
        for name, error in training.engine.ops.errors.items():  # pyright: ignore[reportAttributeAccessIssue]
            errors[name] = max(errors.get(name, 0.0), error)
    for name, error in sorted(errors.items()):
        yield below(f"kernel {name}, {'float64' if double else 'float32'}", error, limit)


def gradients(device: str) -> Iterator[Row]:
    """Compare a step's gradient with differences of the loss along random directions, in float64."""
    for name, batch in (("small batches", 8), ("any batches", 40)):
        yield from guarded(f"gradient, {name}", _gradient(device, name, batch))


def _gradient(device: str, name: str, batch: int) -> Iterator[Row]:
    data = noise(300, 64, 7)
    text = "model.hidden: [33]\nnorm.kind: batch\ntraining.steps: 1\ntraining.optimizer: {kind: sgd, lr: 1}\n"
    group = trials(f"{text}training.batch: {batch}", data)
    moved = cuda_training(group, data, device, double=True)
    before = {key: value for key, value in moved.state_dict().items() if key.startswith("weights")}
    list(moved)
    after = moved.state_dict()
    random, worst = np.random.default_rng(1), 0.0
    for _ in range(3):
        direction = {key: random.standard_normal(value.shape) for key, value in before.items()}
        slope = sum(float(((before[key] - after[key]) * direction[key]).sum()) for key in before)
        losses = [_loss(group, data, device, before, direction, sign * _LENGTH) for sign in (1, -1)]
        worst = max(worst, abs((losses[0] - losses[1]) / (2 * _LENGTH) - slope) / abs(slope))
    yield below(f"gradient by differences, {name}", worst, 1e-6)


def _loss(group: list[Trial], data: Dataset, device: str, weights: State, direction: State, length: float) -> float:
    """Return the loss of the first batch, with the weights moved along a direction."""
    training = cuda_training(group, data, device, double=True)
    state = training.state_dict()
    state |= {key: value + length * direction[key] for key, value in weights.items()}
    training.load_state_dict(state)
    (record,) = training.records()
    return float(record.values["train_loss"][0])


def steps(device: str) -> Iterator[Row]:
    """Compare trainings with the CPU: 200 steps in float64, where rounding has not grown, and 20 in float32."""
    for name, changes in _PROVEN.items():
        for many, double in ((200, True), (20, False)):
            yield from guarded(f"{name}, {many} steps", _steps(device, name, changes, many, double))


def _steps(device: str, name: str, changes: str, many: int, double: bool) -> Iterator[Row]:
    data = digits(1000, 200)
    text = f"model: {{hidden: [30]}}\nseeds: 2\ntraining: {{steps: {many}}}\nevaluation: {{every: {many}}}\n"
    group = trials(text + changes, data)
    ours = cuda_training(group, data, device, double=double)
    cpu = double_reference(group, data) if double else Training(group, data)
    (got,), (want,) = ours.records(), cpu.records()
    error = max(float(np.abs(got.values[key] / want.values[key] - 1).max()) for key in ("train_loss", "test_loss"))
    precision, limit = ("float64", 1e-6) if double else ("float32", 1e-4)
    yield below(f"{name}, losses of {many} steps in {precision} against the CPU", error, limit)
