"""Are the bits the same: again, after a resume, as a CUDA graph, and in other company?"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bnrenorm.cli.proof.rows import Row, cuda_training, digits, guarded, trials
from bnrenorm.config import Trial
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines import device as devices
from bnrenorm.training.loop import Training

_COMPANIES = (1, 2, 27, 1000)
_SPAN = 7  # steps: three are recorded, three repeated, and the observed one is recorded in two parts, then repeated
_JOBS = {
    "small batches": "model: {hidden: [40]}\nnorm: {kind: renorm}\ntraining: {steps: 6, batch: 4}\n",
    "batches of 16 images": "model: {hidden: [40]}\nnorm: {kind: renorm}\n"
    "training: {steps: 6, batch: 16, optimizer: {kind: momentum_sgd}}\n",
    "any batches": "model: {hidden: [40]}\nnorm: {kind: renorm}\ntraining: {steps: 6, batch: 50}\n",
}


def rows(device: str) -> Iterator[Row]:
    """Train twice, resume, repeat recorded steps, and train with other replicas."""
    for name, text in _JOBS.items():
        yield from guarded(name, _of_job(name, f"{text}evaluation: {{every: 3}}\n", device))


def _of_job(name: str, text: str, device: str) -> Iterator[Row]:
    data = digits(1000, 200)
    group = trials(f"{text}seeds: 3", data)
    first, again, resumed = (cuda_training(group, data, device) for _ in range(3))
    whole = _finish(first)
    yield _same(f"{name}: the same bits when trained again", whole, _finish(again))
    half = cuda_training(group, data, device)
    next(half.records())
    state, check = half.state_dict(), f"{name}: the same bits after a resume"
    resumed.load_state_dict(state)
    loaded = _same(check, state, resumed.state_dict())  # else the first half would only be trained again
    yield _same(check, whole, _finish(resumed)) if loaded.ok else loaded
    yield _replayed(name, group, data, device)
    yield _companions(name, text, device)


def _replayed(name: str, group: list[Trial], data: Dataset, device: str) -> Row:
    """Take the same steps with and without repeating recorded ones."""
    states, reason = [], ""
    for repeats in (False, True):
        training = cuda_training(group, data, device)
        engine: Any = training.engine
        if not repeats:
            engine.replay.suits = lambda span, s: False
        with devices.using(device):
            for first in (0, _SPAN):
                engine.advance(first, _SPAN, observe=True)
        reason = engine.ops.no_graph
        states.append(training.state_dict())
    row = _same(f"{name}: the same bits in steps that are repeated", *states)
    return replace(row, result=f"{row.result}, {f'without a CUDA graph: {reason}' if reason else 'by a CUDA graph'}")


def _companions(name: str, text: str, device: str) -> Row:
    """Train with other replicas: the bits are promised to be the same where this card has kernels of small batches."""
    data = digits(1000, 200)
    alone: dict[str, np.ndarray] = {}
    same, worst, promised = [], 0.0, False
    for many in _COMPANIES:
        training = cuda_training(trials(f"{text}seeds: {many}", data), data, device)
        engine: Any = training.engine
        promised = engine.small is not None
        state = {key: value[0] for key, value in _finish(training).items() if key.startswith("weights")}
        alone = alone or state
        same += [many] if all(np.array_equal(state[key], alone[key]) for key in alone) else []
        worst = max(worst, *(float(np.abs(state[key] - alone[key]).max()) for key in alone))
    result = f"the same bits with {', '.join(map(str, same))} replicas; largest difference {worst:.1e}"
    expected = f"with {', '.join(map(str, _COMPANIES))}" if promised else "equal up to rounding"
    return Row(
        f"{name}: numbers in other company",
        result,
        expected,
        len(same) == len(_COMPANIES) if promised else worst < 1e-3,
    )


def _finish(training: Training) -> dict[str, np.ndarray]:
    for _ in training:
        pass
    return training.state_dict()


def _same(check: str, want: dict[str, np.ndarray], got: dict[str, np.ndarray]) -> Row:
    different = [key for key in want if want[key].tobytes() != got[key].tobytes()]
    result = f"{len(different)} of {len(want)} arrays differ" if different else "yes"
    return Row(check, result, "yes", not different)
