"""The offsets of each layer's parameters and running statistics in a replica's rows."""

import itertools
from typing import NamedTuple

import numpy as np

from bnrenorm.engines.cpu.codegen.alignment import whole_lines
from bnrenorm.engines.spec import FIXED, NODE, SHARED, KernelSpec

FAN_IN, WIDTH, W, B, AFFINE, RUN = range(6)
"""Columns of `ParameterLayout.layers`."""


class ParameterLayout(NamedTuple):
    """Sizes of L layers, the output layer included, and the offsets of their parameters in a row (P,).

    `layers` (L, 6): inputs, outputs, and the offsets of W, of b, of gamma followed by beta (-1: none), and of the
    running mean followed by the running scale in the row of statistics (Q,). W is (K, D), except in the first layer,
    where it is stored input by input: (D, pitch), of which K columns count.
    """

    layers: np.ndarray
    widest: int  # outputs of the widest layer
    largest: int  # weights of the largest layer
    pitch: int  # outputs of the first layer, rounded up to whole cache lines


def layout_of(widths: list[int], spec: KernelSpec) -> ParameterLayout:
    """Lay out a network of these widths, inputs and classes included: W, b, gamma, beta, layer after layer."""
    pitch, offset, run_offset, layers = whole_lines(widths[1]), 0, 0, []
    for depth, (fan_in, width) in enumerate(itertools.pairwise(widths)):
        last = depth == len(widths) - 2
        affine = 0 if last else {NODE: width, SHARED: 1, FIXED: 0}[spec.affine]
        b = offset + fan_in * (width if depth else pitch)
        layers.append((fan_in, width, offset, b, b + width if affine else -1, run_offset))
        offset, run_offset = b + width + 2 * affine, run_offset + 2 * width
    table = np.array(layers)
    return ParameterLayout(table, int(table[:, WIDTH].max()), int((table[:, B] - table[:, W]).max()), pitch)
