"""Names from files cannot command a terminal: no verb prints a control character."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.visible import visible

CLIPBOARD, TITLE, CLEAR = "\x1b]52;c;ZXZpbA==\x07", "\x1b]0;owned\x07", "\x1b[2J"
BIDI, C1 = "\u202eevil\u2066", "\x9b2J"
COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    folder = tmp_path_factory.mktemp("escapes")
    relations = [f"likes{CLIPBOARD}", f"knows{TITLE}{CLEAR}", f"is{BIDI}{C1}"]
    rows = [
        f"a{i}{CLEAR}\t{relations[i % 3]}\ta{(i * k + 1) % 20}{CLEAR}"
        for i in range(20)
        for k in (1, 3, 7)
    ]
    (folder / "esc.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def run(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code in (0, 1, 2), result.output
    return result


def test_no_verb_prints_a_control_character(graph):
    data, out = graph / "esc.tsv", graph / "run"
    head, relation = f"a1{CLEAR}", f"knows{TITLE}{CLEAR}"
    verbs = [
        ("audit", data),
        ("rules", data),
        ("fit", data, "--task", "link", "--method", "rules", "--out", out),
        ("evaluate", out),
        ("predict", out, "--head", head, "--relation", relation),
        ("predict", out, "--head", head + "x", "--relation", relation),
        ("explain", out, "--head", head, "--relation", relation, "--tail", f"a8{CLEAR}"),
        ("report", out),
        ("audit", graph / f"no{CLIPBOARD}file"),
        ("methods", f"red{CLIPBOARD}gnn"),
    ]
    for words in verbs:
        result = run(*words)
        assert not COMMANDS.search(result.stdout), words[0]
        assert not COMMANDS.search(result.stderr), words[0]
    assert "\\x1b]52" in run("audit", data).stdout


def test_json_holds_the_names_as_they_are(graph):
    answers = json.loads(
        run("predict", graph / "run", "--head", f"a1{CLEAR}", "--relation", f"is{BIDI}{C1}",
            "--json").stdout
    )  # fmt: skip
    assert answers["query"]["relation"] == f"is{BIDI}{C1}"


@given(st.text())
def test_what_is_visible_commands_nothing(text):
    assert not COMMANDS.search(visible(text))
    assert "\n" not in visible(text, one_line=True)
    visible(text).encode()


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Zl", "Zp"])))
def test_other_text_is_left_alone(text):
    assert visible(text) == text
