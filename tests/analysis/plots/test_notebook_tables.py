"""Which rows of the results the figures of a notebook draw."""

from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from tests.helpers import COMPARED, results_of

GRID = f"{COMPARED}grid: {{training.optimizer.momentum: [0.5, 0.9], evaluation.average: [null, 0.9]}}"
AT = {"training.optimizer.momentum": 0.9, "evaluation.average": None}


def accuracy(trial):
    """Return 0.5 and more, different at every grid point and for every variant."""
    point = dict(trial.point)
    value = 0.5 + 0.1 * (point["training.optimizer.momentum"] == 0.9) + 0.02 * (point["evaluation.average"] is None)
    return value + (trial.variant == "BRN") * (value - 0.45)


def ends(ax):
    """Return the last value of every line that has a name."""
    return [line.get_ydata()[-1] for line in ax.get_lines() if not line.get_label().startswith("_")]


def test_curves_and_differences_of_trials_that_stopped_early_go_on():
    results = results_of()
    drawn = results_of(accuracy=lambda trial: 0.75 + 0.05 * (trial.variant == "BRN"))
    vars(results)["drawn"] = drawn  # a cached property
    assert_allclose(ends(results.plot.curves(Figure().subplots())), [75, 80])
    assert_allclose(ends(results.plot.diagnosis(Figure().subplots())), [75, 80])
    assert_allclose(ends(results.plot.difference_by_step(Figure().subplots())), [5])


def test_every_figure_of_a_point_has_its_values():
    plot = results_of(GRID, accuracy).plot
    assert_allclose(ends(plot.curves(Figure().subplots(), at=AT)), [62, 79])
    assert_allclose(ends(plot.diagnosis(Figure().subplots(), at=AT)), [62, 79])
    assert_allclose(ends(plot.difference_by_step(Figure().subplots(), at=AT)), [17])


def test_a_part_of_a_grid_has_the_values_of_its_points():
    plot = results_of(GRID, accuracy).plot
    at = {"training.optimizer.momentum": 0.9}
    bn, brn = plot.accuracy(Figure().subplots(), at=at).containers
    assert_allclose([bn[0].get_ydata(), brn[0].get_ydata()], [[62, 60], [79, 75]])
    (pair,) = plot.difference(Figure().subplots(), at=at).containers
    assert_allclose(pair[0].get_ydata(), [17, 15])
    null = plot.accuracy(Figure().subplots(), at={"evaluation.average": None}).containers
    assert_allclose([line[0].get_ydata() for line in null], [[52, 62], [59, 79]])


def test_variants_and_their_difference_have_the_colours_of_the_runs_figures():
    plot = results_of().plot
    lines = plot.curves(Figure().subplots()).get_lines()
    pair = plot.difference(Figure().subplots(), only=("BRN", "BN")).containers
    colours = [*(line.get_color() for line in lines), pair[0][0].get_color()]
    assert list(map(to_hex, colours)) == ["#0072b2", "#d55e00", "#cc79a7"], (
        "blue, vermilion; BN - BRN comes after BRN - BN"
    )
