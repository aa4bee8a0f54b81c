"""Files of a user's own that a config names: what they register, what is said of them, and their faults."""

import linecache
import os
import sys

import pytest

from bnrenorm import config
from bnrenorm.config import plugins
from bnrenorm.errors import InputError
from bnrenorm.norm import registry

CONFIG = """
name: own
plugins: mine.py
variants:
  BN: {norm: {kind: batch}}
  mine: {norm: {kind: custom, name: mine}}
"""
MINE = """
import bnrenorm
import chainer.links as L


class Mine(L.BatchNormalization):
    def __init__(self, width):
        super().__init__(width, decay=0.5)


bnrenorm.register_norm("mine", Mine)
"""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "my.yaml").write_text(CONFIG)
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


def source(experiment):
    return experiment.settings["mine", ()].norm.source


def test_a_file_next_to_the_config_registers_a_norm_and_is_announced_first(folder, capsys):
    (folder / "mine.py").write_text(f"print('running')\n{MINE}")
    experiment = config.load(folder / "my.yaml")
    assert source(experiment) == registry.digest_of("mine")
    (plugin,) = experiment.plugins
    assert plugin == plugins.Plugin(folder / "mine.py", (folder / "mine.py").read_bytes())
    printed = capsys.readouterr()
    assert printed.out == ""
    expected = f"running the Python code in {folder / 'mine.py'}, a plugin of {folder / 'my.yaml'}:3"
    assert printed.err == f"bnrenorm: {expected}\nrunning\n"


def test_a_plugin_is_a_module_as_an_import_makes_it(folder):
    """Python 3.15 warns of an error's line in a module without a loader."""
    config.load(folder / "my.yaml")
    spec = vars(sys.modules["bnrenorm_plugin_mine"])["__spec__"]
    assert spec.origin == str(folder / "mine.py")
    assert spec.loader.get_source(spec.name) == MINE


def test_the_path_is_relative_to_the_config_and_of_an_option_to_the_working_directory(folder, monkeypatch):
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    (folder / "elsewhere" / "mine.py").write_text(MINE)
    paths = [
        config.load(folder / "my.yaml", options).plugins[0].path
        for options in ([], ["plugins=mine.py"], [f"plugins=[{folder}/mine.py]"])
    ]
    assert paths == [folder / "mine.py", folder / "elsewhere" / "mine.py", folder / "mine.py"]


@pytest.mark.parametrize(
    "text",
    [
        MINE,
        MINE.replace('"mine", Mine', '"mine", lambda width: Mine(width)').rstrip(),
        MINE.replace("\n", "\r\n"),
        MINE + "# \u2028\x0c end",
        "# coding: latin-1" + MINE,
    ],
)
def test_the_text_is_that_of_the_file(folder, text):
    """That by which results were stored: what `inspect` reads of the file itself."""
    (folder / "mine.py").write_bytes(text.encode("latin-1" if "latin" in text else "utf-8"))
    experiment = config.load(folder / "my.yaml")
    linecache.clearcache()
    registry.register_norm("mine", registry.find("mine").factory)
    assert registry.digest_of("mine") == source(experiment)


@pytest.mark.parametrize("factory", ["Mine", "lambda width: Mine(width)"])
def test_a_plugin_is_its_source_where_there_is_no_such_file(folder, factory):
    """As on a worker of another machine, at whose path there is none, or another."""
    (folder / "mine.py").write_text(MINE.replace('"mine", Mine', f'"mine", {factory}').rstrip())
    experiment = config.load(folder / "my.yaml")
    (plugin,) = experiment.plugins
    for there in (None, "# another\n" * 9):
        plugin.path.unlink()
        registry._registered.clear()
        if there is not None:
            plugin.path.write_text(there)
        plugins.run(plugin, "config.yaml")
        assert registry.digest_of("mine") == source(experiment)
        plugin.path.touch()


def test_a_changed_link_has_another_digest_and_another_run_folder(folder):
    before = config.load(folder / "my.yaml")
    text = MINE.replace("0.5", "0.7")  # of the same length: no cache of compiled code may be asked
    (folder / "mine.py").write_text(text)
    os.utime(folder / "mine.py", (0, 0))
    after = config.load(folder / "my.yaml")
    assert source(before) != source(after)
    assert before.resolved() != after.resolved()
    (folder / "mine.py").write_text(f"{text}\n# a remark\n")
    assert source(config.load(folder / "my.yaml")) == source(after)


