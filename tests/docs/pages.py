"""The pages of the documentation, and what is in them: blocks of code, tables, commands."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "benchmarks/README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "README.ja.md",
    *sorted((ROOT / "docs/ja").glob("*.md")),
]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_CODE = re.compile(r"`([^`\n]+)`")


def name(path):
    return path.relative_to(ROOT).as_posix()


def text(page):
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page, language):
    """List the fenced blocks of that language, "" for those without one."""
    return [body for found, body in _FENCE.findall(text(page)) if found == language]


def inline(page):
    """List what stands between backticks outside of fenced blocks."""
    return _CODE.findall(_FENCE.sub("", text(page)))


def tables(page):
    """List the tables, each as rows of cells without backticks, the heading first."""
    found, rows = [], []
    for line in [*text(page).splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip().replace("`", "") for cell in line.strip().strip("|").split("|")])
        elif rows:
            found.append([row for row in rows if not re.fullmatch(r"[-: ]+", row[0] or " ") or row[0] == ""])
            rows = []
    return found


def table(page, *heading):
    """Return the rows below the heading that begins so; there is one such table."""
    (found,) = [rows for rows in tables(page) if rows[0][: len(heading)] == list(heading)]
    return found[1:]


def anchors(page):
    """List the fragments by which links reach the headings of a page, as GitHub makes them, in the headings' order."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", text(page)), re.M)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def commands(page):
    """List the bnrenorm commands, in blocks and between backticks, without comments."""
    lines = [line for body in blocks(page, "") for line in body.splitlines()] + inline(page)
    for line in lines:
        line = line.partition("  #")[0].strip().removeprefix("!").removeprefix("uv run ")
        if line.startswith("bnrenorm ") and "..." not in line:
            yield line
