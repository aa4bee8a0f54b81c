"""Tables for the terminal, read back as text."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from bnrenorm.analysis import aggregates, published
from bnrenorm.analysis.verdicts import p_cell
from bnrenorm.cli import tables
from bnrenorm.cli.printer import Printer
from bnrenorm.cli.sheet import Sheet
from tests.helpers import COMPARED, results_of


def lines_of(table, width=120):
    """Return a table as printed in a file, with single spaces; a table that is laid out already, in so many columns."""
    file = io.StringIO()
    if isinstance(table, Sheet):
        Printer(file=file).table(table)
    else:
        Console(file=file, width=width).print(table)
    return [" ".join(line.split()) for line in file.getvalue().splitlines()]


def verdict(a, b, size, **values):
    return {
        "a": a, "b": b, "point": {"training.batch.size": size}, "metric": "final_test_accuracy", "mean": None,
        "low": None, "high": None, "p_holm": None, "comparisons": 6, "more_seeds": 0, "seeds": 8, "pairs": 8,
        "diverged": {a: 0, b: 0},
        **values,
    }  # fmt: skip


def test_a_grids_verdicts_have_a_section_per_pair_of_variants():
    entries = [
        verdict("BN", "BRN", 2, verdict="BRN better", mean=0.0561, low=0.05, high=0.06, p_holm=0.0117),
        verdict("none", "BN", 2, verdict="inconclusive", mean=-0.01, more_seeds=1, diverged={"none": 0, "BN": 3}),
        verdict("BN", "BRN", 4, verdict="identical by construction", mean=0.0),
    ]
    lines = lines_of(tables.verdicts(entries))
    assert lines[0].startswith("paired differences in test accuracy (percentage points)")
    assert lines[3:] == [
        "2 BRN - BN +5.61 +5.00 to +6.00 0.012 BRN better",
        "4 BRN - BN 0 identical by construction",
        "",
        "2 BN - none -1.00 inconclusive; BN diverged in 3 of 8 about 1",
    ]


def test_published_differences_are_next_to_ours():
    row = {"batches": "few labels", "a": "BN", "b": "BRN", "published_difference": 11.5, "mean": -2.5, "agreement": "x"}
    lines = lines_of(tables.published_differences(pd.DataFrame([row, row | {"mean": None}])))
    assert lines[-2:] == ["few labels BRN - BN +11.5 -2.50 x", "few labels BRN - BN +11.5 x"]


def test_a_published_row_is_below_ours():
    names = ("train_accuracy", "test_accuracy", "epochs_to_95", "epochs_to_97", "epochs_to_98", "best_test_accuracy")
    ours = dict(zip(names, (99.0, 98.0, 1.0, 2.0, np.inf, 98.5), strict=True)) | {"best_epoch": 9.0, "seconds": 3.0}
    printed = {f"published_{name}": value for name, value in ours.items()} | {"published_epochs_to_98": np.nan}
    rows = [
        {"variant": "BN", "lr": lr, "seeds": 2, **ours, **printed, "verdict": verdict}
        for lr, verdict in ((0.1, "inside"), (0.5, ""))
    ]
    lines = lines_of(tables.published_values(pd.DataFrame(rows)))
    assert "means, epochs medians over 2 seeds" in " ".join(lines[:2])
    assert lines[-3:] == [
        "0.1 99.00 98.00 1 2 98.50 9 3 inside",
        "99.00 98.00 1 2 98.50 9 3 published",
        "0.5 99.00 98.00 1 2 98.50 9 3",
    ]


FINAL = {f"final_{split}_{value}": 0.5 for split in ("train", "test") for value in ("loss", "accuracy")}


def test_means_are_of_the_trials_that_finished():
    outcomes = {2: ("diverged", "diverged"), 4: ("finished", "diverged"), 8: ("finished", "finished")}
    rows = [
        {"variant": v, "training.batch.size": n, "seed": s, "outcome": outcome, **FINAL, "final_test_loss": 0.25 + s}
        for v in "AB"
        for n in outcomes
        for s, outcome in enumerate(outcomes[n])
    ]
    lines = lines_of(tables.summary(aggregates.final_values(pd.DataFrame(rows))), width=120)
    assert lines[0] == "final values, mean ± standard deviation over seeds"
    assert "variant size diverged training loss test loss training % test %" in lines
    assert lines[3:6] == [
        "A 2 2 of 2",
        "A 4 1 of 2 0.5000 0.2500 50.00 50.00",
        "A 8 0.5000 ± 0.0000 0.7500 ± 0.7071 50.00 ± 0.00 50.00 ± 0.00",
    ]


def test_accuracies_and_their_spread_are_both_in_percent():
    rows = [
        {"variant": "A", "seed": seed, "outcome": "finished", **FINAL, "final_test_accuracy": 0.75 + 0.02 * seed}
        for seed in (0, 1)
    ]
    lines = lines_of(tables.summary(aggregates.final_values(pd.DataFrame(rows))))
    assert lines[-1] == "A 0.5000 ± 0.0000 0.5000 ± 0.0000 50.00 ± 0.00 76.00 ± 1.41"


def test_the_validation_split_has_a_column():
    row = {"variant": "A", "seed": 0, "outcome": "finished", **FINAL, "final_validation_accuracy": 0.75}
    lines = lines_of(tables.summary(aggregates.final_values(pd.DataFrame([row]))))
    assert "variant training loss test loss training % validation % test %" in lines
    assert lines[-1] == "A 0.5000 0.5000 50.00 75.00 50.00"


def test_values_of_a_grid_are_written_as_in_a_config():
    text = f"{COMPARED}grid: {{model.hidden: [[20], [20, 10]]}}".replace("model: {hidden: [8]}\n", "")
    lines = "\n".join(lines_of(tables.summary(results_of(text).final)))
    assert "BN [20] " in lines
    assert "BN [20, 10] " in lines


def test_a_grid_of_two_settings_fits_eighty_columns():
    names = ("variant", "norm.r_max", "norm.d_max", "seed", "outcome")
    rows = [dict(zip(names, ("BRN warmed up", 3.0, 0.5, seed, "finished"), strict=True)) | FINAL for seed in (0, 1)]
    table, out = tables.summary(aggregates.final_values(pd.DataFrame(rows))).fitted(80)
    lines = lines_of(table, width=80)
    assert "variant r_max d_max test loss training % test %" in lines
    assert "BRN warmed up 3 0.5 0.5000 ± 0.0000 50.00 ± 0.00 50.00 ± 0.00" in lines
    assert out == ["training loss"]


def test_null_on_the_grid_has_its_rows():
    results = results_of(f"{COMPARED}grid: {{evaluation.average: [null, 0.9]}}")
    text = "\n".join(lines_of(tables.summary(results.final)))
    assert [text.count(f"{variant} {value} 1.0") for variant in ("BN", "BRN") for value in ("null", 0.9)] == [1] * 4
    assert "null BRN - BN" in "\n".join(lines_of(tables.verdicts(results.verdicts)))


def test_where_nothing_was_tested_no_correction_is_named():
    entries = [verdict("BN", "BRN", 2, verdict="both diverged", comparisons=0, diverged={"BN": 8, "BRN": 8})]
    lines = lines_of(tables.verdicts(entries))
    assert lines[0] == "paired differences in test accuracy (percentage points)"
    assert lines[-1] == "2 BRN - BN BN diverged in 8 of 8; BRN diverged in 8 of 8"


def test_keys_difference_and_verdict_are_never_left_out():
    entries = [verdict("BN", "BRN", 2, verdict="BRN better", mean=0.0561, low=0.05, high=0.06, p_holm=2.4e-5)]
    table, out = tables.verdicts(entries).fitted(40)
    assert lines_of(table)[-1] == "2 BRN - BN +5.61 BRN better"
    assert out == ["95 % interval", "p"]
    assert "Holm" in tables.verdicts(entries).titled()
    assert "Holm" not in tables.verdicts(entries).titled(out)
    lines, out = tables.verdicts(entries).fitted(20)
    assert "  mean +5.61" in lines
    assert "  verdict BRN better" in lines
    assert "2.4e-5" in " ".join(lines_of(tables.verdicts(entries)))


def test_the_number_of_further_seeds_is_left_out_first():
    entries = [
        verdict("BN", "BRN", 2, verdict="inconclusive", mean=0.01, low=-0.05, high=0.06, p_holm=0.4, more_seeds=9)
    ]
    assert tables.verdicts(entries).fitted(60)[1] == ["more seeds"]


def test_a_row_of_one_seed_says_why_it_is_not_judged():
    names = (*published.ACCURACIES, *published.EPOCHS, "seconds")
    row = {"variant": "BN", "seeds": 1, **dict.fromkeys(names, 1.0), **{f"published_{name}": 1.0 for name in names}}
    lines = lines_of(tables.published_values(pd.DataFrame([row | {"verdict": published.FEW_SEEDS}])), width=200)
    assert any(line.endswith(" too few seeds") for line in lines)


@pytest.mark.parametrize(
    ("p", "text"), [(0.0498, "0.0498"), (0.04999999, "0.04999999"), (0.05, "0.05"), (0.0501, "0.05"), (2e-5, "2e-5"), (0.6, "0.6")]
)  # fmt: skip
def test_a_p_is_never_rounded_to_the_other_side_of_its_limit(p, text):
    assert p_cell(p) == text
