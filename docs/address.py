"""Write the repository's address into README and notebooks: python docs/address.py [NEW-ADDRESS].

The address stands in pyproject.toml, under project.urls, changed first if a new one is given. In each README it
is what `git clone` clones; in each notebook the code of the cell tagged `colab` is written anew.
"""

import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]

COLAB = """\
import sys
from importlib.util import find_spec

if "google.colab" in sys.modules and find_spec("bnrenorm") is None:
    !{sys.executable} -m pip install -q "setuptools<81" wheel
    !{sys.executable} -m pip install -q --no-build-isolation chainer==7.8.1
    !{sys.executable} -m pip install -q "git+ADDRESS\""""


def address(root: Path = ROOT) -> str:
    """Return the repository's address."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]


def filled(address: str, root: Path = ROOT) -> dict[Path, str]:
    """Return the texts of the files that name the address, with this one in them."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(root.glob("README*.md"))}
    texts = {path: _replaced(r"(git clone )\S+( bnrenorm)", text, address) for path, text in texts.items()}
    for path in sorted((root / "notebooks").rglob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if "colab" in cell["metadata"].get("tags", []):
                comment, *_ = "".join(cell["source"]).splitlines(keepends=True)  # in the notebook's language
                cell["source"] = [comment, *COLAB.replace("ADDRESS", address).splitlines(keepends=True)]
        texts[path] = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"  # as Jupyter writes it
    return texts


def main(new: str | None = None, root: Path = ROOT) -> None:
    """Change the address, if a new one is given, and write it wherever it belongs."""
    project = root / "pyproject.toml"
    if new is not None:
        text = project.read_text(encoding="utf-8")
        project.write_text(_replaced(r'(?m)^(Repository = ")[^"]*(")$', text, new), encoding="utf-8")
    for path, text in filled(address(root), root).items():
        path.write_text(text, encoding="utf-8")


def _replaced(pattern: str, text: str, address: str) -> str:
    """Replace what stands between the two groups of a pattern."""
    return re.sub(pattern, lambda match: f"{match[1]}{address}{match[2]}", text)


if __name__ == "__main__":
    main(*sys.argv[1:])
