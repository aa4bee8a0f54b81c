"""Runs that differ in their seeds alone."""

import json

from bnrenorm.runs import alike
from tests.helpers import COMPARED


def test_a_config_that_is_not_as_it_was_written_is_like_no_other(tmp_path):
    for content in (b"[", b"\xff", b"- a\n", b"seeds: x\n"):
        (tmp_path / "experiment.yaml").write_bytes(content)
        assert alike.settings(tmp_path) is None
    assert alike.settings(tmp_path / "nowhere") is None
    (tmp_path / "experiment.yaml").write_text(COMPARED)
    text, seeds = alike.settings(tmp_path)
    assert (json.loads(text)["name"], seeds, "seeds" in text) == ("compared", (0, 1), False)


def test_another_margin_is_no_other_training(tmp_path):
    """Older runs do not name theirs; and a look at some seeds was one, whatever the margin."""
    settings = []
    for margin in ("", "margin: 0.2\n", "margin: 30\n"):
        (tmp_path / "experiment.yaml").write_text(COMPARED + margin)
        settings.append(alike.settings(tmp_path))
    assert settings[0] == settings[1] == settings[2]
