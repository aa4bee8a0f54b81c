"""A run's part of the page: its tables, and what is said of what it was trained on."""

from dataclasses import replace
from pathlib import Path

import pytest

from bnrenorm.analysis.report import provenance, sections
from bnrenorm.config.plugins import Plugin
from tests.analysis.report.runs import PUBLISHED, TEXT, results


def test_a_run_that_names_a_published_table_shows_it_and_its_config():
    shown = sections.section(results(PUBLISHED))
    assert [table.key for table in shown.tables] == ["variants", "published", "settings", "trials", "provenance"]
    assert shown.files == {"experiment.yaml": results(PUBLISHED).experiment.as_config()}
    assert "article2/l1" in shown.files["experiment.yaml"]


def test_a_run_with_plugins_shows_them_and_a_document_that_finds_them():
    made = results()
    plugin = Plugin(Path("/somewhere/mine.py"), "# ein Gerät\n".encode())
    shown = sections.section(replace(made, experiment=replace(made.experiment, plugins=(plugin,))))
    assert list(shown.files) == ["experiment.yaml", "plugins/mine.py"]
    assert shown.files["plugins/mine.py"] == "# ein Gerät\n"
    assert "plugins: [plugins/mine.py]\n" in shown.files["experiment.yaml"]


@pytest.mark.parametrize(
    ("engines", "option"),
    [
        ([("cpu", "cpu")], " --engine cpu --device cpu"),
        ([("chainer", "cuda:1")], " --engine chainer --device cuda"),
        ([("cuda-tf32", "cuda:0")], " --engine cuda --tf32 --device cuda"),
        ([("cpu", "cpu"), ("chainer", "cpu")], ""),
    ],
)
def test_the_command_that_repeats_a_run_names_its_engine(engines, option):
    made = results()
    made_by = [{"engine": engine, "device": device} for engine, device in engines]
    trials = [
        (trial, replace(result, provenance=made_by[i % len(made_by)])) for i, (trial, result) in enumerate(made.trials)
    ]
    assert sections.section(replace(made, trials=trials)).repeat == f"bnrenorm compare experiment.yaml{option}"


def test_images_are_named_as_what_they_are():
    made = results()
    images = f"({made.data.checksum[:12]})"
    assert sections.section(made).facts[-1] == f"200 + 100 images of some digits {images}, on cpu"
    mnist = replace(made, data=made.data.model_copy(update={"source": "mnist"}), device="cuda:0")
    assert sections.section(mnist).facts[-1] == f"200 + 100 images of MNIST digits {images}, on cuda:0"


def test_of_many_settings_the_first_twelve_are_shown():
    rates = ", ".join(f"0.{i}" for i in range(1, 10))
    made = results(f"{TEXT.replace('seeds: 6', 'seeds: 1')}grid: {{training.optimizer.lr: [{rates}]}}\n")
    (table,) = [table for table in sections.section(made).tables if table.key == "settings"]
    assert len(table.columns) == 1 + 12
    names = [column.name for column in table.columns[1:5]]
    assert names == ["none, lr 0.1", "BN, lr 0.1", "BRN, lr 0.1", "none, lr 0.2"], "all variants before other points"
    assert table.note.startswith("The first 12 of 27 variants and grid points;")


def test_trials_are_counted_over_the_grid():
    made = results(f"{TEXT}grid: {{training.optimizer.lr: [0.1, 0.5]}}\n", diverged=[("BN", 1)])
    assert provenance.diverged(made) == ["BN diverged in 2 of 12 trials"]
    short = replace(made, trials=made.trials[1:])
    assert sections.section(short).notes[0] == "not all trials are here: 35 of 36"
    assert sections.section(made).facts[2] == "seeds 0, 1, 2, 3, 4, 5: 36 trials"
    assert sections.section(short).facts[2] == "seeds 0, 1, 2, 3, 4, 5: 35 of 36 trials"
