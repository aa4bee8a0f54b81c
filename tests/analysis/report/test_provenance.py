"""What trained the trials, and the notes on what to know before trusting them."""

from dataclasses import replace

from bnrenorm.analysis.report import provenance
from tests.analysis.report.runs import PROVENANCE, TEXT, results


def with_provenance(made, change):
    """Return results of which the trials of odd seeds have another provenance."""
    trials = [
        (trial, replace(result, provenance={**PROVENANCE, **change}) if trial.seed % 2 else result)
        for trial, result in made.trials
    ]
    return replace(made, trials=trials)


def test_trials_of_one_provenance_are_one_row():
    table, made_by = provenance.sources(results())
    (row,) = table.rows
    cells = dict(zip([column.name for column in table.columns], row, strict=True))
    assert (cells["number"], cells["trials"], cells["versions"]) == (1, 18, "bnrenorm 0.1.0, numpy 2.4")
    assert cells["first finished"] == cells["last finished"] == PROVENANCE["date"]
    assert cells["commit"] == "0123456789ab"
    assert made_by == [1] * 18


def test_the_first_and_the_last_date_are_told_apart():
    made = results()
    trials = [
        (trial, replace(result, provenance={**PROVENANCE, "date": f"2026-01-{day:02}"}))
        for day, (trial, result) in zip(range(18, 0, -1), made.trials, strict=True)
    ]
    (row,) = provenance.sources(replace(made, trials=trials))[0].rows
    assert row[1:4] == [18, "2026-01-01", "2026-01-18"]


def test_every_trial_names_the_row_of_what_trained_it():
    made = with_provenance(results(), {"device": "cuda:0", "gpu": "H100", "date": "2026-02-02T00:00:00+00:00"})
    table, made_by = provenance.sources(made)
    assert [row[1] for row in table.rows] == [9, 9]
    assert made_by == [1, 2] * 9


def test_provenance_of_any_form_is_text():
    made = with_provenance(results(), {"versions": [1], "commit": {"a": "b"}, "date": None, "command": "x" * 1000})
    table, _ = provenance.sources(made)
    assert all(isinstance(cell, int | str) and len(str(cell)) <= 300 for row in table.rows for cell in row)


def test_a_clean_run_has_nothing_to_note():
    assert provenance.notes(results()) == []


def test_what_was_said_during_the_run_comes_first():
    made = replace(results(diverged=[("BRN", 0), ("BRN", 3)]), notes=("one file was trained again",))
    assert provenance.notes(made) == ["one file was trained again", "BRN diverged in 2 of 6 trials"]


def test_joined_trials_and_uncommitted_source_are_noted():
    made = with_provenance(results(), {"engine": "chainer", "commit": "0123-dirty", "versions": {"bnrenorm": "0.2.0"}})
    assert provenance.notes(made) == [
        "trials of 2 engines are joined: chainer, cpu",
        "trials of 2 commits of bnrenorm are joined: 0123-dirty, 0123456789ab",
        "trials of several versions of bnrenorm are joined: 0.1.0, 0.2.0",
        "some trials were trained by a source with changes that no commit holds",
    ]


def test_few_seeds_and_missing_trials_are_noted_after_what_was_said_during_the_run():
    made = results(TEXT.replace("seeds: 6", "seeds: 2"))
    made = replace(made, trials=made.trials[:-1], notes=("pixels are 0 to 200",))
    assert provenance.notes(made) == [
        "pixels are 0 to 200",
        "not all trials are here: 5 of 6",
        "2 seeds: with fewer than 6 there is neither an interval nor a verdict",
    ]