def test_the_files_of_an_experiment_repeat_it_elsewhere(folder, tmp_path_factory):
    experiment = config.load(folder / "my.yaml")
    other = tmp_path_factory.mktemp("other")
    for name, content in experiment.files().items():
        (other / name).parent.mkdir(exist_ok=True)
        (other / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "mine.py").unlink()
    again = config.load(other / "experiment.yaml")
    assert again.resolved() == experiment.resolved()
    assert [plugin.path for plugin in again.plugins] == [other / "plugins" / "mine.py"]
    assert again.as_config().count(str(other / "plugins" / "mine.py")) == 1


def test_a_config_with_every_setting_names_the_plugins(folder):
    experiment = config.load(folder / "my.yaml")
    (folder / "all.yaml").write_text(experiment.as_config())
    registry._registered.clear()
    again = config.load(folder / "all.yaml")
    assert again.resolved() == experiment.resolved()
    assert [plugin.path for plugin in again.plugins] == [folder / "mine.py"]


def test_without_plugins_nothing_is_run_or_said(capsys):
    experiment = config.load("quick")
    assert experiment.plugins == ()
    assert list(experiment.files()) == ["experiment.yaml"]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import bnrenorm\n1 / 0\n", r"mine\.py:2: ZeroDivisionError: division by zero"),
        ("def f():\n    raise OSError('oops\\nmore')\n\nf()\n", r"mine\.py:2: OSError: oops more"),
        ("import sys\nsys.exit(0)\n", r"mine\.py:2: SystemExit: 0"),
        ("x = (\n", r"mine\.py:1: SyntaxError: "),
        ("x = '\x00'\n", r"mine\.py:1: (SyntaxError|ValueError): "),  # the second before Python 3.11.4
        ("\n\nimport no_such_module\n", r"mine\.py:3: ModuleNotFoundError: No module named 'no_such_module'"),
        (
            "import bnrenorm\nbnrenorm.register_norm('a b', int)\n",
            r"mine\.py:2: register_norm: name is 'a b', expected letters",
        ),
        ("import bnrenorm\n", r"mine\.py registers nothing, expected a call of bnrenorm\.register_norm"),
    ],
)
def test_a_file_that_fails_is_one_line(folder, text, message):
    (folder / "mine.py").write_text(text)
    with pytest.raises(InputError, match=rf"my\.yaml:3: plugins: .*{message}") as error:
        config.load(folder / "my.yaml")
    assert "\n" not in str(error.value)
    assert "registers nothing" in message or "bnrenorm_plugin_mine" not in sys.modules


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("none.py", r"plugins: .*none\.py: cannot be read: No such file or directory"),
        ("'.'", "expected a regular file"),
        ("3", "plugins is 3, expected the path of a Python file, or a list of paths"),
        ("0", "plugins is 0, expected the path of a Python file, or a list of paths"),
        ("['']", r"plugins is \[''\], expected the path"),
        ("[mine.py, other/mine.py]", "two files of one name"),
        ("large.py", "expected at most 1,048,576 bytes"),
    ],
)
def test_what_cannot_be_a_plugin_is_one_line_and_nothing_is_run(folder, value, message, capsys):
    (folder / "other").mkdir()
    (folder / "other" / "mine.py").write_text(MINE)
    (folder / "large.py").write_text("#" * 2**20 + "\n")
    (folder / "my.yaml").write_text(CONFIG.replace("mine.py", value))
    with pytest.raises(InputError, match=message):
        config.load(folder / "my.yaml")
    assert capsys.readouterr().err == ""


def test_a_name_that_nobody_registered_says_where_it_could_be():
    with pytest.raises(InputError, match="norm.name is 'mine', expected a name .* in a file under plugins"):
        config.load("quick", ["variants.BN.norm={kind: custom, name: mine}"])


def test_a_norm_is_what_its_plugin_has_made_of_it_at_the_end_and_stays_that(folder):
    """A worker, whose groups change variables one after the other, has the digest of the command."""
    text = MINE.replace("class", "DECAY = [0.1]\n\n\nclass").replace("decay=0.5", "decay=DECAY[0]") + "DECAY[0] = 0.2\n"
    sources = []
    for end in (0.2, 0.3, 0.2):
        (folder / "mine.py").write_text(text.replace("0.2", str(end)))
        sources.append(source(config.load(folder / "my.yaml")))
    assert sources[0] == sources[2] != sources[1]
    sys.modules["bnrenorm_plugin_mine"].DECAY[0] = 0.3
    registry.reread()
    assert registry.digest_of("mine") == sources[0]
