"""How Chainer is imported, in fresh interpreters, every warning an error."""

import sys

import pytest

from bnrenorm import _compat
from tests.helpers import fresh

pytestmark = pytest.mark.slow


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
import pathlib, importlib.util
root = pathlib.Path(importlib.util.find_spec("chainer").origin).parent
def state(): return {p: p.read_bytes() for p in root.rglob("*") if p.is_file() and p.suffix == ".py"}
before = state()
import bnrenorm, chainer
print(state() == before)
"""
    assert fresh(code).strip() == "True"


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
_compat.install()
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
    assert fresh(code, warnings="default").split("\n")[:3] == [
        "(60000, 784) (60000,) (10000, 784) (10000,)",
        "True",
        "True",
    ]
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


def test_gpus_are_counted_without_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert _compat.gpu_count() == 0


def test_an_unknown_name_is_no_lazy_import():
    with pytest.raises(AttributeError, match="no attribute 'torch'"):
        _compat.torch  # noqa: B018
