"""kernels/norm.cu against NumPy's formulas in float64."""

import numpy as np
import pytest

from bnrenorm.engines.cuda.operands import Normalised
from bnrenorm.engines.cuda.pixels import PARTS, numbers, padded
from bnrenorm.engines.cuda.rows import Mode, divide
from bnrenorm.engines.spec import BATCH, FIXED, LAYER, NODE, NONE, SHARED, Hyperparams
from tests.engines.cuda.kernels.cases import DTYPES, SIZES, Inputs, compare, context_of, kernel_spec, mapped, on_device

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.parametrize("dtype", DTYPES),
]
BY_SIZE = pytest.mark.parametrize(("replicas", "n", "width", "group"), SIZES)
BY_NORM = pytest.mark.parametrize("norm", [BATCH, LAYER])
BY_ORDER = pytest.mark.parametrize("norm_first", [0, 1])
BY_AFFINE = pytest.mark.parametrize("affine", [NODE, SHARED, FIXED])
BY_DROPOUT = pytest.mark.parametrize("drops", [False, True])


@BY_SIZE
@pytest.mark.parametrize(("relu", "factor", "moments"), [(True, False, True), (False, True, True), (True, True, False)])
def test_enter(dtype, replicas, n, width, group, relu, factor, moments):
    """Far from 0, where the moments must be of two passes."""
    make, rows = Inputs(dtype), divide(n, group)
    partial = make.poisoned(replicas, rows.total, 2, width) if moments else None
    factors = make.uniform(0.5, 1, replicas) if factor else None
    z, bias = make.normal(replicas, n, width), make.normal(replicas, width, mean=0 if relu else 100)
    compare(dtype, "enter", z, bias, rows, relu=relu, factor=factors, partial=partial)


@BY_SIZE
@pytest.mark.parametrize("track_std", [0, 1])
@pytest.mark.parametrize("mode", Mode)
def test_statistics(dtype, replicas, n, width, group, mode, track_std):
    make, rows = Inputs(dtype), divide(n, group)
    partial = make.normal(replicas, rows.total, 2, width, mean=3)
    partial[:, :, 1] = n * make.uniform(0.5, 2, replicas, rows.total, width)
    run = make.normal(replicas, width), make.uniform(0.5, 2, replicas, width)
    stats = make.poisoned(replicas, rows.groups, 6, width)
    moments = None if mode == Mode.RUNNING else partial
    context = context_of(kernel_spec(track_std=track_std), make.hyper(replicas), make.schedule(replicas))
    compare(dtype, "statistics", moments, rows, mode, context, run, stats)


@BY_SIZE
def test_row_moments(dtype, replicas, n, width, group):
    """Each replica has its own eps, large enough to be seen beside the mean."""
    make = Inputs(dtype)
    a, hyper = make.normal(replicas, n, width, mean=50), make.hyper(replicas)
    hyper[:, Hyperparams._fields.index("eps")] = [0.1, 1, 3][:replicas]
    compare(dtype, "row_moments", a, hyper, make.poisoned(replicas, n, 2))


@BY_SIZE
@BY_AFFINE
@BY_ORDER
@pytest.mark.parametrize(("norm", "dropout"), [(BATCH, ""), (BATCH, "mask"), (LAYER, "fraction"), (LAYER, "mask"), (NONE, "mask")])  # fmt: skip
def test_normalise(dtype, replicas, n, width, group, norm, affine, norm_first, dropout):
    make, rows = Inputs(dtype), divide(n, group)
    a, y = make.normal(replicas, n, width), make.poisoned(replicas, n, width)
    stats = make.stats(replicas, rows.groups, width) if norm == BATCH else None
    row_stats = make.row_stats(replicas, n) if norm == LAYER else None
    mask = make.mask(replicas, width) if dropout == "mask" else None
    fraction = make.uniform(0.2, 1, replicas) if dropout == "fraction" else None
    spec, pair = kernel_spec(norm, affine, norm_first), make.affine(affine, replicas, width)
    compare(dtype, "normalise", Normalised(spec, rows, a, stats, row_stats, pair, mask), fraction, y)


def passed(make, replicas, rows, width, spec, drops):
    """Return a layer after a forward pass, the gradient of its output, and the output; a ReLU made some of them 0."""
    g, y, a = (make.normal(replicas, rows.n, width) for _ in range(3))
    for array in (y, a):
        array *= make.random.random(array.shape) < 0.7
    stats = make.stats(replicas, rows.groups, width) if spec.norm == BATCH else None
    row_stats = make.row_stats(replicas, rows.n) if spec.norm == LAYER else None
    mask = make.mask(replicas, width) if drops else None
    return Normalised(spec, rows, a, stats, row_stats, make.affine(spec.affine, replicas, width), mask), g, y


@BY_SIZE
@BY_NORM
@BY_ORDER
@BY_DROPOUT
def test_upstream_sums(dtype, replicas, n, width, group, norm, norm_first, drops):
    make, rows = Inputs(dtype), divide(n, group)
    layer, g, y = passed(make, replicas, rows, width, kernel_spec(norm, norm_first=norm_first), drops)
    compare(dtype, "upstream_sums", layer, g, y, make.poisoned(replicas, rows.total, 2, width))


