"""An escape in N-Triples that is no character: an error with its line, or the character."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.graph import read_triples

GOOD = "<urn:a> <urn:r> <urn:b> .\n"


@pytest.mark.parametrize("escape", [r"\U00110000", r"\uD800", r"\u12", r"\x41"])
@pytest.mark.parametrize("place", ["<urn:{}> <urn:r> <urn:c> .", '<urn:c> <urn:r> "{}" .'])
def test_an_escape_that_is_no_character(escape, place, tmp_path):
    pytest.importorskip("pyoxigraph")
    file = tmp_path / "bad.nt"
    file.write_text(GOOD + place.format(escape) + "\n")
    result = CliRunner().invoke(app, ["audit", str(file), "--json", "--task", "link"])
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["type"]) == (2, "FormatError")
    assert error["where"] == f"{file}:2"
    assert "Traceback" not in result.stderr


def test_a_pair_of_halves_is_its_character(tmp_path):
    pytest.importorskip("pyoxigraph")
    file = tmp_path / "pair.nt"
    rows = [f"<urn:e{i % 9}> <urn:r> <urn:e{(i + 2) % 9}> .\n" for i in range(9)]
    file.write_text("".join(rows) + "<urn:\\uD83D\\uDE00> <urn:r> <urn:e1> .\n")
    found = read_triples(file)
    assert found["head"][-1] == "urn:\U0001f600"
