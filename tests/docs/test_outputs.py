"""docs/outputs.md against what runs really write: every documented column and key exists, and no other."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import bnrenorm
from bnrenorm import config
from bnrenorm.analysis import outputs
from bnrenorm.analysis.plots import style
from tests.docs import pages

pytestmark = pytest.mark.slow

PAGE = "docs/outputs.md"
PLAIN = """
name: plain
model: {hidden: [6]}
variants:
  none: {norm: {kind: none}}
  BN: {norm: {kind: batch}}
  BRN: {norm: {kind: renorm}}
  layer: {norm: {kind: layer}}
training: {batch: 10, steps: 4}
evaluation: {every: 2}
seeds: 6
"""
EVERYTHING = """
name: everything
data: {validation: 20}
model: {hidden: [6, 5]}
variants: {BN: {norm: {kind: batch}}, BRN: {norm: {kind: renorm}}}
training: {batch: 10, steps: 40, optimizer: {lr: 0.1}, early_stopping: {patience: 5}}
evaluation: {every: 10, training_set: true, parameters: true, penalty: true}
grid: {training.optimizer.lr: [0.1, 0.01]}
seeds: 2
"""
VALUES = """
name: values
model: {hidden: [6]}
variants: {none: {norm: {kind: none}}}
training: {batch: 10, steps: 4}
grid: {training.l1_decay: [0.1, 0.01]}
seeds: 2
published: article2/l1
"""
DIFFERENCES = """
name: differences
model: {hidden: [6]}
variants: {BN: {norm: {kind: batch}}, BRN: {norm: {kind: renorm}}}
training: {batch: 10, steps: 4}
grid: {batches: {independent: {}}}
seeds: 2
published: brn17
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The run folders of four small experiments on noise with one bright pixel, which says the class, by name."""
    place = tmp_path_factory.mktemp("outputs")
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 60, (120, 4, 4), dtype=np.uint8), np.arange(120) % 10
    images.reshape(120, 16)[np.arange(120), labels] = 255
    np.savez(place / "noise.npz", x_train=images, y_train=labels, x_test=images[:40], y_test=labels[:40])
    found = {}
    figures = outputs.figures
    with pytest.MonkeyPatch.context() as patch:  # the names of the figures without the seconds that they take
        patch.setattr(outputs, "figures", lambda *run: dict.fromkeys(figures(*run), bytes))
        for form in ("png", "svg"):
            patch.setattr(style, form, lambda figure: figure)
        for text in (PLAIN, EVERYTHING, VALUES, DIFFERENCES):
            path = place / "config.yaml"
            path.write_text(text)
            experiment = bnrenorm.load(path, data__path=str(place / "noise.npz"))
            folder = bnrenorm.run(experiment, engine="chainer", device="cpu", out=place / "runs").folder
            found[experiment.name] = folder
    return found


def documented(section, heading):
    """Return the first cells of the table with that heading below a section's title."""
    found = [rows[1:] for rows in pages.tables(PAGE) if rows[0][0] == heading]
    if section is None:
        (rows,) = found
        return [row[0] for row in rows]
    after = pages.text(PAGE).split(f"\n{section}\n", 1)[1].split("\n#", 1)[0]
    return re.findall(r"^\| `(\w+)` \|", after, re.M)


def plain(columns, grid=()):
    """Write the layers' and the grid's columns as the page does."""
    return {"GRID" if name in grid else re.sub(r"^layer\d+_", "layerK_", name) for name in columns}


def columns(folder, file, grid=()):
    return plain(pd.read_csv(folder / file).columns, grid)


LR = "training.optimizer.lr"


