"""The documentation site is whole, and its tutorials run as they stand.

The build, and the tutorials that train for long, are run by ``make docs`` and ``make tutorials``
(``PARSIMONY_TUTORIALS=1``): together they take more time than the rest of the tests of documents.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from scripts.commands_page import commands_page
from typer.testing import CliRunner

from parsimony.cli import app

ROOT = Path(__file__).resolve().parents[1]

long = pytest.mark.skipif(not os.environ.get("PARSIMONY_TUTORIALS"), reason="make tutorials")


def test_every_page_has_its_place():
    """What no table of contents names is found by nobody, and ends the build with a warning."""
    docs = ROOT / "docs"
    text = (docs / "index.md").read_text(encoding="utf-8")
    named = {
        line for block in re.findall(r"```\{toctree\}\n(.*?)```", text, re.S)
        for line in block.splitlines() if line and not line.startswith(":")
    }  # fmt: skip
    pages = [*docs.rglob("*.md"), *docs.rglob("*.ipynb")]
    there = {path.relative_to(docs).with_suffix("").as_posix() for path in pages}
    there = {page for page in there if not page.startswith("_build/")}
    # The methods have a table of contents of their own; the page of commands is made by the build.
    listed = {page for page in there if not page.startswith("methods/")} - {"index"}
    assert named - {"reference/commands", "methods/index"} == listed - {"reference/commands"}


def test_commands_of_the_reference_are_those_of_the_program():
    page = commands_page()
    assert "## `parsimony fit`" in page and "### `parsimony ddi screen`" in page
    assert "`--accept-terms`: Agree to the terms" in page


@long
def test_the_site_builds(tmp_path):
    pytest.importorskip("furo")
    pytest.importorskip("myst_nb")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "dummy",
         "-d", str(tmp_path / "trees"), str(ROOT / "docs"), str(tmp_path / "site")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def steps(page):
    """The commands of a tutorial, in order, and the files that it asks to write."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    files = dict(re.findall(r"`([\w.]+\.\w+)`:\n\n```text\n(.*?)```", text, re.S))
    blocks = [block for kind, block in re.findall(r"```(\w*)\n(.*?)```", text, re.S) if not kind]
    lines = [line.split("  #")[0] for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("parsimony ")], files


def follow(page, folder, monkeypatch):
    monkeypatch.chdir(folder)
    commands, files = steps(page)
    for name, content in files.items():
        (folder / name).write_text(content)
    said = {}
    for words in commands:
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, f"{words}\n{result.output}"
        said[" ".join(words[:2])] = result.output
    return said


@long
def test_the_tutorial_of_graphs(tmp_path, monkeypatch):
    said = follow("tutorials/graph.md", tmp_path, monkeypatch)
    assert "degree-only baseline" in said["audit royal"]
    assert (tmp_path / "runs" / "rules" / "report.html").exists()
    assert (tmp_path / "why.html").exists() and (tmp_path / "uncle.txt").exists()


def test_the_tutorial_of_drugs(tmp_path, monkeypatch):
    said = follow("tutorials/drugs.md", tmp_path, monkeypatch)
    assert "CYP3A4" in said["explain runs/cyp"]
    assert "known (test_S1)" in said["ddi screen"]
    assert (tmp_path / "runs" / "cyp" / "report.html").exists()


@long
@pytest.mark.data
def test_the_tutorial_of_molecules(tmp_path, monkeypatch, real_data):
    pytest.importorskip("rdkit")
    monkeypatch.setenv("PARSIMONY_DATA", str(real_data))
    said = follow("tutorials/molecules.md", tmp_path, monkeypatch)
    assert "Oc1ccc(Br)cc1" in said["adapt runs/tox"]
    assert (tmp_path / "why.html").exists()


@long
def test_the_page_of_ontologies(tmp_path, monkeypatch):
    pytest.importorskip("pyoxigraph")
    said = follow("howto/ontology.md", tmp_path, monkeypatch)
    assert "symmetric(cousin)" in said["knowledge show"]
    assert (tmp_path / "runs" / "guided" / "knowledge.toml").exists()


def test_the_gallery_shows_what_is_drawn():
    """Every picture is on the page, and every one on the page is drawn by scripts/gallery.py."""
    from scripts.gallery import OF_DRUGS, OF_GRAPH

    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    on_page = set(re.findall(r"\]\(gallery/([\w]+)\.svg\)", page))
    assert on_page == {path.stem for path in (ROOT / "docs" / "gallery").glob("*.svg")}
    assert on_page == {*OF_GRAPH, *OF_DRUGS, "uncle", "ketoconazole", "symbols"}


# ---- notebooks -----------------------------------------------------------------------------------

NOTEBOOKS = ROOT / "docs" / "notebooks"


def shown(book):
    """All that the cells of a notebook show, as text."""
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    parts = [o.get("text", "") + "".join(o.get("data", {}).values()) for o in outputs]
    return "\n".join(parts)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_kept_as_it_ran(path):
    nbformat = pytest.importorskip("nbformat")
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    numbers = [cell.execution_count for cell in book.cells if cell.cell_type == "code"]
    assert numbers == list(range(1, len(numbers) + 1)), "run scripts/run_notebooks.py"
    assert path.stat().st_size < 60_000
    text = path.read_text(encoding="utf-8")
    assert "Traceback" not in text and not re.search(r"/(home|root|tmp|work|Users)/", text)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("graph", ["uncle(X,Y)", "<table>", "MRR 0."], marks=long),
        ("drugs", ["CYP3A4", "<table>", "clinical use"]),
        pytest.param("molecules", ["Oc1ccc(Br)cc1", "svg"], marks=[long, pytest.mark.data]),
    ],
)
def test_a_notebook_runs(name, words, tmp_path, monkeypatch, request):
    """As it stands, in a fresh kernel; what it keeps is what it shows now."""
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    if name == "molecules":
        pytest.importorskip("rdkit")
        monkeypatch.setenv("PARSIMONY_DATA", str(request.getfixturevalue("real_data")))
    from nbformat import read
    from scripts.run_notebooks import executed

    path = NOTEBOOKS / f"{name}.ipynb"
    now, kept = shown(executed(path, tmp_path)), shown(read(path, as_version=4))
    for word in words:
        assert word in now and word in kept, word
