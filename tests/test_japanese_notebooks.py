"""The Japanese notebooks are the English ones with other texts: the same cells, code, outputs, numbers and links."""

import re

import nbformat
import pytest

from notebooks.ja import outputs
from tests.docs.test_japanese import compare_numbers

NOTEBOOKS = pytest.mark.parametrize("name", sorted(path.name for path in outputs.HERE.glob("*.ipynb")))
_INLINE = re.compile(r"`([^`\n]+)`")
_FORMULA = re.compile(r"\$\$[^$]+\$\$|\$[^$\n]+\$")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def both(name):
    return [nbformat.read(folder / name, as_version=4) for folder in (outputs.HERE.parent, outputs.HERE)]


def texts(name):
    """List the pairs of texts of the markdown cells, English and Japanese."""
    cells = zip(*(notebook.cells for notebook in both(name)), strict=True)
    return [(english.source, japanese.source) for english, japanese in cells if english.cell_type == "markdown"]


@NOTEBOOKS
def test_code_and_outputs_are_those_of_the_english_notebook(name):
    english, japanese = both(name)
    assert japanese == outputs.with_outputs(nbformat.from_dict(japanese), english)


@NOTEBOOKS
def test_every_text_has_the_numbers_code_formulas_and_links_of_the_english_one(name):
    for english, japanese in texts(name):
        compare_numbers(english, japanese)
        for pattern in (_INLINE, _FORMULA):
            assert {"".join(text.split()) for text in pattern.findall(english)} == {
                "".join(text.split()) for text in pattern.findall(japanese)
            }
        assert set(_LINK.findall(english)) == set(_LINK.findall(japanese)) - {f"../{name}"}
        blocks = [[line for line in text.splitlines() if line.startswith("    ")] for text in (english, japanese)]
        assert blocks[0] == blocks[1]
        assert english.count("\n#") == japanese.count("\n#")


@NOTEBOOKS
def test_texts_and_comments_are_japanese(name):
    (_, first), *_ = texts(name)
    assert f"](../{name})" in first
    for english, japanese in texts(name):
        assert japanese != english
        assert re.search("[ぁ-んァ-ヶ]", japanese)
    for cell in both(name)[1].cells:
        if cell.cell_type == "code":
            for comment in re.findall(r"(?:^|  )# (.*)", cell.source, re.M):
                assert re.search("[ぁ-んァ-ヶ]", comment), comment


def test_other_code_is_no_translation():
    def notebook(source, name="a"):
        return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, id=name, outputs=[])])

    english = notebook('def f():\n    """Return one."""\n    return 1  # at once\n!ls')
    outputs.with_outputs(notebook('def f():\n    """1を返す。"""\n    return 1\n!ls'), english)
    for other in (notebook("def f():\n    return 2\n!ls"), notebook("def f():\n    return 1"), notebook("f", "b")):
        with pytest.raises(ValueError, match="other c"):
            outputs.with_outputs(other, english)
