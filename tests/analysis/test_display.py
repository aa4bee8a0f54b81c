"""Results below a notebook's cell, as HTML."""

import base64
import re
from html.parser import HTMLParser

import pytest

from bnrenorm.analysis import display
from bnrenorm.analysis.plots.notebook import Plot
from bnrenorm.numbers import points
from tests.helpers import COMPARED, results_of

GRID = f"{COMPARED}grid: {{training.optimizer.lr: [0.1, 0.5, 1.0, 2.0]}}\n"


class Read(HTMLParser):
    """The tags, the texts, and the attributes of the image in an HTML text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.image = [], [], {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            self.image = dict(attrs)

    def handle_data(self, data):
        self.texts.append(data)


def accuracy(trial):
    return {"BN": 0.5}.get(trial.variant, 0.75) + trial.seed / 100


def test_verdict_table_and_figure_are_shown():
    results = results_of(COMPARED.replace("seeds: 2", "seeds: 6"), accuracy)
    read = Read(results._repr_html_())
    (verdict,) = results.verdicts
    assert verdict["sentence"] in read.texts
    assert read.texts.count("BRN") == 1
    assert "77.50 ± 1.87" in read.texts
    kind, _, content = read.image["src"].partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content).startswith(b"\x89PNG")
    assert read.image["alt"] == verdict["sentence"]


def test_many_verdicts_are_a_table():
    results = results_of(GRID.replace("seeds: 2", "seeds: 9"), lambda trial: accuracy(trial) ** 2)
    read, (verdict, *_) = Read(results._repr_html_()), results.verdicts
    assert read.texts.count("BRN better") == 4
    low, high = points(verdict["low"]), points(verdict["high"])
    assert low != high
    assert f"{low} to {high}" in read.texts
    assert not [text for text in read.texts if "is better" in text]
    assert read.texts.count("0.016") == 4, "p after Holm's correction: 4 comparisons, and 2 / 2^9"


def test_the_values_of_a_grid_are_those_of_the_config():
    """A column with null and 2 has 2.0 and NaN, and one with 0.1 and 1e-05 would have 0.10000."""
    axes = "{training.micro_batch: [2, null], training.optimizer.lr: [0.1, 1.0e-5]}"
    texts = Read(results_of(f"{COMPARED}grid: {axes}\n", accuracy)._repr_html_()).texts
    rows = 4 + 2 * 4  # differences, and values of two variants
    assert [texts.count(value) for value in ("null", "0.1", "1e-05", "2.0", "NaN", "0.10000")] == [6, 6, 6, 0, 0, 0]
    assert texts.count("2") == rows / 2 + 2 * 4, "of two seeds"


def test_three_verdicts_are_sentences():
    results = results_of(COMPARED.replace("variants:\n", "variants:\n  none: {norm: {kind: none}}\n"), accuracy)
    texts = Read(results._repr_html_()).texts
    assert len(results.verdicts) == 3
    assert all(verdict["sentence"] in texts for verdict in results.verdicts)


def test_the_figure_of_a_grid_has_its_final_accuracies(monkeypatch):
    drawn = []
    for name in ("accuracy", "curves"):
        draw = getattr(Plot, name)
        monkeypatch.setattr(Plot, name, lambda plot, ax, name=name, draw=draw: drawn.append(name) or draw(plot, ax))
    for text in (GRID, COMPARED):
        display._figure(results_of(text, accuracy))
    assert drawn == ["accuracy", "curves"]


def test_of_a_long_table_the_middle_is_left_out(monkeypatch):
    monkeypatch.setattr(display, "_figure", lambda results: b"")
    rates = [f"0.{i:03}" for i in range(1, 100)]
    text = f"name: one\nvariants: {{only: {{}}}}\ngrid: {{training.optimizer.lr: [{', '.join(rates)}]}}\n"
    texts = Read(results_of(text)._repr_html_()).texts
    assert "0.001" in texts
    assert "0.099" in texts
    assert "0.050" not in texts


def test_names_are_text():
    text = display.page(results_of(COMPARED.replace("  BRN: ", "  '<script>alert(1)</script>': ")))
    read = Read(text)
    assert "script" not in read.tags
    assert any("<script>alert(1)</script>" in words for words in read.texts)


def test_diverged_trials_are_counted():
    results = results_of(COMPARED, accuracy)
    for trial, result in results.trials:
        if trial.variant == "BRN":
            object.__setattr__(result, "outcome", "diverged")
    read = Read(display.page(results))
    assert "diverged" in read.texts
    assert not re.search(r"\bnan\b", " ".join(read.texts), re.I)


@pytest.mark.parametrize("text", ["name: one\nvariants: {only: {}}\n", GRID])
def test_one_variant_and_few_seeds_are_shown_too(text):
    assert "img" in Read(results_of(text)._repr_html_()).tags


def test_a_figure_that_fails_costs_nothing_else(monkeypatch):
    monkeypatch.setattr(display, "_figure", lambda results: 1 / 0)
    read = Read(results_of()._repr_html_())
    assert "Not drawn: ZeroDivisionError: division by zero" in read.texts
    assert "table" in read.tags
