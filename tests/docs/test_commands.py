"""Every command, config, link and path of the documentation exists, and means something to the program. Nothing trains."""

import ast
import re
import shlex

import pytest
import typer

import bnrenorm
from bnrenorm import config
from bnrenorm.analysis.plots.notebook import Plot
from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.cli.commands import app
from tests.docs import pages

PAGES = pytest.mark.parametrize("page", pages.PAGES, ids=pages.name)
OWN = ("my.yaml", "runs/FOLDER")  # stand for the README's config
IMAGES = 60_000


def parameters_of(command):
    """Parse a command as the program would; return the options' values."""
    found, words = typer.main.get_command(app), shlex.split(command)[1:]
    while hasattr(found, "commands") and not words[0].startswith("--"):
        assert words[0] in found.commands, command
        found = found.commands[words.pop(0)]
    return found.make_context(command, words).params


@pytest.fixture
def own_config(tmp_path):
    (body,) = pages.blocks("README.md", "yaml")
    path = tmp_path / OWN[0]
    path.write_text(body)
    return path


@PAGES
def test_commands_parse_and_their_settings_load(page, own_config):
    for command in pages.commands(page):
        found = parameters_of(command)
        if "assignments" in found:
            seeds = [] if found["seeds"] is None else [f"seeds={found['seeds']}"]
            name = own_config if found["config"] in OWN else found["config"]
            assert config.load(name, [*(found["assignments"] or []), *seeds]).trials(IMAGES), command


def test_a_wrong_command_is_found():
    with pytest.raises(AssertionError):
        parameters_of("bnrenorm comprae")
    with pytest.raises(typer.BadParameter.__base__):
        parameters_of("bnrenorm compare --kernels fused")
    with pytest.raises(bnrenorm.InputError):
        config.load("compare", parameters_of("bnrenorm compare --set norm.dekay=0.5")["assignments"])


def test_the_readme_is_short_and_shows_every_way_in():
    text = pages.text("README.md")
    assert len(text.splitlines()) <= 100
    for way in (
        "make compare ",
        "make compare ARGS=quick",
        "make test ",
        "uv run bnrenorm",
        "--no-build-isolation",
        "cuda12",
    ):
        assert way in text


@PAGES
def test_yaml_blocks_load(page, tmp_path):
    for body in pages.blocks(page, "python"):
        if body.startswith("import bnrenorm\nimport chainer.links as L\n\nbnrenorm.register_norm"):
            (tmp_path / "fast.py").write_text(body)  # the plugin of the next block
    for body in pages.blocks(page, "yaml"):
        path = tmp_path / "block.yaml"
        path.write_text(body if "name:" in body else f"name: block\n{body}")
        assert config.load(path).trials(IMAGES)


def test_the_own_question_has_eight_lines():
    (body,) = pages.blocks("README.md", "yaml")
    assert len(body.splitlines()) <= 9


@PAGES
def test_python_blocks_name_what_exists(page):
    for body in pages.blocks(page, "python"):
        for node in ast.walk(ast.parse(body)):
            if not isinstance(node, ast.Attribute):
                continue
            owner = ast.unparse(node.value)
            if owner == "bnrenorm":
                assert node.attr in (*bnrenorm.__all__, "norm"), node.attr
            elif owner in ("results", "results.plot"):
                owner_class = ExperimentResults if owner == "results" else Plot
                assert hasattr(owner_class, node.attr) or node.attr in owner_class.__dataclass_fields__, node.attr


def test_the_links_of_a_chain_of_ones_own_are_made_as_shown():
    (body,) = pages.blocks("docs/coming-from.md", "python")
    names = {}
    exec(body, names)
    assert names["after"].semantics == names["same"].semantics == "paper"
    assert (names["after"].r_max(5_000), names["after"].r_max(40_000)) == (1, 3)
    assert (names["after"].d_max(5_000), names["after"].d_max(25_000)) == (0, 5)
    assert (names["same"].r_max, names["same"].d_max) == (names["after"].r_max, names["after"].d_max)
    assert (names["before"].rmax, names["before"].dmax) == (1, 0)


@PAGES
def test_relative_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            path, _, anchor = target.partition("#")
            file = page.parent / path if path else page
            assert file.exists(), target
            assert not anchor or anchor in pages.anchors(file), target


@PAGES
def test_paths_of_the_code_exist(page):
    """Between backticks: bnrenorm/..., tests/..., configs/..., with or without a slash at the end."""
    for code in pages.inline(page):
        if re.fullmatch(r"(bnrenorm|tests|configs|docs|notebooks|benchmarks|\.ci|\.github)/[\w./-]*", code):
            assert (pages.ROOT / code).exists(), code


@PAGES
def test_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z0-9]+):", pages.text("Makefile"), re.M))
    lines = [line for body in pages.blocks(page, "") for line in body.splitlines()] + pages.inline(page)
    assert {line.split()[1] for line in lines if re.match(r"make [a-z]", line)} <= targets


def test_the_readmes_table_and_the_findings_name_every_config():
    table = {row[0] for row in pages.table("README.md", "bnrenorm compare ...")}
    shipped = set(config.shipped())
    assert table - {"article2/..."} == {name for name in shipped if "/" not in name} - {"quick"}
    commands = [parameters_of(command) for command in pages.commands("docs/findings.md") if " compare" in command]
    assert {command["config"] for command in commands} == shipped


def test_the_findings_give_the_configs_own_times():
    headers = {name: path.read_text(encoding="utf-8") for name, path in config.shipped().items()}
    rows = [
        row for table in pages.tables("docs/findings.md") if table[0][:2] == ["command", "time"] for row in table[1:]
    ]
    assert len(rows) == 14
    for command, time, *_ in rows:
        header = headers[parameters_of(command)["config"]]
        assert time == re.search(r"# Time: +(.*)", header)[1].replace(" on 2 cores", "").replace("`", "")


def test_the_engines_page_names_the_contract():
    from bnrenorm.engines.engine import Engine

    members = {row[0].partition("(")[0] for row in pages.table("docs/engines.md", "member")}
    assert members == {name for name in (*vars(Engine), *Engine.__annotations__) if not name.startswith("_")}
