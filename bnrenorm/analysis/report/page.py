"""The page itself: one HTML file that asks nothing of any other, for one run or for two side by side."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from bokeh.resources import Resources
from jinja2 import Environment, PackageLoader, StrictUndefined

from bnrenorm import environment as machine
from bnrenorm.analysis.report import compared
from bnrenorm.analysis.report.sections import section
from bnrenorm.analysis.report.tables import PAGE
from bnrenorm.analysis.results import ExperimentResults

_SCRIPTS = ("charts.js", "tables.js")


def render(runs: Sequence[ExperimentResults]) -> str:
    """Return the page of one run, or of two side by side.

    A policy in its head (Content-Security-Policy) lets the browser run the page's own scripts, known by their hashes,
    and load nothing: neither what a name would smuggle in nor what a library would fetch.
    """
    scripts = _scripts()
    hashes = " ".join(f"'sha256-{_hash(script)}'" for script in scripts)
    policy = f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
    sections = [section(results) for results in runs]
    return _template().render(
        sections=sections,
        title=compared.title(runs, [one.answer[0].text for one in sections]) if len(runs) > 1 else "",
        differing=compared.tables_of(runs) if len(runs) > 1 else [],
        page=PAGE,
        scripts=scripts,
        policy=policy,
        style=_text("page.css"),
        version=machine.versions().get("bnrenorm", ""),
    )


@cache
def _scripts() -> list[str]:
    bundle = Resources(mode="inline", components=["bokeh"])  # its scripts: the library, and one that sets what it logs
    return [_closed(script) for script in (bundle.js_raw[0], *map(_text, _SCRIPTS))]


def _closed(script: str) -> str:
    """Return a script as it may stand in HTML, with line ends as a browser would count them in its hash."""
    if "</script" in script.lower():
        raise ValueError("a script contains its own end")
    return script.replace("\r\n", "\n")


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _text(name: str) -> str:
    return resources.files("bnrenorm.analysis.report").joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> Any:
    loader = PackageLoader("bnrenorm.analysis.report", "")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    # not sorted: Bokeh's documents refer to what stands before
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "separators": (",", ":"), "allow_nan": False}
    return environment.get_template("page.html.j2")
