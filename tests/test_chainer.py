"""`python -m bnrenorm.chainer`: a script sees what `python SCRIPT` shows it, and a Chainer that works."""

import multiprocessing
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

SEEN = """
'''A docstring.'''
import os, pickle, sys
class Own: pass
print(__name__, __file__, __doc__, __spec__, __package__, sys.argv, sys.path[0])
print(sys.modules["__main__"].Own is Own, isinstance(pickle.loads(pickle.dumps(Own())), Own), (lambda: 0).__code__.co_filename)
import helper
print(helper.__file__, "annotations" in globals())
"""


def run(*command, cwd, **variables):
    environment = {**os.environ, **variables}
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=cwd, env=environment)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def script(tmp_path):
    """Return the relative path of a script with a module beside it, and write it anew from a text."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "helper.py").touch()
    (tmp_path / "link.py").symlink_to("folder/script.py")

    def write(text):
        (tmp_path / "folder" / "script.py").write_text(text, encoding="utf-8")
        return "folder/script.py"

    return write


def both(script, *arguments, cwd, **variables):
    """Return what Python does with a script, and what the runner does."""
    return tuple(run(*way, script, *arguments, cwd=cwd, **variables) for way in ((), ("-m", "bnrenorm.chainer")))


@pytest.mark.parametrize("name", ["folder/script.py", "link.py"])
def test_a_script_sees_what_python_shows_it(script, tmp_path, name):
    script(SEEN)
    python, runner = both(name, "--epoch", "1", "-m", "x y", cwd=tmp_path)
    assert python[0] == 0, python
    assert runner == python


def test_without_paths_of_the_users_none_is_added(script, tmp_path):
    python, runner = both(script("import sys; print(sys.path)"), cwd=tmp_path, PYTHONSAFEPATH="1")
    assert runner == python


@pytest.mark.parametrize(
    "text",
    [
        "import sys; sys.exit(3)",
        "raise SystemExit('a message')",
        "import atexit; atexit.register(print, 'bye'); x = 1",
        "# coding: latin-1\nprint(1)",
    ],
)
def test_the_exit_code_is_the_scripts(script, tmp_path, text):
    python, runner = both(script(text), cwd=tmp_path)
    assert runner == python


@pytest.mark.parametrize("text", ["def f():\n    1 / 0\nf()", "x = = 1"])
def test_an_error_is_the_scripts(script, tmp_path, text):
    python, runner = both(script(text), cwd=tmp_path)
    assert runner[0] == python[0] == 1
    assert runner[2].splitlines()[-3:] == python[2].splitlines()[-3:]


def test_a_missing_script_is_one_line(tmp_path):
    code, _, error = run("-m", "bnrenorm.chainer", "none.py", cwd=tmp_path)
    assert (code, error.count("\n")) == (2, 1)
    assert f"can't open file '{tmp_path}/none.py': No such file" in error
    usage = "usage: python -m bnrenorm.chainer SCRIPT [ARGUMENTS]\n"
    assert run("-m", "bnrenorm.chainer", cwd=tmp_path) == (2, "", usage)
    assert run("-m", "bnrenorm.chainer", "--help", cwd=tmp_path) == (0, usage, "")


TRAIN = """
import argparse
import chainer
import chainer.functions as F
import chainer.links as L
from chainer import training
from chainer.training import extensions

parser = argparse.ArgumentParser()
parser.add_argument("--epoch", type=int)
parser.add_argument("--out")
args = parser.parse_args()
model = L.Classifier(chainer.Sequential(L.Linear(None, 10), L.BatchNormalization(10), F.relu, L.Linear(None, 10)))
optimizer = chainer.optimizers.Adam()
optimizer.setup(model)
train, test = chainer.datasets.get_mnist()
train_iter = chainer.iterators.SerialIterator(train[:200], 50)
test_iter = chainer.iterators.SerialIterator(test[:100], 50, repeat=False, shuffle=False)
trainer = training.Trainer(training.updaters.StandardUpdater(train_iter, optimizer), (args.epoch, "epoch"), out=args.out)
trainer.extend(extensions.Evaluator(test_iter, model))
trainer.extend(extensions.snapshot())
trainer.extend(extensions.LogReport())
trainer.extend(extensions.PrintReport(["epoch", "main/loss", "validation/main/accuracy"]))
trainer.run()
print(chainer.__name__, chainer.__version__)
"""


def test_a_trainer_of_chainers_examples_runs_unchanged(script, tmp_path):
    code, out, error = run("-m", "bnrenorm.chainer", script(TRAIN), "--epoch", "2", "--out", "result", cwd=tmp_path)
    assert code == 0, error
    assert out.splitlines()[-1] == "chainer 7.8.1"
    assert (tmp_path / "result" / "log").exists()


WORKER = """
import multiprocessing
import chainer

def work():
    print(chainer.__version__)

if __name__ == "__main__":
    process = multiprocessing.get_context("forkserver").Process(target=work)
    process.start()
    process.join()
    raise SystemExit(process.exitcode)
"""


@pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="no forkserver here")
def test_processes_that_python_starts_by_default_import_chainer_too(script, tmp_path):
    assert run("-m", "bnrenorm.chainer", script(WORKER), cwd=tmp_path) == (0, "7.8.1\n", "")
