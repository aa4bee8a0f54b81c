"""Groups trained by real worker processes: the same bits, whatever becomes of the workers, the scheduler or the client."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from bnrenorm.runs.store import Store

pytest.importorskip("distributed", reason="Dask is the extra `cluster`")
pytestmark = pytest.mark.slow

CONFIG = """
name: cluster
model: {hidden: [12]}
variants: {BN: {norm: {kind: batch}}, BRN: {norm: {kind: renorm, warmup: 5, ramp_r: 5}}, none: {norm: {kind: none}}}
training: {batch: 10, steps: 40}
evaluation: {every: 2}
seeds: 3
"""


@pytest.fixture
def command(tmp_path, few_digits_file):
    config = tmp_path / "cluster.yaml"
    config.write_text(CONFIG + f"data: {{path: {few_digits_file}}}\n")

    def command(out, *options):
        return ["compare", str(config), "--out", str(tmp_path / out), "--device", "cpu", *options]

    return command


def start(arguments, prelude="", **options):
    code = f"import sys\n{prelude}\nfrom bnrenorm.cli import commands\nif __name__ == '__main__':\n    commands.main()"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment, **options)


def finish(process):
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


def results(out):
    """All trials' numbers, by key, without their times and commands."""
    found = {}
    for path in sorted(Store(out).trials.glob("*.json")):
        content = json.loads(path.read_text())
        found[path.name] = {key: content[key] for key in content.keys() - {"seconds", "checksum", "provenance"}}
    return found


def test_workers_train_the_same_bits(command, tmp_path):
    assert finish(start(command("serial")))[0] == 0
    assert finish(start(command("cluster", "--workers", "2")))[0] == 0
    assert results(tmp_path / "cluster") == results(tmp_path / "serial")
    assert len(results(tmp_path / "serial")) == 9
    assert not [path for path in (tmp_path / "cluster/checkpoints").iterdir() if not path.name.startswith(".")]
