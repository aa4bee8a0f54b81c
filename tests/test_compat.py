"""Chainer in fresh interpreters, every warning an error."""

import subprocess
import sys

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


def test_gpus_are_counted_without_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert _compat.gpu_count() == 0


def test_an_unknown_name_is_no_lazy_import():
    with pytest.raises(AttributeError, match="no attribute 'torch'"):
        _compat.torch  # noqa: B018