@BY_SIZE
@BY_NORM
@BY_AFFINE
def test_coefficients(dtype, replicas, n, width, group, norm, affine):
    make, rows = Inputs(dtype), divide(n, group)
    layer, *_ = passed(make, replicas, rows, width, kernel_spec(norm, affine), False)
    partial = make.normal(replicas, rows.total, 2, width)
    coef = make.poisoned(replicas, rows.groups, 3, width) if norm == BATCH else None
    gradients = make.poisoned(replicas, width), make.poisoned(replicas, width)
    compare(dtype, "coefficients", layer, partial, coef, gradients)


@BY_SIZE
@BY_AFFINE
@BY_ORDER
@BY_DROPOUT
def test_row_gradients(dtype, replicas, n, width, group, affine, norm_first, drops):
    make, rows = Inputs(dtype), divide(n, group)
    layer, g, y = passed(make, replicas, rows, width, kernel_spec(LAYER, affine, norm_first), drops)
    compare(dtype, "row_gradients", layer, g, y, make.poisoned(replicas, n, 2))


@BY_SIZE
@pytest.mark.parametrize(("norm", "affine"), [(BATCH, NODE), (LAYER, NODE), (LAYER, SHARED), (LAYER, FIXED), (NONE, FIXED)])  # fmt: skip
@BY_ORDER
@BY_DROPOUT
def test_to_linear(dtype, replicas, n, width, group, norm, affine, norm_first, drops):
    make, rows = Inputs(dtype), divide(n, group)
    layer, g, y = passed(make, replicas, rows, width, kernel_spec(norm, affine, norm_first), drops)
    coef = make.normal(replicas, rows.groups, 3, width) if norm == BATCH else None
    row_sums = make.normal(replicas, n, 2) if norm == LAYER else None
    partial, rates = make.poisoned(replicas, rows.total, width), make.schedule(replicas) if drops else None
    compare(dtype, "to_linear", layer, g, y, coef, row_sums, partial, rates)


@BY_SIZE
def test_to_linear_in_thirds(dtype, replicas, n, width, group):
    """What is written are the thirds of what is written otherwise."""
    from bnrenorm.engines.cuda.launches import Launches

    make, rows, ops = Inputs(dtype), divide(n, group), Launches(dtype)
    layer, g, y = passed(make, replicas, rows, width, kernel_spec(norm_first=1), False)
    layer, y, coef = mapped((layer, y, make.normal(replicas, rows.groups, 3, width)), on_device)
    both = [on_device(g) for _ in range(2)]
    sums = [on_device(make.poisoned(replicas, rows.total, width)) for _ in range(2)]
    sent = on_device(np.full((replicas, n, PARTS, padded(width)), 0x7FFF, np.uint16))
    for out, partial, thirds in zip(both, sums, (None, sent), strict=True):
        ops.to_linear(layer, out, y, coef, None, partial, parts=thirds)
    assert (both[1].get() == g).all()
    assert (sums[0].get() == sums[1].get()).all()
    got = numbers(sent.get()[..., :width]).astype(np.float64).sum(axis=2)
    assert (got == both[0].get().astype(np.float32)).all()


@BY_SIZE
def test_column_sums(dtype, replicas, n, width, group):
    make, rows = Inputs(dtype), divide(n, group)
    g = make.normal(replicas, n, width)
    compare(dtype, "column_sums", g, rows, make.poisoned(replicas, rows.total, width))


def test_not_a_number_stays_one_and_in_its_replica(dtype):
    """A replica that diverges must be seen to; a ReLU and the limits of r and d could hide it."""
    from bnrenorm.engines.cuda.launches import Launches

    make, rows, ops = Inputs(dtype), divide(5), Launches(dtype)
    z = make.normal(2, 5, 40)
    z[0] = np.nan
    z, bias, hyper, schedule, partial, stats, y = map(
        on_device,
        (z, make.normal(2, 40), make.hyper(2), make.schedule(2), make.poisoned(2, 1, 2, 40), make.poisoned(2, 1, 6, 40),
         make.poisoned(2, 5, 40)),
    )  # fmt: skip
    run = on_device(make.normal(2, 40)), on_device(make.uniform(1, 2, 2, 40))
    spec = kernel_spec(affine=FIXED, norm_first=1)
    ops.enter(z, bias, rows, relu=True, partial=partial)
    ops.statistics(partial, rows, Mode.TRAINING, context_of(spec, hyper, schedule), run, stats)
    ops.normalise(Normalised(spec, rows, z, stats, None, (None, None), None), None, y)
    for array in (z, y, stats[:, :, :4], *run):
        assert np.isnan(array[0].get()).all()
        assert np.isfinite(array[1].get()).all()


@BY_SIZE
def test_diagnose(dtype, replicas, n, width, group):
    """With limits that clip some nodes, and more or fewer values than a power of two."""
    make, rows = Inputs(dtype), divide(n, group)
    stats, values = make.stats(replicas, rows.groups, width), np.full((replicas, 12), np.nan)
    compare(dtype, "diagnose", stats, make.schedule(replicas), values)
