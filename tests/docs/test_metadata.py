"""What the repository says of itself: citation, package metadata, licences, continuous integration."""

import re
import tomllib

import yaml

import bnrenorm
from tests.docs import pages

PROJECT = tomllib.loads(pages.text("pyproject.toml"))["project"]
PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]
NEWEST_ONLY = PYTHONS[3:]  # newer than the oldest dependencies


def test_the_citation_is_valid_and_of_this_version():
    citation = yaml.safe_load(pages.text("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)  # what CFF 1.2.0 requires
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] in ("software", "dataset")
    assert citation["version"] == bnrenorm.__version__ == PROJECT["version"]
    assert citation["authors"] == PROJECT["authors"]
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= set(reference)
    assert "0.1.0 (unreleased)" in pages.text("CHANGELOG.md")


def test_the_package_names_the_licences_of_code_and_digits():
    assert PROJECT["license"] == "MIT AND CC-BY-SA-3.0"
    for file in PROJECT["license-files"]:
        assert (pages.ROOT / file).is_file()
    notice = pages.text("bnrenorm/data/NOTICE")
    assert "CC BY-SA 3.0" in notice
    assert "LeCun" in notice
    assert (pages.ROOT / "bnrenorm/py.typed").is_file()


def test_continuous_integration_runs_every_python_with_oldest_and_newest_dependencies():
    jobs = yaml.safe_load(pages.text(".github/workflows/ci.yml"))["jobs"]
    assert jobs["matrix"]["strategy"]["matrix"] == {
        "python": PYTHONS,
        "resolution": ["lowest-direct", "highest"],
        "exclude": [{"python": version, "resolution": "lowest-direct"} for version in NEWEST_ONLY],
    }
    assert any(step.get("run") == ".ci/run" for step in jobs["run"]["steps"])
    assert f"for version in {' '.join(PYTHONS)}" in pages.text(".ci/matrix")
    assert f'{" | ".join(NEWEST_ONLY)}) resolutions=highest ;; *) resolutions="lowest-direct highest"' in pages.text(
        ".ci/matrix"
    )
    classifiers = [c for c in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", c)]
    assert classifiers == [f"Programming Language :: Python :: {version}" for version in PYTHONS]
