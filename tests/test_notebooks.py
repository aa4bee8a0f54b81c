"""Every notebook runs from top to bottom, in a quick form: small numbers in the cell tagged `parameters`."""

import re
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient

from tests.helpers import save_digits

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
QUICK = {
    "01_bn_and_brn": "STEPS = 4\nTRAIN_IMAGES = 500",
    "02_regularisation": "SEEDS = 2\nVALIDATION = 100\nSHORTER = {'training__steps': 10, 'data__path': {path!r}}",
    "03_where_renormalisation_matters": "SEEDS = 2\nSHORTER = {'training__steps': 10, 'data__path': {path!r}}",
    "04_in_your_own_trainer": "EPOCHS = 2\nIMAGES = 200\nTEST_IMAGES = 100\nBATCH = 10",
}

# What the cells show is drawn; of what their runs leave in folders, which takes seconds, only what a cell reads.
FEWER_PICTURES = """
from bnrenorm.analysis import outputs
from bnrenorm.analysis.report import write


def fewer(*run, all_of_them=outputs.figures):
    return {name: draw for name, draw in all_of_them(*run).items() if name == "curves"}


outputs.figures, write.write = fewer, lambda results: []
"""


def finds_no_difference(text):
    assert "rmax 1  dmax 0" in text
    assert float(re.search(r"largest difference of any value at any step: (\S+)", text)[1]) < 1e-5


def compares_at_every_point(text):
    assert len(re.findall(r"^\d+ - BRN - BN = .*inconclusive: 2 paired seeds", text, re.M)) == 6 + 4 + 4
    assert len(re.findall(r"^mean_only - (none|BN|BRN) = ", text, re.M)) == 3


def compares_published_rows_with_ours(text):
    counts = re.findall(r"^(l1|l2|normalisation|dropout): of (\d+) published rows", text, re.M)
    assert dict(counts) == {"l1": "7", "l2": "7", "normalisation": "12", "dropout": "36"}
    assert len(re.findall(r"BN(?:\(n\))? - N = ", text)) == 6


def resumes_with_the_same_bits(text):
    assert "goes on from step 20 with r_max 1.66667 and d_max 1.66667" in text
    assert re.findall(r"largest difference after the resume: (\S+)", text) == ["0.0", "0.0"]


SAYS = {
    "01_bn_and_brn": finds_no_difference,
    "02_regularisation": compares_published_rows_with_ours,
    "03_where_renormalisation_matters": compares_at_every_point,
    "04_in_your_own_trainer": resumes_with_the_same_bits,
}


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # nbclient warns itself; warnings of a cell are in its output
@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_it_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    parameters.source = QUICK[path.stem].replace("{path!r}", repr(str(save_digits(tmp_path / "few.npz", 600, 100))))
    parameters.source += f"\n{FEWER_PICTURES}"
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    SAYS[path.stem]("".join(output.get("text", "") for output in outputs))


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_it_is_stored_with_the_outputs_of_a_full_run(path):
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]


@pytest.mark.parametrize("is_installed", [False, True])
@pytest.mark.parametrize("is_colab", [False, True])
@pytest.mark.parametrize("path", sorted(NOTEBOOKS.rglob("*.ipynb")), ids=lambda path: path.stem)
def test_its_first_cell_installs_in_colab_once_and_does_nothing_elsewhere(path, is_colab, is_installed, monkeypatch):
    cell = next(cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    assert cell.metadata.tags == ["colab"]
    assert not cell.outputs
    commands = []

    class Shell:
        def system(self, command):
            commands.append(command)

    if is_colab:
        monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if is_installed else None)
    exec(TransformerManager().transform_cell(cell.source), {"get_ipython": Shell})
    if not is_colab or is_installed:
        assert commands == []
        return
    *chainers, ours = commands
    assert all(command.startswith("{sys.executable} -m pip install -q ") for command in commands)
    assert "chainer==7.8.1" in chainers[-1]
    assert "git+" in ours
