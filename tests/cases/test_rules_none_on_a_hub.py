"""Rules through a hub are found, exactly counted, in seconds; what is left out is noted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from parsimony import datasets
from parsimony.cli import app
from parsimony.knowledge import parse_rule


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    n, rng = 60_000, np.random.default_rng(0)
    rows = [f"x{i}\ttype\tThing\n" for i in range(n)]
    rows += [f"x{i}\tin\tc{i % 20}\n" for i in range(n)]
    rows += [f"x{i}\tknows\tx{a}\n" for i, a in enumerate(rng.integers(0, n, 20_000).tolist())]
    file = tmp_path_factory.mktemp("hub") / "hub.tsv"
    file.write_text("".join(rows))
    return file


def typed(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def by_sets(path):
    """Support and body count of type(X,Y) <- knows(X,A), type(A,Y), with plain sets."""
    data = datasets.load(path)
    names = data.relations.names
    facts = data.train.tolist()
    kind = {(h, t) for h, r, t in facts if names[r] == "type"}
    of = {h: t for h, t in kind}
    pairs = {}
    for h, r, t in facts:
        if names[r] == "knows" and t in of:
            pairs.setdefault((h, of[t]), set()).add(t)
    support = sum(p in kind and any(a != p[0] for a in via) for p, via in pairs.items())
    return support, support + sum(p not in kind for p in pairs)


@pytest.mark.slow
def test_found_and_exactly_counted(path):
    done = typed("rules", path, "--top", 5, "--json")
    rules = {(r := parse_rule(found["text"])).clause: r for found in done["rules"]}
    rule = rules["type(X,Y) <- knows(X,A), type(A,Y)"]
    assert (rule.support, rule.body_count) == by_sets(path)
    assert "type(X,Y) <- knows(A,X), type(A,Y)" in rules
    assert any("only rules of up to 2 atoms were mined" in note for note in done["notes"])
    two = typed("rules", path, "--top", 5, "--max-length", 2, "--json")
    assert two["rules"] == done["rules"]
    assert not any("only rules of up to" in note for note in two["notes"])


@pytest.mark.slow
def test_fit_uses_them_and_tells(path, tmp_path):
    done = typed("fit", path, "--method", "rules", "--out", tmp_path / "run", "--json", "--quiet")
    assert done["parameters"] >= 2
    assert any("only rules of up to 2 atoms were mined" in note for note in done["notes"])
    again = typed("rules", tmp_path / "run", "--json")
    assert any("only rules of up to 2 atoms were mined" in note for note in again["notes"])
