"""Stated mechanisms: what is counted, what is refused, and that they come first in a reason."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import parsimony
from parsimony.ddi.mechanisms import (
    measure_mechanisms,
    mechanisms_of,
    parse_mechanisms,
    stated_lines,
)
from parsimony.ddi.metapaths.method import Walks
from parsimony.errors import FormatError, UnknownEntity, UnknownRelation
from parsimony.knowledge import parse_rule

EXAMPLES = Path(__file__).parents[2] / "examples" / "mechanisms"
INHIBITION = "metabolism_decreased(A,B) <- inhibits_strongly(A,E), substrate_of(B,E)"
QT = "qt_prolongation(A,B) <- prolongs(A,QT_interval), prolongs(B,QT_interval)"
#: accidental by itself: neither drug's walk of this kind says anything of the type
RARE = "absorption_decreased(A,B) <- supplies(A,E), bound_by(B,E)"


@pytest.fixture(scope="module")
def task():
    return parsimony.open_task("ddi", "cyp", {"setting": "S1"})


def test_counts_are_those_of_a_plain_loop(task):
    data, graph = task.data, task.background
    facts = {
        (graph.entities.name(h), graph.relations.name(r), graph.entities.name(t))
        for h, r, t in graph.triples.tolist()
    }
    rows = task.pairs("train")
    pairs = {(a, b) for a, _, b in rows.tolist()}
    kind = data.types.index("metabolism_decreased")
    acting = {(a, b) for a, t, b in rows.tolist() if t == kind}
    support = count = reverse = 0
    for a, b in pairs | {(b, a) for a, b in pairs}:
        one, other = data.drugs.name(a), data.drugs.name(b)
        targets = {t for h, r, t in facts if (h, r) == (one, "inhibits_strongly")}
        if any((other, "substrate_of", t) in facts for t in targets):
            count += 1
            support += (a, b) in acting
            reverse += (b, a) in acting and (a, b) not in acting
    (found,) = measure_mechanisms(mechanisms_of([parse_rule(INHIBITION)], task), task)
    assert (found.rule.support, found.rule.body_count, found.reverse) == (support, count, reverse)
    assert support and found.lift > 1


def test_every_pair_with_walks_has_a_path_of_stored_facts(task):
    facts = {tuple(row) for row in task.background.triples.tolist()}
    for mechanism in mechanisms_of([parse_rule(INHIBITION), parse_rule(QT)], task):
        kind = mechanism.types[0]
        rows = task.pairs("train")[:60]
        counts = mechanism.counts(np.ascontiguousarray(rows[:, [0, 2]]))[:, kind]
        for (a, _, b), n in zip(rows.tolist(), counts, strict=True):
            path = mechanism.path(kind, a, b)
            assert bool(path) == bool(n)
            for (x, hop, y), (_, _, ahead) in itertools.pairwise([*path, path[-1]] if path else []):
                assert ((y, hop.relation, x) if hop.inverse else (x, hop.relation, y)) in facts
                assert hop.entity in (-1, y) and ahead is not None


def test_words_name_every_type_whose_sentence_has_them(task):
    (mechanism,) = parse_mechanisms(["metabolism(A,B) <- prolongs(A,E), prolongs(B,E)"], task)
    names = {task.data.types.name(kind) for kind in mechanism.types}
    assert names == {"metabolism_decreased", "metabolism_increased"}


@pytest.mark.parametrize(
    ("line", "error", "says"),
    [
        ("metabolism_decreased(A,B) <- inhibit_strongly(A,E), substrate_of(B,E)",
         UnknownRelation, "inhibits_strongly"),
        ("metabolism_decreasd(A,B) <- inhibits_strongly(A,E), substrate_of(B,E)",
         UnknownRelation, "metabolism_decreased"),
        ("qt_prolongation(A,B) <- prolongs(A,QT_intervall), prolongs(B,QT_intervall)",
         UnknownEntity, "QT_interval"),
        ("qt_prolongation(A,B) <- prolongs(A,E)", FormatError, "variable B"),
        ("qt_prolongation(A,B) <- prolongs(A,E), prolongs(B,F)", FormatError, "not a path"),
        ("qt_prolongation(A,B) <- prolongs(A,E), prolongs(B,E), blocks(B,F)",
         FormatError, "not a path"),
        ("qt_prolongation(A,voriconazole) <- prolongs(A,E), prolongs(voriconazole,E)",
         FormatError, "not a path"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(task, tmp_path, line, error, says):
    file = tmp_path / "mine.rules"
    file.write_text(f"# stated by hand\n\n{line}\n")
    with pytest.raises(error) as caught:
        parse_mechanisms(stated_lines(file), task)
    assert caught.value.where == f"{file}:3"
    assert caught.value.remedy and says in f"{caught.value.message} {caught.value.remedy}"


def test_a_file_without_mechanisms_is_refused(tmp_path):
    (tmp_path / "none.rules").write_text("# nothing\n")
    with pytest.raises(FormatError, match="no mechanism"):
        stated_lines(tmp_path / "none.rules")


def test_walks_learn_what_is_stated_and_say_it_first(task, tmp_path):
    stated = [parse_rule(line) for line in (INHIBITION, QT, RARE)]
    plain = Walks(penalty=0.03).fit(task)
    model = Walks(penalty=0.03).fit(task, knowledge=stated)
    assert len(model.stated_) == 3 and (model.stated_ >= 0).all() and model.stated_[:2].all()
    data = task.data
    row = np.array([[data.drug("voriconazole"), data.types.index("qt_prolongation"),
                     data.drug("amiodarone")]], np.int32)  # fmt: skip
    assert model.reasons(row)[0].startswith("stated: ")
    assert not plain.reasons(row)[0].startswith("stated: ")
    found = model.explain("voriconazole", "qt_prolongation", "amiodarone", draws=0)
    assert next(iter(found.parts)).startswith("stated: ")
    assert found.rules[0].clause == QT.replace(" <- ", " <- ") and found.rules[0].support
    logit = sum(found.parts.values())
    assert found.score == pytest.approx(logit, abs=1e-4)
    model.save(tmp_path / "run")
    again = parsimony.load_run(tmp_path / "run")
    assert again.reasons(row) == model.reasons(row)
    pairs = np.ascontiguousarray(task.pairs("valid")[:, [0, 2]])
    np.testing.assert_allclose(
        again.predict_proba(pairs, "valid"), model.predict_proba(pairs, "valid"), atol=1e-6
    )


def test_forgetting_a_mechanism_leaves_the_model_without_it(task):
    pairs = np.ascontiguousarray(task.pairs("valid")[:, [0, 2]])
    plain = Walks(penalty=0.03).fit(task).predict_proba(pairs, "valid")
    silent = "absorption_decreased(A,B) <- toxic_with_low(A,E), toxic_with_low(B,E)"
    unheard = Walks(penalty=0.03, mechanisms=[silent]).fit(task).predict_proba(pairs, "valid")
    np.testing.assert_allclose(unheard, plain, atol=1e-6)


@pytest.mark.parametrize("name", ["cyp.rules", "drugbank.rules"])
def test_the_examples_read(name, task):
    lines = stated_lines(EXAMPLES / name)
    if name == "cyp.rules":
        assert all(m.rule.support for m in measure_mechanisms(parse_mechanisms(lines, task), task))
