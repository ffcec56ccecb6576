"""README and docs: links lead somewhere, commands exist, their options too."""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from scripts.draw_architecture import PAGE, PICTURE, described, draw, page_with, table
from scripts.import_graph import House
from typer.main import get_command
from typer.testing import CliRunner

import parsimony
from parsimony.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
VERBS = get_command(app).commands  # type: ignore[attr-defined]


def text_of(page):
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", text_of(page)):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def anchors(page):
    """What a link into a page may name: its headings, as MyST and GitHub spell them."""
    prose = re.sub(r"```.*?```", "", text_of(page), flags=re.S)
    for heading in re.findall(r"^#{1,6} (.+)$", prose, re.M):
        plain = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", heading).lower()
        yield re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")


def test_links_into_a_page_name_a_heading():
    missing = [
        (page.name, target, anchor)
        for page in PAGES
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", text_of(page))
        if not target.startswith("http")
        and target.endswith((".md", ""))
        and anchor not in anchors(page if not target else page.parent / target)
    ]
    assert not missing


def test_links_of_notebooks_lead_somewhere():
    for book in sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")):
        cells = json.loads(text_of(book))["cells"]
        prose = "".join(line for c in cells if c["cell_type"] == "markdown" for line in c["source"])
        for target in re.findall(r"\]\(([^)#]+)", prose):
            assert (book.parent / target).exists(), f"{book.name}: {target}"


def commands():
    """Every ``parsimony …`` line of a code block."""
    for page in PAGES:
        for block in re.findall(r"```\w*\n(.*?)```", text_of(page), flags=re.S):
            for line in block.splitlines():
                line = line.removeprefix("$ ")
                if line.startswith("parsimony "):
                    yield page.name, line.split("  #")[0].strip()


@pytest.mark.parametrize(("page", "line"), list(commands()))
def test_commands_and_options_exist(page, line):
    verb, *words = shlex.split(line)[1:]
    asked = VERBS[verb]
    while hasattr(asked, "commands"):  # a group, such as ddi
        asked = asked.commands[words.pop(0)]
    known = {option for parameter in asked.params for option in parameter.opts}
    for word in words:
        if word.startswith("--"):
            assert word in known, f"{page}: {line}"


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_is_documented(verb):
    assert any(f"parsimony {verb}" in text_of(page) for page in PAGES)


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), flags=re.M))
    for page in PAGES:
        for target in re.findall(r"\bmake ([a-z-]+)\b", text_of(page)):
            if f"`make {target}" in text_of(page) or f"\nmake {target}" in text_of(page):
                assert target in targets, f"{page.name}: make {target}"


# ---- the equations that comments cite ---------------------------------------------------------

#: A page of docs, and the equations of it that are named: ``(docs/methods/redgnn.md, eqs. 2, 3)``.
CITED = re.compile(r"docs/([\w/-]+\.md)(?:,\s*eqs?\.\s*(\d+(?:\s*[–,]\s*\d+)*))?")
OUTSIDE = re.compile(r"\bmethods/0\d|\bdesign\.md")
SOURCES = sorted(
    path for folder in ("src", "tests", "benchmarks", "examples", "scripts", "docs")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".md") and path != Path(__file__)
)  # fmt: skip


def citations(text):
    """(page, equation or None) of everything that a text cites, line breaks of comments undone."""
    for page, numbers in CITED.findall(re.sub(r"\n\s*#?:?\s*", " ", text)):
        yield page, None
        for part in filter(None, re.split(r",\s*", numbers)):
            low, *high = map(int, re.split(r"\s*–\s*", part))
            yield from ((page, number) for number in range(low, (high or [low])[0] + 1))


def equations(page):
    """Numbers of a page's equations: they end a line of a code block."""
    blocks = re.findall(r"```\n(.*?)```", text_of(page), flags=re.S)
    return [int(n) for block in blocks for n in re.findall(r"\s{2,}\((\d+)\)$", block, re.M)]


