"""`.ci/gpu`, by a command in place of Python that notes what it is asked for."""

import os
import re
import shutil
import subprocess

import pytest

from tests.docs.pages import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("timeout"), reason="needs GNU's coreutils, as Linux has them")

PARTS = {  # scratch: a folder that is removed in the end
    "doctor": "-m bnrenorm doctor --device cuda",
    "check": "-m benchmarks --device cuda --check --reference {scratch}/reference",
    "speed": "-m benchmarks --device cuda --seconds 30 --out {folder}",
    "compare": "-m bnrenorm compare quick --device cuda --workers 2 --out {scratch}/runs",
    "tests": "-m pytest -m gpu -vv -n 4 --ignore-glob=*notebook*",
}


@pytest.fixture
def script(tmp_path):
    """Return a function that runs it with a folder and parts, and returns its exit code and output."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "asked: $*"\ncase "$*" in *--check*) exit 3;; esac\n')
    python.chmod(0o755)
    (tmp_path / "tmp").mkdir()

    def script(*arguments):
        environment = {**os.environ, "PYTHON": str(python), "LIMIT": "40", "TMPDIR": str(tmp_path / "tmp")}
        done = subprocess.run([ROOT / ".ci/gpu", *arguments], env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout

    return script


def test_every_part_is_run_also_behind_one_that_fails(script, tmp_path):
    folder = tmp_path / "proof"
    code, out = script(folder)
    assert code == 1
    lines = iter(out.splitlines())
    for part, command in PARTS.items():
        asked = next(lines)
        scratch = re.sub(rf"{tmp_path}/tmp/tmp\.\w+", "{scratch}", asked)
        assert scratch.replace(str(folder), "{folder}") == f"asked: {command}"
        assert next(lines).startswith(f"== {part}: exit code {3 if part == 'check' else 0} after ")
        assert (folder / f"{part}.log").read_text() == f"{asked}\n"
    assert not [*(tmp_path / "tmp").iterdir()]


def test_parts_can_be_chosen(script, tmp_path):
    assert script(tmp_path, "tests", "doctor")[0] == 0
    assert sorted(path.stem for path in tmp_path.glob("*.log")) == ["doctor", "tests"]
    assert script(tmp_path, "test") == (2, "test: expected doctor, check, speed, compare or tests\n")
