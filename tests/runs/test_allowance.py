"""How much memory a group may take."""

from types import SimpleNamespace

import pytest

from bnrenorm.errors import InputError
from bnrenorm.runs import allowance


@pytest.mark.parametrize(("text", "want"), [("4GiB", 2**32), ("500 MB", 5 * 10**8), ("1.5KiB", 1536), ("7", 7)])
def test_memory_is_read_with_its_unit(text, want):
    assert allowance.parse_memory(text) == want


@pytest.mark.parametrize("text", ["", "4 gigs", "-1GiB", "0", "GiB", "1e60", "9" * 400, "٣GiB"])
def test_other_memory_is_refused(text):
    with pytest.raises(InputError, match="--memory .*expected a size such as 4GiB"):
        allowance.parse_memory(text)


@pytest.mark.parametrize(("free", "want"), [(8, 4), (1.5, 1), (0.5, 0.5)])
def test_half_of_what_is_free_is_taken_where_nothing_is_said_or_as_much_as_any_config_needs(monkeypatch, free, want):
    monkeypatch.setattr(allowance, "free_memory", lambda: int(free * 2**30))
    assert allowance.parse_memory(None) == want * 2**30


def test_four_fifths_of_what_is_free_on_a_gpu_is_taken_where_nothing_is_said(monkeypatch):
    monkeypatch.setattr(allowance.devices, "free_memory", {"cuda:1": 10 * 2**30}.__getitem__)
    assert allowance.parse_memory(None, "cuda:1") == 8 * 2**30
    assert allowance.parse_memory("3GiB", "cuda:1") == 3 * 2**30


NO_LIMIT_1 = 2**63 - 4096  # what version 1 says where there is none


@pytest.fixture
def free_in(monkeypatch, tmp_path):
    """A function that returns what is free of 1,000 bytes in control groups: [version, folder, limit, usage, spare]."""

    def free_in(of_process, *groups):
        (tmp_path / "of_process").write_text(of_process)
        for version, folder, *values in groups:
            names = allowance._FILES[version]
            group = tmp_path / ("memory" if version == 1 else "") / folder
            group.mkdir(parents=True, exist_ok=True)
            for name, value in zip(names[:2], values, strict=False):
                (group / name).write_text(f"{value}\n")
            (group / "memory.stat").write_text(f"anon 7\n{names[2]} {values[2]}\n")
        monkeypatch.setattr(allowance, "_OF_PROCESS", tmp_path / "of_process")
        monkeypatch.setattr(allowance, "_MOUNTED", tmp_path)
        monkeypatch.setattr(allowance.psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
        return allowance.free_memory()

    return free_in


def test_a_batch_jobs_limit_counts_less_what_its_group_takes_but_can_give_back(free_in):
    assert free_in("0::/job/step\n", (2, "job/step", "max", 400, 0), (2, "job", 500, 450, 250)) == 300


def test_of_several_limits_the_lowest_counts(free_in):
    assert free_in("0::/job/step\n", (2, "job/step", 300, 100, 0), (2, "job", 500, 450, 250)) == 200
    assert free_in("0::/job/step\n", (2, "job/step", 3000, 100, 0), (2, "job", 5000, 450, 250)) == 1000


def test_a_container_that_sees_its_group_as_the_root_has_its_limit(free_in):
    assert free_in("0::/\n", (2, "", 600, 100, 50)) == 550
    assert free_in("5:cpu,cpuacct:/x\n4:memory:/docker/1a2b\n0::/\n", (1, "", 700, 100, 0)) == 550
    assert free_in("4:memory:/docker/1a2b\n", (1, "", 700, 100, 0)) == 600


def test_a_group_of_version_1_without_a_limit_and_one_that_is_full(free_in):
    assert free_in("4:memory:/a\n", (1, "a", NO_LIMIT_1, 100, 0)) == 1000
    assert free_in("4:memory:/b\n", (1, "b", 100, 150, 10)) == 0


@pytest.mark.parametrize("of_process", ["", "nonsense", "0::/nowhere\n", "0::/../..\n"])
def test_without_groups_the_machines_free_memory_counts(free_in, of_process):
    assert free_in(of_process) == 1000
