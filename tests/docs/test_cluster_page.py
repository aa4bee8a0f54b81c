"""The job scripts of docs/cluster.md: whole programs for bash and Kubernetes, as far as can be told without either's cluster."""

import re
import shlex
import shutil
import subprocess

import pytest
import yaml

from bnrenorm.runs import shard
from tests.docs import pages
from tests.docs.test_commands import parameters_of

SCRIPTS = pages.blocks("docs/cluster.md", "bash")
MANIFESTS = pages.blocks("docs/cluster.md", "yml")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_bash_and_its_commands_are_ours(script):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    done = subprocess.run([bash, "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert script.startswith("#!/bin/bash\n#SBATCH ")
    (command,) = re.findall(r"^(?:srun --cpus-per-task=\S+ )?(bnrenorm .*)", script, re.M)
    parameters_of(command)


def test_the_array_has_as_many_tasks_as_shards():
    (array,) = (script for script in SCRIPTS if "--array" in script)
    tasks = re.search(r"--array=1-(\d+)", array)[1]
    assert shard.parse(f"{tasks}/{re.search(r'SLURM_ARRAY_TASK_ID/([0-9]+)', array)[1]}").of == int(tasks)


def test_the_workers_are_all_tasks_but_the_scheduler():
    (cluster,) = (script for script in SCRIPTS if "dask scheduler" in script)
    tasks, *steps = (int(number) for number in re.findall(r"--ntasks=(\d+)", cluster))
    assert tasks == sum(steps)


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_a_manifest_is_an_indexed_job_whose_command_is_ours(manifest):
    job = yaml.safe_load(manifest)
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert spec["completionMode"] == "Indexed"
    assert pod["restartPolicy"] == "Never"
    (container,) = pod["containers"]
    shell, option, line = container["command"]
    assert (shell, option) == ("sh", "-c")
    *_, last = (
        line.removeprefix("exec ").replace("$((JOB_COMPLETION_INDEX + 1))", str(index + 1))
        for index in range(spec["completions"])
    )
    assert shard.parse(parameters_of(last)["shard"]).number == spec["completions"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert {volume["name"] for volume in pod["volumes"]} == set(mounts)
    assert shlex.split(last)[-1] == mounts["runs"]


def test_there_are_both():
    assert len(SCRIPTS) == 2
    assert len(MANIFESTS) == 1
