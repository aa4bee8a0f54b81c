"""How much memory a group may take."""

from types import SimpleNamespace

import pytest

from bnrenorm.errors import InputError
from bnrenorm.runs import allowance


@pytest.mark.parametrize(
    ("text", "want"),
    [
        *(("4GiB", 2**32), ("3MiB", 3 * 2**20), ("1.5KiB", 1536)),
        *(("2GB", 2 * 10**9), ("500 MB", 5 * 10**8), ("8KB", 8000), ("9B", 9), ("7", 7)),
    ],
)
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


@pytest.mark.parametrize(("left", "want"), [([], 1000), ([300, 200], 200), ([3000], 1000), ([-40], 0)])
def test_the_least_of_what_the_machine_and_each_control_group_have_left_is_free(monkeypatch, left, want):
    monkeypatch.setattr(allowance.psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
    monkeypatch.setattr(allowance.control_groups, "memory_left", lambda: left)
    assert allowance.free_memory() == want