def test_cited_pages_and_equations_exist():
    missing = []
    for path in SOURCES:
        for page, number in citations(text_of(path)):
            there = (ROOT / "docs" / page).exists()
            if not there or (number and number not in equations(ROOT / "docs" / page)):
                missing.append((path.relative_to(ROOT).as_posix(), page, number))
    assert not missing


def test_comments_cite_nothing_outside_the_repository():
    found = [path.relative_to(ROOT).as_posix() for path in SOURCES if OUTSIDE.search(text_of(path))]
    assert not found


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs" / "methods").glob("*.md")), ids=lambda page: page.stem
)
def test_equations_are_numbered_in_order(page):
    numbers = equations(page)
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(int(n) in numbers for n in re.findall(r"(?<![\w)])\((\d\d?)\)", text_of(page)))


def test_the_equations_of_the_methods_are_found():
    assert len(equations(ROOT / "docs" / "methods" / "redgnn.md")) >= 11
    assert set(citations("(docs/methods/redgnn.md,\n    eqs. 2, 4–5)")) == {
        ("methods/redgnn.md", number) for number in (None, 2, 4, 5)
    }


# ---- what the documents say of the source ------------------------------------------------------


def test_the_architecture_is_drawn_from_the_source(tmp_path):
    house, page = House.read(), text_of(PAGE)
    assert escape(described(house)) in text_of(PICTURE), "run scripts/draw_architecture.py"
    assert page_with(table(house), page) == page, "run scripts/draw_architecture.py"
    draw(house, tmp_path / "again.svg")
    draw(house, tmp_path / "and_again.svg")
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "and_again.svg").read_bytes()


def test_options_in_the_tables_of_methods_exist():
    """Column ``--set`` of a page names parameters of methods that the index lists for it."""
    methods = parsimony.estimators()
    for line in text_of(ROOT / "docs" / "methods" / "index.md").splitlines():
        if not (linked := re.match(r"\| \[.*?\]\((\w+\.md)\) \| (.*?) \|", line)):
            continue
        named = [name for name in re.findall(r"`([\w-]+)`", linked[2]) if name in methods]
        known = {field for name in named for field in methods[name].Parameters.model_fields}
        rows = re.findall(r"^\|[^|]*\|([^|]*)\|", _options(linked[1]), re.M)
        unknown = {o for row in rows for o in re.findall(r"`(\w+)`", row)} - known
        assert not unknown, f"{linked[1]}: {unknown}"


def _options(page):
    """The tables of a page below a head with ``--set``."""
    return "\n".join(
        re.findall(r"^\| symbol \| `--set` \|.*\n\|[-|]+\n((?:\|.*\n)+)",
                   text_of(ROOT / "docs" / "methods" / page), re.M)
    )  # fmt: skip


def test_python_names_exist():
    """Every ``parsimony.…`` of the documents is a module or a name in one."""
    for page in PAGES:
        for dotted in re.findall(r"(?<![\w/-])parsimony(?:\.\w+)+(?!\w*[:/=])", text_of(page)):
            assert resolves(dotted), f"{page.name}: {dotted}"


def resolves(dotted):
    """Whether a dotted name leads somewhere; a module need not have been imported yet."""
    found, path = parsimony, "parsimony"
    for name in dotted.split(".")[1:]:
        path += f".{name}"
        if not hasattr(found, name) and not (inspect.ismodule(found) and find_spec(path)):
            return False
        found = getattr(found, name, None) or import_module(path)
    return True


@pytest.mark.slow
def test_the_quickstart_runs(tmp_path, monkeypatch):
    """The steps of "Step by step", as they stand, with fewer epochs."""
    monkeypatch.chdir(tmp_path)
    section = text_of(ROOT / "docs" / "quickstart.md").split("## Step by step")[1]
    block = re.search(r"```\n(.*?)```", section, flags=re.S)
    assert block
    for line in block[1].splitlines():
        words = shlex.split(line)[1:]
        if words[0] == "fit":
            words[words.index("--epochs") + 1] = "1"
            words += ["--set", "dim=16"]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, f"{line}\n{result.output}"


