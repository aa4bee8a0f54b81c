"""Results for the report's tests: several seeds, corrections, both modes' accuracies, on request a diverged trial."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from tests.helpers import results_of

TEXT = """
name: shown
variants:
  none: {norm: {kind: none}}
  BN: {norm: {kind: batch}}
  BRN: {norm: {kind: renorm, r_max: 3, d_max: 5, warmup: 2, ramp_r: 4, ramp_d: 2}}
training: {steps: 8}
seeds: 6
"""
GRID = "grid: {training.optimizer.lr: [0.1, 0.5]}\n"
NAME = "<script>alert(1)</script> & $$x$$"
PUBLISHED = """
name: printed
variants:
  none: {norm: {kind: none}}
training: {steps: 8}
grid: {training.l1_decay: [0.1, 0.01]}
seeds: 2
published: article2/l1
"""
STEPS = [1, 2, 4, 8]
PROVENANCE = {
    "engine": "cpu",
    "device": "cpu",
    "gpu": None,
    "processor": "a processor",
    "blas": "a library",
    "threads": 2,
    "versions": {"bnrenorm": "0.1.0", "numpy": "2.4"},
    "commit": "0123456789ab",
    "command": "bnrenorm compare shown",
    "date": "2026-01-01T00:00:00+00:00",
}
GAINS = {"none": 0.0, "BN": 0.01, "BRN": 0.04}


def results(text=TEXT, folder=Path("nowhere/shown-00000000"), diverged=()):
    """Return results of that experiment; `diverged` names (variant, seed) pairs that end in NaN after step 4."""
    made = results_of(text, folder=folder)
    trials = []
    for trial, result in made.trials:
        rng = np.random.default_rng([trial.seed, len(trial.variant)])
        gain = GAINS.get(trial.variant, 0.02)
        accuracy = 0.5 + gain + 0.05 * np.arange(4) + 0.002 * rng.normal(size=4) + 0.01 * trial.seed
        records = {
            "step": STEPS,
            "epoch": [float(step) for step in STEPS],
            **dict.fromkeys(("train_accuracy", "test_accuracy", "training_mode_accuracy"), accuracy.tolist()),
            "inference_mode_accuracy": (accuracy - 0.03).tolist(),
            **dict.fromkeys(("train_loss", "test_loss"), (2 - accuracy).tolist()),
        }
        if trial.variant != "none":
            names = [f"layer1_{name}_{q}" for name in "rd" for q in ("05", "50", "95")]
            names += [f"layer1_{name}_clipped_{side}" for name in "rd" for side in ("high", "low")]
            names += ["layer1_mean_distance", "layer1_std_distance"]
            records |= {name: rng.uniform(0, 0.4, 4).tolist() for name in names}
            for name in "rd":
                quantiles = [f"layer1_{name}_{q}" for q in ("05", "50", "95")]
                records |= zip(quantiles, np.sort([records[q] for q in quantiles], axis=0).tolist(), strict=True)
        outcome = "finished"
        if (trial.variant, trial.seed) in diverged:
            outcome, records = "diverged", {name: list(values) for name, values in records.items()}
            for name in records.keys() - {"step", "epoch"}:
                records[name][-1] = float("nan")
        trials.append((trial, replace(result, records=records, outcome=outcome, provenance=PROVENANCE)))
    return replace(made, trials=trials)


class Page(HTMLParser):
    """The parts of a page: tags with their attributes, the text outside of scripts, the content of every script."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.scripts, self.text, self._inside = [], [], "", None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "script":
            self.scripts.append((dict(attributes), ""))
        self._inside = tag if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside == "script":
            attributes, content = self.scripts[-1]
            self.scripts[-1] = (attributes, content + data)
        elif self._inside is None:
            self.text += data

    def having(self, attribute):
        """Return the attributes of the elements that have an attribute."""
        return [attributes for _, attributes in self.tags if attribute in attributes]