@pytest.mark.parametrize(
    ("file", "only_everything"),
    [
        ("curves.csv", {"GRID", "validation_loss", "validation_accuracy"}),
        ("diagnostics.csv", {"GRID", "stopped"}),
        ("summary.csv", {"GRID", *(f"{w}_validation_{v}" for w in ("final", "best") for v in ("loss", "accuracy"))}),
    ],
)
def test_columns_of_the_tables(folders, file, only_everything):
    page = set(documented(f"### {file}", "column"))
    written, said = columns(folders["everything"], file, {LR}), f"section {file} of {PAGE} says what each column means"
    assert written == page, f"only one of the file and the page has {written ^ page}: {said}"
    assert columns(folders["plain"], file) == page - only_everything


def test_columns_of_the_published_tables(folders):
    values = columns(folders["values"], "published.csv", {"training.l1_decay"})
    assert values == set(documented(None, "column of values"))
    differences = columns(folders["differences"], "published.csv", {"batches"})
    assert differences == set(documented(None, "column of differences"))


def test_keys_of_the_verdicts(folders):
    page = set(documented("### verdict.json", "key"))
    for name in ("plain", "everything"):
        entries = json.loads((folders[name] / "verdict.json").read_text())
        assert entries
        assert all(set(entry) == page for entry in entries)
    measured = json.loads((folders["plain"] / "verdict.json").read_text())[0]
    assert None not in (measured["low"], measured["high"], measured["p"], measured["p_holm"])
    few = json.loads((folders["everything"] / "verdict.json").read_text())[0]
    assert (few["low"], few["high"], few["p"], few["p_holm"]) == (None,) * 4


def test_keys_of_the_environment_and_of_the_provenance(folders):
    environment = json.loads((folders["everything"] / "environment.json").read_text())
    assert set(environment) == set(documented("### environment.json", "key"))
    assert set(environment["data"]) == {"source", "checksum", "train", "test", "classes", "most_frequent"}
    (made_by,) = environment["trained_by"]
    assert set(made_by) == {*documented(None, "key of provenance"), "trials", "first", "last"} - {"date"}
    assert made_by["trials"] == 8


def test_the_experiment_is_what_bnrenorm_config_prints(folders):
    written = folders["everything"] / "experiment.yaml"
    assert written.read_text() == config.load(written).as_config()


def test_fields_of_a_stored_trial(folders):
    trials = folders["everything"].parent / "trials"
    stored = [json.loads(path.read_text()) for path in trials.glob("*.json")]
    page = set(documented("## The stored trial", "key")) - set(documented(None, "key of provenance"))
    for trial in stored:
        assert set(trial) == page
        assert set(trial["provenance"]) == set(documented(None, "key of provenance"))
        assert {"step", "epoch", "train_loss", "test_accuracy"} <= set(trial["records"])
        assert len({len(values) for values in trial["records"].values()}) == 1
    with np.load(next(trials.glob("*.npz"))) as arrays:
        assert {re.sub(r"\d", "K", name): arrays[name].ndim for name in arrays.files} == {
            "linears/K/W": 2, "linears/K/b": 2, "norms/K/affine/gamma": 2, "norms/K/affine/beta": 2,
            "norms/K/run_mean": 2, "norms/K/run_scale": 2,
        }  # fmt: skip
        assert arrays["linears/0/W"].shape == (6, 16)
        assert arrays["norms/1/affine/gamma"].shape == (1, 5)


def test_files_of_a_run_folder(folders):
    page = {file for row in pages.table(PAGE, "file") for file in row[0].split(", ")}
    written = {name: {path.name for path in folder.iterdir()} - {".lock"} for name, folder in folders.items()}
    every = set.union(*written.values())
    assert every == page, f"only one of runs and {PAGE} has {every ^ page}: its first table has every file, PNG and SVG"

    def figures(*names):
        return {f"{name}.{kind}" for name in names for kind in ("png", "svg")}

    single, parameters = figures("loss", "accuracy"), figures("weights", "affine", "affine_epochs")
    grid = figures("curves", "training_curves")
    assert written["everything"] == page - single - {"published.csv"}
    assert written["plain"] == page - grid - parameters - {"published.csv"}
    assert written["values"] == page - single - parameters - figures("difference", "diagnostics")
