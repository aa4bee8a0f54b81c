"""`bnrenorm list`, and the completion of configs in a shell."""

import os
import subprocess
import sys

import pytest

from bnrenorm import config
from bnrenorm.cli import listing
from bnrenorm.config import header


def test_list_shows_every_config_with_question_answer_seeds_and_time(call):
    code, out, _ = call("list")
    assert code == 0
    blocks = [block.splitlines() for block in out.split("\n\n")]
    assert [block[0].split(":")[0] for block in blocks] == list(config.shipped())
    for (name, path), (first, *rest) in zip(config.shipped().items(), blocks, strict=True):
        about, seeds = header.read(path.read_text(encoding="utf-8")), len(config.load(name).seeds)
        assert first == f"{name}: {seeds} seed{'s' * (seeds != 1)}, {about.time}"
        assert [line.strip().lower() for line in rest] == [about.question.lower(), about.expected.lower()]


@pytest.mark.parametrize(
    ("incomplete", "names"),
    [("comp", ["compare"]), ("article2/l", ["article2/l1", "article2/l2", "article2/learning_rate_range"]), ("x", [])],
)
def test_configs_are_completed(incomplete, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert listing.complete(incomplete) == names


def test_files_are_completed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mine.yaml", "mine.txt", "more/a.yaml", "[m].yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert listing.complete("m") == ["micro_batch", "mine.yaml", "more/"]
    assert listing.complete("more/") == ["more/a.yaml"]
    assert listing.complete("[m]") == ["[m].yaml"]
    assert "mine.yaml" in listing.complete("")


def test_a_shell_can_ask_for_completions():
    code = "import sys; sys.argv = ['bnrenorm']; from bnrenorm.__main__ import run; run()"
    asked = {"_BNRENORM_COMPLETE": "complete_bash", "COMP_WORDS": "bnrenorm compare micro", "COMP_CWORD": "2"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **asked})
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["micro_batch"], "")
