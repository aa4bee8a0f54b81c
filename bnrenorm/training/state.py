"""What of a group's saved state belongs to some of its replicas."""

import re
from collections.abc import Sequence

import numpy as np

State = dict[str, np.ndarray]

_OWN = re.compile(r"(/norms/\d+/)(\d+)(/)")
"""In the name of an array of a user-defined link: its replica. Other arrays have the replicas on their first axis."""


def select(state: State, replicas: Sequence[int]) -> State:
    """Return the state that a group of some replicas, in this order, resumes from.

    state: a `Training.state_dict` of a group that has these replicas among others.
    """
    index_of = {replica: index for index, replica in enumerate(replicas)}
    selected = {}
    for name, value in state.items():
        own = _OWN.search(name)
        if own is None:
            selected[name] = value[list(replicas)] if value.ndim else value
        elif int(own[2]) in index_of:
            selected[_OWN.sub(rf"\g<1>{index_of[int(own[2])]}\g<3>", name, count=1)] = value
    return selected
