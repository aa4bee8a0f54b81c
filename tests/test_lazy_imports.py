"""What an import loads: nothing heavy that it does not need, and every public name once it is asked for."""

import pytest

import bnrenorm
from tests.helpers import fresh


def loaded_by(statement):
    code = f"import contextlib, sys\nwith contextlib.suppress(SystemExit):\n    {statement}\nprint('modules', *sys.modules)"
    return set(fresh(code, warnings="default").splitlines()[-1].split())


HEAVY = {"chainer", "numpy", "scipy", "pandas", "matplotlib", "cupy", "numba", "pydantic"}
CALL = "import bnrenorm.cli.commands as c; sys.argv = ['bnrenorm', {}]; c.main()"
HELP = CALL.format("{}'--help'")


@pytest.mark.parametrize(
    ("statement", "may"),
    [
        ("import bnrenorm", set()),
        ("import bnrenorm.__main__", set()),
        ("import bnrenorm.chainer", set()),
        ("import bnrenorm.cli.commands", set()),
        (HELP.format(""), set()),
        (HELP.format("'compare', "), {"pydantic"}),  # Typer's own use of it
        (CALL.format(""), {"pydantic"}),
        (CALL.format("'list'"), {"pydantic"}),
        (CALL.format("'config', 'limits'"), {"pydantic"}),
        (CALL.format("'runs', '--out', '/no/where'"), {"pydantic", "numpy"}),
        ("import bnrenorm.config", {"pydantic"}),
        ("import bnrenorm.engines.backend", {"pydantic"}),
        ("import bnrenorm.training.records", {"numpy"}),
        ("import bnrenorm.runs.session", {"numpy", "pydantic", "chainer", "scipy"}),
        ("import bnrenorm.api, bnrenorm.cli.summary", HEAVY - {"matplotlib", "numba"}),
    ],
)
@pytest.mark.slow
def test_an_import_loads_nothing_heavy_that_it_does_not_need(statement, may):
    assert loaded_by(statement) & HEAVY <= may


def test_every_public_name_is_there():
    for name in bnrenorm.__all__:
        assert getattr(bnrenorm, name) is not None
