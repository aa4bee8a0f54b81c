"""Batch normalisation as a computational graph: its values, and the nodes that are drawn."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.path import Path

from bnrenorm.analysis.plots import computational_graph
from bnrenorm.norm import formulas


def test_the_graph_computes_batch_normalisation_and_its_gradient():
    y, gx = computational_graph.batch_normalisation()
    random = np.random.default_rng(0)
    x, gamma, beta, gy = (random.normal(size=shape)[None] for shape in ((4, 3), (1, 3), (1, 3), (4, 3)))
    mean, var = formulas.moments(x)
    std, one = np.sqrt(var + 1e-5), np.ones_like(mean)
    np.testing.assert_allclose(y.array, formulas.forward(x, gamma, beta, mean, std, one, 0 * one)[0], rtol=1e-10)
    want = formulas.backward(gy, x, gamma, mean, std, one, 0 * one)[0][0]
    np.testing.assert_allclose(gx.array, want, rtol=1e-9, atol=1e-12)


def test_every_operation_is_drawn_below_its_operands():
    for output in computational_graph.batch_normalisation():
        ax = computational_graph.draw(Figure().subplots(), output)
        boxes = [text for text in ax.texts if text.get_text()]
        names = [text.get_text() for text in boxes]
        assert {"x", "gamma", "sqrt", "broadcast"} <= set(names)
        assert not any("/" in name for name in names)
        assert len({text.get_position() for text in boxes}) == len(boxes)
        arrows = [text for text in ax.texts if not text.get_text()]
        assert all(arrow.xy[1] < arrow.xyann[1] for arrow in arrows)


def test_no_edge_runs_through_a_box():
    for output in computational_graph.batch_normalisation():
        figure = Figure(figsize=(7, 14))
        ax = computational_graph.draw(figure.subplots(), output)
        figure.draw_without_rendering()
        boxes = [text.get_bbox_patch().get_window_extent() for text in ax.texts if text.get_text()]
        lines = [ax.transData.transform(line.get_xydata()) for line in ax.get_lines()]
        arrows = [ax.transData.transform([arrow.xyann, arrow.xy]) for arrow in ax.texts if not arrow.get_text()]
        assert len(arrows) > len(boxes) > 10
        edges = np.array([box.y1 for box in boxes])
        assert all(abs(edges - end[1]).min() < 3 for _, end in arrows), "pixels: arrows end at boxes"
        for corners in (*lines, *arrows):
            assert not any(Path(corners).intersects_bbox(box, filled=False) for box in boxes)
