"""Images of bytes for tensor cores: what they are, and the formulas of products with them, in exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cuda import pixels
from bnrenorm.engines.cuda.first_layer import Floats, Pixels, shared, thirds
from bnrenorm.engines.cuda.parameters import Tensor
from bnrenorm.engines.cuda.pixels import runs_of
from bnrenorm.engines.cuda.reference import Reference
from bnrenorm.engines.spec import SGD
from tests.engines.cuda.kernels.cases import Inputs, context_of, kernel_spec

BYTES = (np.arange(256) / 255).astype(np.float32)


def of_bytes(rng, *shape):
    return BYTES[rng.integers(0, 256, shape)]


BELOW = np.nextafter(BYTES, np.float32(0))
"""The numbers below them, which are taken for the same bytes."""


def test_bytes_are_known_by_their_values(monkeypatch):
    """Divided by 255, or multiplied by its float32 reciprocal."""
    other = np.arange(256, dtype=np.float32) * np.float32(1 / 255)
    assert (other != BYTES).any()
    monkeypatch.setattr(pixels, "_ROWS", 3)
    assert pixels.are_bytes(np, BYTES.reshape(16, 16))
    assert pixels.are_bytes(np, other.reshape(16, 16))
    assert pixels.are_bytes(np, np.array([[0, 1]], np.float32))
    assert pixels.are_bytes(np, BELOW.reshape(16, 16))


def test_bytes_become_whole_numbers_whatever_their_rounding():
    """255 times their value may be less, and the bits behind those of bfloat16 are cut off."""
    index, taken = np.arange(16)[None], []
    for values in (BYTES, BELOW):
        images, tiles = values.reshape(16, 16), [np.empty((1, 1, 16, 16), np.uint16) for _ in range(2)]
        Reference().pack(images, index, *tiles)
        taken.append([pixels.repeated(np, images), *tiles])
    for exact, below in zip(*taken, strict=True):
        assert (exact == below).all()


@pytest.mark.parametrize("value", [0.5, 256 / 255, -1 / 255, np.nan, np.inf, 1 / 255 + 1e-8, 1e-7, -1e-7])
def test_other_values_are_no_bytes(monkeypatch, value):
    monkeypatch.setattr(pixels, "_ROWS", 3)
    images = BYTES.reshape(16, 16).copy()
    images[13, 5] = value
    with np.errstate(invalid="ignore"):
        assert not pixels.are_bytes(np, images)


@pytest.mark.parametrize(("width", "length"), [(1, 8), (8, 8), (63, 64), (784, 784)])
def test_rows_are_filled_up_to_sixteen_bytes(width, length):
    assert pixels.padded(width) == length
    assert pixels.bytes_of(width) == 6 * length == thirds(np, 1, width).nbytes


def test_a_row_of_pixels_stands_three_times(monkeypatch, rng):
    monkeypatch.setattr(pixels, "_ROWS", 3)
    images = of_bytes(rng, 7, 13)
    x = pixels.repeated(np, images)
    assert (x.shape, x.dtype) == ((7, 3, 16), np.uint16)
    for part in range(3):
        assert_allclose(pixels.numbers(x[:, part, :13]) / 255, images, rtol=1e-7)
    assert not x[..., 13:].any()
    assert (pixels.numbers(x) == np.rint(pixels.numbers(x))).all()


def test_thirds_sum_to_the_number_exactly(rng):
    """And are bfloat16 numbers of the same sign, of 8 bits each."""
    values = (rng.standard_normal((1, 40, 25)) * 10.0 ** rng.integers(-25, 25, (1, 40, 25))).astype(np.float32)
    values[0, 0, :3] = 0, 1, -255
    parts = np.full((1, 40, 3, 32), 77, np.uint16)
    Reference().split(values, parts)
    low, middle, high = (pixels.numbers(parts[:, :, part, :25]) for part in range(3))
    for value, *three in zip(*(array.ravel().tolist() for array in (values, low, middle, high)), strict=True):
        assert sum(map(Fraction, three)) == Fraction(value)
    assert (abs(low) <= abs(middle)).all()
    assert (abs(middle) <= abs(high)).all()
    assert not parts[..., 25:].any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_so(value):
    parts = np.zeros((1, 1, 3, 8), np.uint16)
    with np.errstate(invalid="ignore"):
        Reference().split(np.full((1, 1, 1), value, np.float32), parts)
        assert not np.isfinite(pixels.numbers(parts).sum())


@pytest.mark.parametrize(
    ("seed_of", "runs"),
    [
        ([0], [(0, 0, slice(0, 1))]),
        ([0, 0, 2, 2, 2, 0], [(0, 0, slice(0, 2)), (2, 0, slice(2, 5)), (0, 0, slice(5, 6))]),
        ([0, 1, 2, 0, 1, 2], [(0, 1, slice(0, 3)), (0, 1, slice(3, 6))]),
        ([0, 1, 1, 2], [(0, 1, slice(0, 2)), (1, 1, slice(2, 4))]),
        ([3, 1], [(3, 0, slice(0, 1)), (1, 0, slice(1, 2))]),
    ],
)
def test_replicas_side_by_side_of_one_seed_or_of_seeds_in_order_are_a_run(seed_of, runs):
    assert runs_of(np.array(seed_of)) == runs


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_products_are_those_of_the_images(rng, kind):
    """Of shared images, and of seeds', in the order of their replicas."""
    w = rng.standard_normal((3, 5, 13)).astype(np.float32)
    images = of_bytes(rng, 2, 7, 13)
    want = np.empty((3, 7, 5))
    for x, runs, seeds in (
        (images, runs_of(np.array([1, 1, 0])), [1, 1, 0]),
        (images, runs_of(np.array([0, 1, 0])), [0, 1, 0]),
        (images[:1], [(0, 0, slice(0, 3))], [0, 0, 0]),
    ):
        own = pixels.repeated(np, x.reshape(-1, 13)).reshape(len(x), 7, 3, -1)
        out = np.empty((3, 7, 5), kind)
        Pixels(own, runs, thirds(np, *w.shape)).multiply(Reference(), w, out)
        want = np.einsum("rnd,rkd->rnk", images[seeds].astype(float), w.astype(float))
        assert_allclose(out, want, rtol=1e-5, atol=1e-5)


