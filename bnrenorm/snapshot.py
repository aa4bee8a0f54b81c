"""A training as arrays on the host: all that a resume needs, or the parameters of each replica."""

from typing import Any

import numpy as np

from bnrenorm._compat import chainer


def take(training: Any) -> dict[str, np.ndarray]:
    """Return a `train.Training`'s state: exactly what `put` takes."""
    network = training.network
    found: dict[str, Any] = {"step": training.step, "since": training.since, "sums": training.sums}
    found |= {f"weights{name}": parameter.array for name, parameter in network.namedparams()}
    found |= {f"average{name}": array for name, array in training.average.arrays.items()}
    for name, parameter in network.namedparams():
        found |= {f"optimizer{name}/{key}": value for key, value in parameter.update_rule.state.items()}
        found[f"updates{name}"] = parameter.update_rule.t
    found |= {f"kept{name}": getattr(link, attribute) for name, link, attribute in network.persistents}
    if training.best is not None:
        found |= training.best.state()
    return {key: np.array(chainer.cuda.to_cpu(value) if np.ndim(value) else value) for key, value in found.items()}


def put(training: Any, state: dict[str, np.ndarray]) -> None:
    """Go on from a state of the same trials. Raises ValueError if it is not one."""
    shapes = {key: (value.shape, value.dtype) for key, value in take(training).items()}
    if shapes != {key: (value.shape, value.dtype) for key, value in state.items()}:
        raise ValueError("the state is of another group of trials")
    network, send = training.network, training.where.send
    training.step, training.since = int(state["step"]), int(state["since"])
    training.sums = send(state["sums"])
    for name, parameter in network.namedparams():
        parameter.array[...] = send(state[f"weights{name}"])
        rule = parameter.update_rule
        rule.t = int(state[f"updates{name}"])
        for key in rule.state:
            rule.state[key] = send(state[f"optimizer{name}/{key}"])
    for name, array in training.average.arrays.items():
        array[...] = send(state[f"average{name}"])
    for name, link, attribute in network.persistents:
        value = state[f"kept{name}"]
        setattr(link, attribute, value.item() if value.ndim == 0 else send(value))
    if training.best is not None:
        training.best.load(state)


def by_replica(network: Any, replicas: int) -> list[dict[str, np.ndarray]]:
    """Return each replica's own parameters by name, without the replicas' axis."""
    owner = {name[1:]: replica for name, replica in network.replica_of.items()}
    whole = {name[1:]: chainer.cuda.to_cpu(parameter.array) for name, parameter in network.namedparams()}
    return [
        {name: array if name in owner else array[i] for name, array in whole.items() if owner.get(name, i) == i}
        for i in range(replicas)
    ]
