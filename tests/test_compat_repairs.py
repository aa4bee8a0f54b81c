"""What is repaired in Chainer: on today's NumPy, SciPy and CuPy its functions do what they were written for."""

import numpy as np
import pytest

from bnrenorm import _compat
from tests.helpers import fresh

pytestmark = pytest.mark.slow


def test_what_chainer_seldom_needs_of_scipy_is_imported_when_it_is_used():
    code = """
import sys, bnrenorm, numpy as np
import chainer, chainer.functions as F
print([name for name in ("scipy.io", "scipy.special") if name in sys.modules])
x = np.array([-1.5, 0, 0.5], np.float64)
for inverse, f in ((F.erfinv, F.erf), (F.erfcinv, F.erfc), (F.ndtri, F.ndtr)):
    print(np.allclose(inverse(f(x).array).array, x))
print(np.allclose(F.erfcx(x).array, np.exp(x * x) * F.erfc(x).array), hasattr(chainer.datasets.svhn.scipy.io, "loadmat"))
"""
    assert fresh(code).split("\n") == ["[]", "True", "True", "True", "True True", ""]


def test_the_reporter_averages_in_double_precision():
    """0.1 as float32 is summed 1000 times: float32 sums are off by 1e-6 relative, float64 sums are not."""
    code = """
import bnrenorm, chainer, numpy as np
summary = chainer.reporter.Summary()
for _ in range(1000): summary.add(np.float32(0.1))
print(abs(float(summary.compute_mean()) - float(np.float32(0.1))))
"""
    assert float(fresh(code)) < 1e-12


@pytest.mark.gpu
def test_a_part_of_a_variable_has_its_gradient_on_a_gpu_too():
    """Chainer's own way has been deprecated since CuPy 14, and warnings are errors here."""
    import cupy

    chainer = _compat.chainer
    x = chainer.Variable(cupy.arange(6, dtype=np.float32).reshape(2, 3))
    (chainer.functions.sum(x[1, ::2] ** 2) + chainer.functions.sum(x[:, [0, 0]])).backward()
    assert (x.grad.get() == [[2, 0, 0], [8, 0, 10]]).all()


NUMBERS_OF_NUMPY = """
import bnrenorm, numpy as np
import chainer, chainer.functions as F, chainer.links as L
x, images = np.linspace(.5, 2, 24, dtype="f").reshape(4, 6), np.linspace(.5, 2, 48, dtype="f").reshape(4, 3, 2, 2)
one, mean = np.ones(6, "f"), np.zeros(6, "f")
number = lambda value: TYPE(value)
calls = {
    "L.BatchRenormalization": (x, lambda v: L.BatchRenormalization(6, rmax=number(3), dmax=number(5))(v)),
    "F.batch_renormalization": (x, lambda v: F.batch_renormalization(
        v, one, mean, number(3), number(5), number(1), running_mean=mean.copy(), running_var=one.copy())),
    "L.BatchNormalization": (x, lambda v: L.BatchNormalization(6, eps=number(1))(v)),
    "L.LayerNormalization": (x, lambda v: L.LayerNormalization(6, eps=number(1))(v)),
    "L.GroupNormalization": (images, lambda v: L.GroupNormalization(3, eps=number(1))(v)),
    "F.local_response_normalization": (images, lambda v: F.local_response_normalization(
        v, 3, number(2), number(1), number(1))),
    "F.normalize": (x, lambda v: F.normalize(v, eps=number(1))),
    "F.leaky_relu": (x, lambda v: F.leaky_relu(v, number(1))),
    "F.clip": (x, lambda v: F.clip(v, number(0), number(1))),
    "F.huber_loss": (x, lambda v: F.huber_loss(v, 0 * x, number(1))),
    "times": (x, lambda v: number(3) * v ** number(2) / number(2)),
}
for name, (data, call) in calls.items():
    v = chainer.Variable(data)
    y = call(v)
    y.grad = np.ones_like(y.array)
    y.backward()
    print(name, y.dtype == v.grad.dtype == np.float32)
"""


@pytest.mark.parametrize("kind", ["np.float64", "np.int64", "np.float32", "float"])
def test_numbers_of_numpy_leave_float32_as_it_is(kind):
    lines = fresh(NUMBERS_OF_NUMPY.replace("TYPE", kind)).splitlines()
    assert len(lines) == 11
    assert {line.split()[1] for line in lines} == {"True"}, lines


REPAIRED = {
    "resize_images": """
x = np.arange(16, dtype="f").reshape(1, 1, 4, 4)
for mode, corners, corner in (("bilinear", True, 15), ("bilinear", False, 12.5), ("nearest", False, 10)):
    v = chainer.Variable(x)
    y = F.resize_images(v, (2, 2), mode=mode, align_corners=corners)
    F.sum(y).backward()
    assert y.array[0, 0, 1, 1] == corner and v.grad.sum() == 4, (mode, corners, y)
""",
    "Categorical.log_prob": """
p = np.array([[.25, .75], [.5, .5]], "f")
assert np.allclose(chainer.distributions.Categorical(p=p).log_prob(np.array([1, 0])).array, np.log([.75, .5]))
""",
    "concat_examples": """
x, t = chainer.dataset.concat_examples([(np.ones(2, "f"), 1), (np.ones(3, "f"), 2)], padding=-1)
assert (x == [[1, 1, -1], [1, 1, 1]]).all() and (t == [1, 2]).all()
""",
    "Maxout": """
def fill(array):
    array[...] = np.arange(array.size).reshape(array.shape)
link = L.Maxout(3, 2, 4, initialW=fill, initial_bias=fill)
assert (link.linear.W.array == np.arange(24).reshape(8, 3)).all() and (link.linear.b.array == np.arange(8)).all()
assert link(np.ones((5, 3), "f")).shape == (5, 2)
""",
}


@pytest.mark.parametrize("name", REPAIRED)
def test_what_numpy_2_broke_works(name):
    fresh(f"import bnrenorm, numpy as np\nimport chainer, chainer.functions as F, chainer.links as L\n{REPAIRED[name]}")
