"""Trains the groups of a plan one after another in this process."""

from collections.abc import Callable
from dataclasses import dataclass

from bnrenorm.config import Trial
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import Backend
from bnrenorm.runs import checkpoint
from bnrenorm.runs.group import GroupTrainer, Note
from bnrenorm.runs.interrupt import Interrupted, requests
from bnrenorm.runs.plan import Plan
from bnrenorm.runs.store import Store
from bnrenorm.training.records import Record


@dataclass(frozen=True)
class Progress:
    """How far the training is, in replica-steps. `record` is the newest one, of the trials `trials`.

    `group` is the number of their group, from 1, of `groups`.
    """

    done: int
    total: int
    trials: list[Trial]
    record: Record
    group: int = 1
    groups: int = 1


Report = Callable[[Progress], None]


class Tally:
    """Counts the replica-steps of a plan's groups, of which several may be in training at a time."""

    def __init__(self, plan: Plan, report: Report):
        self.groups, self.report = plan.groups, report
        self.sizes = [int(group[0].settings.training.steps.amount) * len(group) for group in plan.groups]
        self.total, self.done = sum(self.sizes), 0
        self.parts: dict[int, dict[Trial, int]] = {}  # of groups in training: replica-steps by a part's first trial

    def show(self, group: int, trials: list[Trial], record: Record) -> None:
        """Report a record of some trials of the group of that index."""
        parts = self.parts.setdefault(group, {})
        now = record.step * len(trials)
        self.done += now - parts.get(trials[0], 0)
        parts[trials[0]] = now
        self.report(Progress(self.done, self.total, trials, record, group + 1, len(self.groups)))

    def finish(self, group: int) -> None:
        """Count a group as finished, perhaps before its last step."""
        self.done += self.sizes[group] - sum(self.parts.pop(group, {}).values())


def train(
    plan: Plan, data: Dataset, store: Store, backend: Backend, report: Report, note: Note = lambda text: None
) -> None:
    """Train the plan's groups, and store the results; `note` is told of checkpoints that are of no use.

    Raises Interrupted after a signal (`interrupt`), with everything saved: the same call resumes from there; InputError
    if a network alone does not fit, and DeviceError if a GPU fails.
    """
    tally = Tally(plan, report)
    with requests() as request:
        trainer = GroupTrainer(data.keeping(), store, backend, lambda: request.asked, note)
        for number, group in enumerate(plan.groups):

            def show(trials: list[Trial], record: Record, number: int = number) -> None:
                tally.show(number, trials, record)

            trainer.train(group, [plan.keys[trial] for trial in group], show)
            tally.finish(number)
        if request.asked:  # too late for a group to see it
            raise Interrupted
    checkpoint.sweep(store.checkpoints, store.has)