def test_images_of_all_replicas_are_taken_as_they_come(rng):
    images, w = of_bytes(rng, 7, 13), rng.standard_normal((3, 5, 13)).astype(np.float32)
    results = []
    for x in (images, pixels.repeated(np, images)):
        first, out = shared(Reference(), x, 3, 5), np.empty((3, 7, 5), np.float32)
        first.multiply(Reference(), w, out)
        results.append((type(first), out))
    assert [kind for kind, _ in results] == [Floats, Pixels]
    assert_allclose(results[0][1], results[1][1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("n", [1, 16, 21])
def test_a_sweep_is_a_step_and_a_product(rng, n, learns, goes_on):
    make = Inputs(np.float64)
    images, index = of_bytes(rng, 50, 32), rng.integers(0, 50, (2, 2, n))
    rows = -(-n // 16) * 16
    tiles = [np.full((2, 2, rows, 16), 77, np.uint16), np.full((2, 2, 16, rows), 77, np.uint16)]
    following = [tile.copy() for tile in tiles]
    Reference().pack(images, index[0], *tiles)
    Reference().pack(images, index[1], *following)
    seed_of, before, g = np.array([1, 0, 1]), rng.standard_normal((3, 5, 32)), rng.standard_normal((3, n, 5))
    w, out, schedule = before.copy(), np.full((3, n, 5), 7.0), make.schedule(3)
    context = context_of(kernel_spec(optimizer=SGD), make.hyper(3) * 0, schedule, seed_of)
    current, behind = tiles[1] if learns else None, following[0] if goes_on else None
    Reference().sweep(current, behind, context, g, Tensor(w, None, None, None), out)
    for r, seed in enumerate(seed_of):
        step = schedule[r, 2] * g[r].T @ images[index[0, seed]].astype(float)
        want = before[r] - step if learns else before[r]
        assert_allclose(w[r], want, rtol=1e-6, atol=1e-6)
        product = images[index[1, seed]].astype(float) @ want.T
        assert_allclose(out[r], product if goes_on else np.full((n, 5), 7.0), rtol=1e-6, atol=1e-6)
