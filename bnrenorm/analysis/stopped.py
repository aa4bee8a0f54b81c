"""Curves of trials that stopped early, for drawing: from then on they hold the values of the weights they went back to.

Otherwise a mean over seeds would jump wherever one of them stops, and would end as a mean of those that are left.
"""

from dataclasses import replace

import numpy as np

from bnrenorm.analysis.tables import TrainedTrials
from bnrenorm.config import Trial
from bnrenorm.config.trial import Point
from bnrenorm.training.records import Columns, TrialResults, final_record


def continued(trials: TrainedTrials) -> TrainedTrials:
    """Return the trials, those that stopped early with further records up to the last of their grid point and one more.

    The values of these records are those of the record of the final weights (`final_record`), but for "stopped".
    """
    last: dict[Point, float] = {}
    for trial, result in trials:
        last[trial.point] = max(result.records["step"][-1], last.get(trial.point, 0))
    return [(trial, _continued(trial, result, last[trial.point])) for trial, result in trials]


def _continued(trial: Trial, result: TrialResults, last: float) -> TrialResults:
    step, epoch = (result.records[name][-1] for name in ("step", "epoch"))
    training, every = trial.settings.training, trial.settings.evaluation.every.amount
    total = training.steps.amount
    if trial.watched is None or result.outcome != "finished" or step >= total:
        return result
    due = np.append(np.arange(every * (step // every + 1), min(last + every, total), every), min(last + every, total))
    kept = final_record(result.records, trial.watched)
    records: Columns = {
        name: [*values, *len(due) * [values[-1 if name == "stopped" else kept]]]
        for name, values in result.records.items()
    }
    records["step"] = [*result.records["step"], *due.tolist()]
    steps_per_epoch = round(step / epoch)  # a division by it gives the other trials' epochs to the last bit
    records["epoch"] = [*result.records["epoch"], *(due / steps_per_epoch).tolist()]
    return replace(result, records=records)
