"""Whose code a file is."""

import json
import os

import numpy as np
import pytest

from bnrenorm import errors, libraries


@pytest.mark.parametrize("module", [errors, np, json, os, pytest])
def test_what_is_installed_is_a_librarys(module):
    assert libraries.is_library(module.__file__)


@pytest.mark.parametrize("file", ["mine.py", "<cell 3>", "<string>", "/tmp/ipykernel_3/123.py"])
def test_scripts_and_cells_are_the_users(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not libraries.is_library(file)


def test_what_stands_beside_the_package_is_the_users():
    package = os.path.dirname(errors.__file__)
    assert not libraries.is_library(f"{package}_of_mine.py")
    assert not libraries.is_library(f"{package}_of_mine/links.py")
    assert libraries.is_library(f"{package}/links.py")
