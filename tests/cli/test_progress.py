import io

import numpy as np
import pytest
from rich.console import Console

from bnrenorm import config
from bnrenorm.cli.commands import progress, tables
from bnrenorm.runs.runner import Progress
from bnrenorm.training.loop import Record


def progress(step, total=50):
    trials = config.load("quick").trials(1000)[::2]
    values = np.array([1.0, 2.0])
    return Progress(2 * step, 2 * total, trials, Record(step, float(step), {"train_loss": values}))


def screen(monkeypatch, *, is_terminal):
    shown = progress.Screen()
    file = io.StringIO()
    shown.console = Console(file=file, force_terminal=is_terminal, width=120, highlight=False)
    return shown, file


def test_plain_lines_are_ten_with_the_time_left(monkeypatch):
    shown, file = screen(monkeypatch, is_terminal=False)
    with shown.progress() as show:
        for step in range(1, 51):
            show(progress(step))
    lines = file.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[-1].startswith("100 %  step 50  loss BN 1.0000, BRN 2.0000")
    assert all(line.endswith("s left") for line in lines)
    assert "\x1b" not in file.getvalue()


def test_a_terminal_gets_a_bar(monkeypatch):
    shown, file = screen(monkeypatch, is_terminal=True)
    with shown.progress() as show:
        show(progress(25))
    assert "50/100" in file.getvalue()
    assert "BRN 2.0000" in file.getvalue()


def test_the_loss_is_that_of_the_networks_that_have_not_diverged():
    trials = config.load("quick", ["seeds=3"]).trials(1000)
    losses = np.where([trial.variant == "BRN" for trial in trials], np.nan, 2.0)
    losses[[trial.variant for trial in trials].index("BN")] = np.inf
    record = Record(1, 1.0, {"train_loss": losses})
    assert progress._loss(Progress(1, 2, trials, record)) == "BN 2.0000, BRN nan"


@pytest.mark.parametrize("count", [1, 3])
def test_mean_and_spread(count):
    import pandas as pd

    text = tables._mean_and_spread(pd.Series([1.0, 2.0, 3.0][:count]), 2)
    assert text == ("1.00" if count == 1 else "2.00 ± 1.00")


def test_the_numbers_of_a_network_that_diverges_stay_short():
    import pandas as pd

    assert tables._mean_and_spread(pd.Series([1e20, 3e20]), 4) == "2.0e+20 ± 1.4e+20"
    assert tables._mean_and_spread(pd.Series([float("nan")] * 2), 4) == "nan"


def verdict(a, b, size, **values):
    nothing = {"mean": None, "low": None, "high": None, "p_holm": None, "more_seeds": 0, "diverged": {a: 0, b: 0}}
    return {
        "a": a,
        "b": b,
        "point": {"training.batch.size": size},
        "metric": "final_test_accuracy",
        **nothing,
        **values,
    }


def test_a_grids_verdicts_are_a_table_with_a_section_for_every_pair():
    rows = [
        verdict("BN", "BRN", 2, verdict="BRN better", mean=0.0561, low=0.05, high=0.06, p_holm=0.0117),
        verdict("none", "BN", 2, verdict="inconclusive", mean=-0.01, more_seeds=1, diverged={"none": 0, "BN": 3}),
        verdict("BN", "BRN", 4, verdict="identical by construction", mean=0.0),
    ]
    file = io.StringIO()
    Console(file=file, width=120).print(tables.verdicts(rows))
    lines = [" ".join(line.split()) for line in file.getvalue().splitlines()]
    assert lines[0].startswith("paired differences in test accuracy (percentage points)")
    assert lines[3:] == [
        "2 BRN - BN +5.61 +5.00 to +6.00 0.012 BRN better",
        "4 BRN - BN 0 identical by construction",
        "",
        "2 BN - none -1.00 inconclusive: 1 more seed needed; 3 BN diverged",
    ]


def test_published_differences_are_a_table():
    import pandas as pd

    row = {"batches": "few labels", "a": "BN", "b": "BRN", "published_difference": 11.5, "mean": -2.5, "agreement": "x"}
    file = io.StringIO()
    Console(file=file, width=120).print(tables.directions(pd.DataFrame([row])))
    assert "few labels BRN - BN +11.5 -2.50 x" in " ".join(file.getvalue().split())


def test_a_grid_shows_final_values_and_counts_what_diverged():
    import pandas as pd

    values = {
        f"{when}_{split}_{what}": 0.5
        for when in ("final", "best")
        for split in ("train", "test")
        for what in ("loss", "accuracy")
    }
    rows = [
        {"variant": v, "training.batch.size": n, "seed": s, "outcome": "diverged" if n == 2 else "finished", **values}
        for v in "AB"
        for n in (2, 4)
        for s in (0, 1)
    ]
    file = io.StringIO()
    Console(file=file, width=80).print(tables.summary(pd.DataFrame(rows)))
    lines = [line.split() for line in file.getvalue().splitlines()]
    assert ["variant", "size", "training", "loss", "test", "loss", "training", "%", "test", "%"] in lines
    assert lines.count(["A", "2", "2", "of", "2", "diverged"]) == 1
    assert sum(line[:2] == ["B", "4"] for line in lines) == 1


def test_a_grid_of_two_settings_fits_eighty_columns():
    import pandas as pd

    names = ("variant", "norm.r_max", "norm.d_max", "seed", "outcome")
    values = {f"final_{split}_{what}": 0.5 for split in ("train", "test") for what in ("loss", "accuracy")}
    rows = [dict(zip(names, ("BRN warmed up", 3.0, 0.5, seed, "finished"), strict=True)) | values for seed in (0, 1)]
    file = io.StringIO()
    Console(file=file, width=80).print(tables.summary(pd.DataFrame(rows)))
    lines = [" ".join(line.split()) for line in file.getvalue().splitlines()]
    assert "variant r_max d_max training % test %" in lines
    assert "BRN warmed up 3.0 0.5 50.00 ± 0.00 50.00 ± 0.00" in lines
