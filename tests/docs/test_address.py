"""The repository's address stands in pyproject.toml, and everywhere else as it stands there."""

import shutil

from docs import address
from tests.docs import pages

UNKNOWN = "ADDRESS-OF-THIS-REPOSITORY"


def test_readme_and_notebooks_have_the_address_of_the_project():
    texts = address.filled(address.address())
    assert len(texts) >= 5
    for path, text in texts.items():
        assert path.read_text(encoding="utf-8") == text, f"{pages.name(path)}: make address"


def test_a_new_address_is_written_everywhere(tmp_path):
    for path in (address.ROOT / "pyproject.toml", *address.filled("")):
        copy = tmp_path / path.relative_to(address.ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    address.main("https://git.example/bnrenorm.git", tmp_path)
    assert address.address(tmp_path) == "https://git.example/bnrenorm.git"
    names = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(names) >= 6
    for path in names:
        text = path.read_text(encoding="utf-8")
        assert UNKNOWN not in text
        assert text.count("https://git.example/bnrenorm.git") == 1
    before = {path: path.read_bytes() for path in names}
    address.main(root=tmp_path)
    assert {path: path.read_bytes() for path in names} == before
