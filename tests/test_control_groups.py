"""The limits of containers and batch jobs, read from files as Linux has them."""

import pytest

from bnrenorm import control_groups

NO_LIMIT_1 = 2**63 - 4096  # what version 1 says where there is none


@pytest.fixture
def groups(monkeypatch, tmp_path):
    """A function that makes control groups: the text of /proc/self/cgroup, and the text of files by their path."""

    def groups(of_process, **files):
        (tmp_path / "of_process").write_text(of_process)
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{text}\n")
        monkeypatch.setattr(control_groups, "_OF_PROCESS", tmp_path / "of_process")
        monkeypatch.setattr(control_groups, "_MOUNTED", tmp_path)

    return groups


@pytest.fixture
def memory_left(groups):
    """A function that returns what is left in memory groups: [version, folder, limit, usage, spare]."""

    def memory_left(of_process, *limited):
        files = {}
        for version, folder, *values, spare in limited:
            limit, usage, name = control_groups._MEMORY[version]
            root = f"{'memory/' * (version == 1)}{folder}{'/' * bool(folder)}"
            files |= {f"{root}{limit}": values[0], f"{root}{usage}": values[1]}
            files[f"{root}memory.stat"] = f"anon 7\n{name} {spare}"
        groups(of_process, **files)
        return control_groups.memory_left()

    return memory_left


def test_a_batch_jobs_limit_counts_less_what_its_group_takes_but_can_give_back(memory_left):
    assert memory_left("0::/job/step\n", (2, "job/step", "max", 400, 0), (2, "job", 500, 450, 250)) == [300]


def test_a_group_and_those_above_it_each_have_a_limit(memory_left):
    assert memory_left("0::/job/step\n", (2, "job/step", 300, 100, 0), (2, "job", 500, 450, 250)) == [200, 300]


def test_a_container_that_sees_its_group_as_the_root_has_its_limit(memory_left):
    assert memory_left("0::/\n", (2, "", 600, 100, 50)) == [550]
    both = "5:cpu,cpuacct:/x\n4:memory:/docker/1a2b\n0::/\n"
    assert memory_left(both, (1, "", 700, 100, 0)) == [600, 550]


def test_a_group_of_version_1_without_a_limit_and_one_that_is_full(memory_left):
    assert memory_left("4:memory:/a\n", (1, "a", NO_LIMIT_1, 100, 0)) == [NO_LIMIT_1 - 100]
    assert memory_left("4:memory:/b\n", (1, "b", 100, 150, 10)) == [-40]


def test_processor_time_is_a_quota_of_each_period(groups):
    groups("0::/job/step\n", **{"job/step/cpu.max": "max 100000", "job/cpu.max": "150000 100000"})
    assert control_groups.processors() == [1.5]
    groups("0::/pod\n", **{"pod/cpu.max": "200000 50000", "cpu.max": "600000 100000"})
    assert control_groups.processors() == [4, 6]


def test_processor_time_by_groups_of_version_1(groups):
    quotas = {"a": -1, "b": 300_000, "": 50_000}
    files = {f"cpu/{name}/cpu.cfs_quota_us": quota for name, quota in quotas.items()}
    files |= {f"cpu/{name}/cpu.cfs_period_us": 100_000 for name in quotas}
    groups("4:memory:/b\n2:cpu,cpuacct:/a\n", **files)
    assert control_groups.processors() == [0.5]
    groups("3:cpuset:/\n2:cpu,cpuacct:/b\n")  # those of another controller are other groups
    assert control_groups.processors() == [3, 0.5]


@pytest.mark.parametrize("of_process", ["", "nonsense", "0::/nowhere\n", "0::/../..\n"])
def test_without_groups_there_is_no_limit(groups, of_process):
    groups(of_process, **{"cpu.max": "max 100000"})
    assert (control_groups.memory_left(), control_groups.processors()) == ([], [])
