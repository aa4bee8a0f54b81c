"""docs/reliability.md: every promise names a test, and that test exists."""

import ast

from tests.docs import pages

PAGE = "docs/reliability.md"


def test_every_promise_names_a_test_that_exists():
    named = [row[-1] for rows in pages.tables(PAGE) for row in rows[1:]]
    assert len(named) > 20
    for test in named:
        path, _, name = test.partition("::")
        tree = ast.parse((pages.ROOT / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test
