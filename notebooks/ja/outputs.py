"""Copy the English notebooks' outputs into the Japanese ones, whose code is the same. `make notebooks` runs it."""

import ast
from pathlib import Path
from typing import Any

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

HERE = Path(__file__).parent


def code(cell: Any) -> str:
    """Return the code of a cell without comments and docstrings, with Jupyter's own commands as calls."""
    tree = ast.parse(TransformerManager().transform_cell(cell.source))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.unparse(tree)


def with_outputs(japanese: Any, english: Any) -> Any:
    """Return the Japanese notebook with the outputs of the English one; raises ValueError where their cells differ."""
    if [(cell.id, cell.cell_type) for cell in japanese.cells] != [(cell.id, cell.cell_type) for cell in english.cells]:
        raise ValueError("the notebooks have other cells")
    for cell, source in zip(japanese.cells, english.cells, strict=True):
        if cell.cell_type == "code":
            if code(cell) != code(source):
                raise ValueError(f"cell {cell.id} has other code")
            cell.outputs, cell.execution_count = source.outputs, source.execution_count
        cell.metadata = source.metadata
    japanese.metadata = english.metadata
    return japanese


def main() -> None:
    """Rewrite every Japanese notebook."""
    for path in sorted(HERE.glob("*.ipynb")):
        english = nbformat.read(HERE.parent / path.name, as_version=4)
        nbformat.write(with_outputs(nbformat.read(path, as_version=4), english), path)


if __name__ == "__main__":
    main()