SECTIONS = dict(
    part.split("\n", 1) for part in text_of(ROOT / "docs" / "python.md").split("\n## ")[1:]
)
NEED_DATA = ("Molecules with few labels", "New users with a few ratings")


#: runs the sections that it is given, each on its own: the package is imported anew, in a folder of
#: its own; what the package itself imports is loaded once
RUN_SECTIONS = """
import contextlib, io, json, os, sys, traceback
found = {}
for title, code in json.load(sys.stdin).items():
    for name in [n for n in sys.modules if n.split(".")[0] == "parsimony"]:
        del sys.modules[name]
    os.makedirs(folder := os.path.join(sys.argv[1], str(len(found))))
    os.chdir(folder)
    error = ""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            exec(compile(code, title, "exec"), {"__name__": "__main__"})
        except BaseException:
            error = traceback.format_exc()
    found[title] = out.getvalue(), error
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.parametrize("with_data", [False, pytest.param(True, marks=pytest.mark.data)])
def test_the_python_page_runs(with_data, tmp_path, request):
    """Every section of docs/python.md, as it stands."""
    environment = dict(os.environ)
    if with_data:
        environment["PARSIMONY_DATA"] = str(request.getfixturevalue("real_data"))
    codes = {
        title: "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.S))
        for title, text in SECTIONS.items()
        if "```python" in text and (title in NEED_DATA) == with_data
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN_SECTIONS, str(tmp_path)],
        input=json.dumps(codes), env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found) == list(codes)
    for title, (out, error) in found.items():
        assert not error, f"{title}\n{error}"
        assert out, title


#: pages with Python, and the test that runs it
RUN_BY = {
    "README.md": "test_docs.py",
    "docs/python.md": "test_docs.py",
    "docs/symbols.md": "test_docs.py",
    "docs/tuning.md": "test_docs.py",
    "docs/howto/other_tools.md": "test_docs.py",
    "docs/http.md": "web/test_serve_verb.py",
}
long = pytest.mark.skipif(not os.environ.get("PARSIMONY_TUTORIALS"), reason="make tutorials")


def python_of(page):
    return re.findall(r"```python\n(.*?)```", text_of(ROOT / page), flags=re.S)


def test_python_on_every_page_is_run():
    pages = {page.relative_to(ROOT).as_posix() for page in PAGES if python_of(page)}
    assert pages == set(RUN_BY)
    for page, test in RUN_BY.items():
        assert Path(page).name in text_of(ROOT / "tests" / test)


@pytest.mark.parametrize(
    ("page", "block", "makes"),
    [
        ("docs/symbols.md", 0, "complex.png"),
        ("docs/howto/other_tools.md", 0, "royal/train.txt"),
        pytest.param("docs/symbols.md", 1, "runs/royal-search/summary.json", marks=long),
        pytest.param("docs/tuning.md", 0, "runs/royal-tuned/summary.json", marks=long),
    ],
)
def test_a_block_of_a_page_runs(page, block, makes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(python_of(page)[block], page, "exec"), {"__name__": "__main__"})
    assert (tmp_path / makes).exists()


def toml_of(page, folder):
    (block,) = re.findall(r"```toml\n(.*?)```", text_of(ROOT / "docs" / page), flags=re.S)
    path = folder / "shown.toml"
    path.write_text(block, encoding="utf-8")
    return path


def test_the_book_that_is_shown_is_read(tmp_path):
    from parsimony.knowledge.book import read_book

    book = read_book(toml_of("knowledge.md", tmp_path))
    assert len(book.rules) == 2 and len(book.axioms) == 1


def test_the_drug_that_is_shown_is_read(tmp_path):
    from parsimony.ddi.drug_file import read_new_drug

    assert read_new_drug(toml_of("ddi.md", tmp_path)).name == "novazole"


@pytest.mark.slow
def test_the_readme_s_python_runs(tmp_path, monkeypatch):
    block = re.search(r"```python\n(.*?)```", text_of(ROOT / "README.md"), flags=re.S)
    assert block
    code = block[1].replace("epochs=8", "epochs=1")
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r})\n{code}"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "uncle" in done.stdout
