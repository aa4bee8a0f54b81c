"""Which sets of kernels settings need, and that asking loads no numba."""

import subprocess
import sys

import pytest

from bnrenorm.engines.cpu.required import is_large, required_kernels
from tests.helpers import trials_of


def settings(text):
    return trials_of(text, 10_000)[0].settings


SMALL = "training: {batch: 10}"
DEEP = "model: {hidden: [8, 8]}"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", ["large", "inference"]),
        (SMALL, ["small", "inference"]),
        ("training: {batch: 2047}", ["small", "inference"]),
        ("training: {batch: 2048}", ["large", "inference"]),
        ("training: {batch: 2100, micro_batch: 10}", ["small", "inference"]),
        (DEEP, ["large", "deep", "inference"]),
        ("model: {order: linear-norm-activation}", ["large", "deep", "inference"]),
        ("norm: {kind: layer}", ["small", "inference"]),
        ("training: {micro_batch: 10}", ["small", "inference"]),
        ("model: {dropout: {form: exact, keep_hidden: 0.5}}", ["small", "inference"]),
        (f"{SMALL}\nevaluation: {{statistics: batch}}", ["small", "large", "inference"]),
        (f"{SMALL}\n{DEEP}\nevaluation: {{statistics: batch}}", ["small", "large", "deep", "inference"]),
        (f"{SMALL}\nnorm: {{kind: none}}\nevaluation: {{statistics: batch}}", ["small", "inference"]),
    ],
)
def test_what_settings_need(text, want):
    assert required_kernels(settings(text)) == want
    assert is_large(settings(text)) == ("small" not in want)


@pytest.mark.parametrize(
    "text",
    [
        "model: {activation: tanh}",
        "model: {output: identity}\ntraining: {loss: squared_error}",
        "training: {loss: squared_error}",
        "model: {dropout: {form: inverted, keep_input: 0.5}}",
    ],
)
def test_there_are_no_kernels_for(text):
    assert required_kernels(settings(text)) == []


def test_a_dropout_that_keeps_everything_is_compiled():
    assert required_kernels(settings("model: {dropout: {form: inverted}}")) == ["large", "inference"]


def test_asking_loads_no_numba():
    code = "import sys; import bnrenorm.engines.cpu.required; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
