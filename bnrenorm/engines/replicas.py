"""The state of a group in training, as Chainer objects: shared by all engines, saved for a resume."""

from typing import Any

import numpy as np

from bnrenorm._compat import chainer
from bnrenorm.config import Trial
from bnrenorm.network import losses, optimizers
from bnrenorm.network.mlp import MLP
from bnrenorm.network.weight_average import WeightAverage
from bnrenorm.norm.formulas import array_module

Array = Any
State = dict[str, np.ndarray]

_AVERAGE = "/average"  # in front of the path of a parameter that is averaged


class Replicas:
    """The stacked network, its optimizer, the average of its parameters, and sums of training losses.

    `sums` (R, 2) float64 holds the summed loss and accuracy of the `since` steps since the last `training_means`. With
    early stopping, `best` holds each replica's best parameters, their averages and the running statistics.
    """

    def __init__(self, trials: list[Trial], network: MLP, device: Any):
        self.trials, self.settings, self.network, self.device = trials, trials[0].settings, network, device
        network.to_device(device)
        self.optimizer = optimizers.make(network, trials, device)
        self.average = WeightAverage(network, [trial.settings.evaluation.average for trial in trials])
        self.sums, self.since = network.xp.zeros((len(trials), 2)), 0
        self.best: dict[str, Array] = {}
        if self.settings.training.early_stopping:
            self.best = {name: array.copy() for name, array in self._trained().items()}

    def count(self, steps: int) -> None:
        """Count steps that were taken by kernels, as Chainer's links and update rules count their own."""
        self.since += steps
        for norm in self.network.batch_norms:
            norm.step += steps
        for parameter in self.network.params():
            parameter.update_rule.t += steps

    def training_means(self) -> tuple[np.ndarray, np.ndarray]:
        """Return mean loss and accuracy, float64 (R,) each, of the steps since the last call."""
        means = to_host(self.sums) / max(self.since, 1)
        self.sums[...], self.since = 0, 0
        return means[:, 0], means[:, 1]

    def penalty(self) -> np.ndarray:
        """Return the L1 and L2 penalties of the evaluated weights (R,); zeros if recorded losses exclude them."""
        if not self.settings.evaluation.penalty:
            return np.zeros(len(self.trials))
        with self.average.in_place():
            return losses.penalty(self.network, self.trials)

    def affine_means(self) -> dict[str, np.ndarray]:
        """Return each layer's gamma and beta, averaged over its nodes, (R,): "layer1_gamma", "layer1_beta", ..."""
        return {
            f"layer{depth}_{path[1:]}": chainer.cuda.to_cpu(parameter.array).mean(axis=(1, 2)).astype(np.float64)
            for depth, norm in enumerate(self.network.batch_norms, start=1)
            for path, parameter in norm.affine.namedparams()
        }

    def keep_best(self, better: np.ndarray) -> None:
        """Copy the current state of the replicas marked in `better`, (R,) bool, to `best`."""
        if not better.any():
            return
        replica_of, chosen = self.network.replica_of, self.network.xp.asarray(np.flatnonzero(better))
        for name, array in self._trained().items():
            replica = replica_of.get(name.removeprefix(_AVERAGE))
            if replica is None:
                self.best[name][chosen] = array[chosen]
            elif better[replica]:
                self.best[name][...] = array

    def rewind_to_best(self) -> None:
        """Copy `best` to the current state; the engine needs a `reload` then."""
        for name, array in self._trained().items():
            array[...] = self.best[name]

    def parameters(self) -> list[State]:
        """Return each replica's own parameters and running statistics by path, without the replica axis."""
        own: list[State] = [{} for _ in self.trials]
        for path, array in self._trained().items():
            if path.startswith(_AVERAGE):
                continue
            replica, on_host = self.network.replica_of.get(path), chainer.cuda.to_cpu(array)
            if replica is None:
                for parameters, row in zip(own, on_host, strict=True):
                    parameters[path[1:]] = row
            else:
                _, links, depth, _, *name = path.split("/")  # "/norms/0/1/gamma" is gamma of replica 1
                own[replica]["/".join((links, depth, *name))] = on_host
        return own

    def state_dict(self) -> State:
        """Return the complete state as arrays on the host."""
        return {key: _copy_to_host(value) for key, value in self._state().items()}

    def load_state_dict(self, state: State) -> None:
        """Continue from a `state_dict`.

        Raises ValueError, before changing anything, if keys, shapes or dtypes are not those of this group.
        """
        current = self._state()
        shapes = {
            key: (np.shape(value), np.asarray(value).dtype if not np.ndim(value) else value.dtype)
            for key, value in current.items()
        }
        if shapes != {key: (value.shape, value.dtype) for key, value in state.items()}:
            raise ValueError("the state is of another group of trials")
        for key, array in current.items():
            if np.ndim(array):
                array[...] = self.device.send(state[key])
        self.since = int(state["since"])
        for path, parameter in self.network.namedparams():
            parameter.update_rule.t = int(state[f"updates{path}"])
        for path, link, attribute in self.network.persistents:
            if not np.ndim(getattr(link, attribute)):
                setattr(link, attribute, state[f"kept{path}"].item())

    def _state(self) -> dict[str, Any]:
        """Return all arrays and counters by name; the arrays are not copied."""
        state: dict[str, Any] = {"since": self.since, "sums": self.sums}
        for path, parameter in self.network.namedparams():
            state[f"weights{path}"] = parameter.array
            state |= {f"optimizer{path}/{key}": value for key, value in parameter.update_rule.state.items()}
            state[f"updates{path}"] = parameter.update_rule.t
        state |= {f"average{path}": array for path, array in self.average.arrays.items()}
        state |= {f"kept{path}": getattr(link, attribute) for path, link, attribute in self.network.persistents}
        return state | {f"best{path}": array for path, array in self.best.items()}

    def _trained(self) -> dict[str, Array]:
        """Return parameters, their averages and running statistics by name; the arrays are not copied."""
        parameters = {path: parameter.array for path, parameter in self.network.namedparams()}
        averages = {f"{_AVERAGE}{path}": array for path, array in self.average.arrays.items()}
        persistents = {path: getattr(link, attribute) for path, link, attribute in self.network.persistents}
        return {**parameters, **averages, **{path: array for path, array in persistents.items() if np.ndim(array)}}


def to_host(value: Array) -> np.ndarray:
    """Copy an array to the host as float64."""
    return chainer.cuda.to_cpu(value).astype(np.float64)


def all_to_host(values: dict[str, Array]) -> dict[str, np.ndarray]:
    """Copy arrays (R,) to the host as float64; from a GPU in one copy, as each waits for what the GPU has to do."""
    modules = {array_module(value) for value in values.values()}
    if modules <= {np}:
        return {name: to_host(value) for name, value in values.items()}
    (xp,) = modules
    packed = xp.stack([value.astype(np.float64, copy=False) for value in values.values()])
    return dict(zip(values, packed.get(), strict=True))


def _copy_to_host(value: Any) -> np.ndarray:
    return np.array(value) if chainer.backend.get_array_module(value) is np else value.get()
