"""Chainer in fresh interpreters, every warning an error."""

import subprocess
import sys

import numpy as np
import pytest

from bnrenorm import _compat

pytestmark = pytest.mark.slow


def fresh(code):
    """Run code in a new interpreter under -W error; returns what it printed."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_plain_import_of_chainer_works_and_leaves_numpy_as_it_was():
    code = """
import numpy
before = set(vars(numpy))
import bnrenorm
import chainer, chainer.links, chainer.gradient_check, chainer.testing, chainer.training.extensions
new = {name for name in set(vars(numpy)) - before if type(vars(numpy)[name]).__name__ != "module"}
print(chainer.__version__, new)
"""
    assert fresh(code).split("\n")[0] == "7.8.1 set()"


def test_no_installed_file_is_edited():
    code = """
import pathlib, importlib.util, hashlib
root = pathlib.Path(importlib.util.find_spec("chainer").origin).parent
def state(): return {p: p.read_bytes() for p in root.rglob("*") if p.is_file() and p.suffix == ".py"}
before = state()
import bnrenorm, chainer
print(state() == before)
"""
    assert fresh(code).strip() == "True"


def test_what_chainer_seldom_needs_of_scipy_is_imported_when_it_is_used():
    code = """
import sys, bnrenorm, numpy as np
import chainer, chainer.functions as F
print([name for name in ("scipy.io", "scipy.special") if name in sys.modules])
x = np.array([-1.5, 0, 0.5], np.float64)
for inverse, f in ((F.erfinv, F.erf), (F.erfcinv, F.erfc), (F.ndtri, F.ndtr)):
    print(np.allclose(inverse(f(x).array).array, x))
print(np.allclose(F.erfcx(x).array, np.exp(x * x) * F.erfc(x).array), hasattr(chainer.datasets.svhn.io, "loadmat"))
"""
    assert fresh(code).split("\n") == ["[]", "True", "True", "True", "True True", ""]


def test_a_failed_import_of_chainer_is_recovered_from():
    code = """
import sys
sys.modules["numpy.distutils"] = None  # as on Python 3.12
try:
    import chainer
except (ImportError, AttributeError):
    print("failed first")
import bnrenorm, chainer
print(chainer.datasets.get_mnist()[0][0][1])
"""
    assert fresh(code).split("\n")[:2] == ["failed first", "5"]


def test_a_chainer_that_works_already_still_gets_the_digits():
    code = """
import sys, bnrenorm
import chainer
from bnrenorm import _compat
finder = next(f for f in sys.meta_path if isinstance(f, _compat._Finder))
sys.meta_path.remove(finder)
chainer.datasets.mnist._retrieve_mnist = None  # as Chainer would have it
_compat.install(finder.retrieve)
print(chainer.datasets.get_mnist()[1][0][1])
"""
    assert fresh(code).strip() == "7"


def test_another_chainer_fails_loudly(tmp_path):
    (tmp_path / "chainer/functions/array").mkdir(parents=True)
    for folder in ("chainer", "chainer/functions", "chainer/functions/array"):
        (tmp_path / folder / "__init__.py").touch()
    (tmp_path / "chainer/functions/array/as_strided.py").write_text("pass")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import bnrenorm
try:
    import chainer.functions.array.as_strided
except ImportError as error:
    print(error)
"""
    assert "is not Chainer 7.8.1's: pip install chainer==7.8.1" in fresh(code)


def test_the_reporter_averages_in_double_precision():
    """0.1 as float32 is summed 1000 times: float32 sums are off by 1e-6 relative, float64 sums are not."""
    code = """
import bnrenorm, chainer, numpy as np
summary = chainer.reporter.Summary()
for _ in range(1000): summary.add(np.float32(0.1))
print(abs(float(summary.compute_mean()) - float(np.float32(0.1))))
"""
    assert float(fresh(code)) < 1e-12


def test_the_first_articles_code_runs_unchanged(tmp_path):
    """Written after facts about the article; all calls it makes, on fewer steps."""
    code = """
import bnrenorm
import matplotlib
matplotlib.use("Agg")
import numpy as np
import chainer
import chainer, chainer.functions as F
import chainer.links as L
from chainer import Chain, optimizers
import matplotlib.pyplot as plt

train, test = chainer.datasets.get_mnist()
xtrain, ttrain = chainer.dataset.convert.concat_examples(train)
xtest, ttest = chainer.dataset.convert.concat_examples(test)
print(xtrain.shape, ttrain.shape, xtest.shape, ttest.shape)
plt.imshow(xtrain[0].reshape(28, 28))
xtrain, ttrain, xtest, ttest = xtrain[:500], ttrain[:500], xtest[:100], ttest[:100]
classes = np.max(ttrain) + 1
for norm in (L.BatchNormalization(400), L.BatchRenormalization(400)):
    net = Chain(l1=L.Linear(784, 400), l2=L.Linear(400, classes), bnorm1=norm)
    def model(x):
        return net.l2(net.bnorm1(F.relu(net.l1(x))))
    optimizer = optimizers.MomentumSGD()
    optimizer.setup(net)
    losses = []
    for step in range(3):
        chainer.config.train = True
        net.zerograds()
        y = model(xtrain)
        loss = F.softmax_cross_entropy(y, ttrain)
        accuracy = F.accuracy(y, ttrain)
        loss.backward()
        optimizer.update()
        chainer.config.train = False
        y = model(xtest)
        losses.append(F.softmax_cross_entropy(y, ttest).data)
        F.accuracy(y, ttest)
    print(losses[-1] < losses[0])
plt.figure(figsize=(8, 6)); plt.plot(losses); plt.savefig("FILE")
""".replace("FILE", str(tmp_path / "loss.png"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:3] == ["(60000, 784) (60000,) (10000, 784) (10000,)", "True", "True"]
    assert (tmp_path / "loss.png").stat().st_size > 1000


def test_a_missing_nccl_is_no_news_to_who_imports_chainer(tmp_path):
    """CuPy warns of it when `cupy.cuda.nccl` is imported, which Chainer does for several GPUs at a time."""
    (tmp_path / "cupy/cuda").mkdir(parents=True)
    for folder in ("cupy", "cupy/cuda"):
        (tmp_path / folder / "__init__.py").touch()
    warn = "warnings.warn('\\n{} library could not be loaded.\\n\\nReason: ImportError')\n"
    source = f"import warnings\n{warn.format('nccl')}{warn.format('other')}"
    (tmp_path / "cupy/cuda/nccl.py").write_text(source)
    code = f"""
import sys, warnings
sys.path.insert(0, {str(tmp_path)!r})
import bnrenorm
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import chainer
print([str(warning.message).split()[0] for warning in caught], "cupy.cuda.nccl" in sys.modules)
"""
    assert fresh(code).strip() == "['other'] True"


@pytest.mark.gpu
def test_a_part_of_a_variable_has_its_gradient_on_a_gpu_too():
    """Chainer's own way has been deprecated since CuPy 14, and warnings are errors here."""
    import cupy

    chainer = _compat.chainer
    x = chainer.Variable(cupy.arange(6, dtype=np.float32).reshape(2, 3))
    (chainer.functions.sum(x[1, ::2] ** 2) + chainer.functions.sum(x[:, [0, 0]])).backward()
    assert (x.grad.get() == [[2, 0, 0], [8, 0, 10]]).all()


def test_gpus_are_counted_without_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert _compat.gpu_count() == 0


def test_an_unknown_name_is_no_lazy_import():
    with pytest.raises(AttributeError, match="no attribute 'torch'"):
        _compat.torch  # noqa: B018


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
