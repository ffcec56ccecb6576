"""Trials and searches of symbols look at validation only, and a search goes on by present names."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.link.embeddings.small_graphs import inverses

from parsimony.errors import (
    EmptySplit,
    InvalidParameter,
    LedgerMismatch,
    UnknownParameter,
    UnknownRelation,
)
from parsimony.knowledge.axioms import parse_axiom
from parsimony.knowledge.book import Entry, KnowledgeBook, read_book
from parsimony.knowledge.symbol import Symbol
from parsimony.link.data import LinkData
from parsimony.link.embeddings.bilinear import Bilinear
from parsimony.link.task import LinkTask
from parsimony.search import Budget, SearchRequest, run_search
from parsimony.search.symbols import SymbolSearch, SymbolTrial

SETTINGS = {"dim": 8, "epochs": 4, "threads": 1, "per_round": 2}


def request(out, **values):
    given = {"budget": Budget(trials=9), "settings": SETTINGS, "compare": 0, **values}
    return SearchRequest(given.pop("data", inverses()), out=out, **given)


def test_a_trial_looks_at_validation_only(monkeypatch):
    def refuse(self, split):
        assert split == "valid"
        return real(self, split)

    real = LinkTask.queries
    monkeypatch.setattr(LinkTask, "queries", refuse)
    task, how = LinkTask(inverses()), {"dim": 16, "epochs": 4, "seed": 1}
    trial = SymbolTrial(task, {"threads": 1, "reciprocal": False})
    first, again = (trial(Symbol.named()["SimplE"], **how) for _ in range(2))
    assert first.valid_mrr == again.valid_mrr > 0
    assert first.epochs == 4
    assert first.parameters == 16 * (task.data.n_entities + task.n_relations)
    assert first.seconds > 0


def test_a_search_needs_validation(tmp_path):
    none = np.empty((0, 3), np.int32)
    data = inverses()
    bare = LinkData("bare", data.entities, data.relations, data.train, none, data.test)
    with pytest.raises(EmptySplit, match="valid split of bare"):
        run_search(request(tmp_path, data=bare))


def test_a_search_takes_former_names_of_settings(tmp_path):
    old = SETTINGS | {"share": 0.5, "average": 0.5}
    with pytest.warns(FutureWarning, match="is now called"):
        _, first = run_search(request(tmp_path / "a", settings=old))
    new = SETTINGS | {"fraction": 0.5, "ema_decay": 0.5}
    _, again = run_search(request(tmp_path / "b", settings=new))
    assert first["best"] == again["best"]
    with pytest.raises(UnknownParameter, match="fraktion"):
        run_search(request(tmp_path / "c", settings=SETTINGS | {"fraktion": 0.5}))


def test_trials_of_before_parameters_were_renamed_still_count(tmp_path):
    _, first = run_search(request(tmp_path))
    path = tmp_path / "search" / "trials.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    head = json.loads(lines[0])
    head["trainer"]["average"] = head["trainer"].pop("ema_decay")
    path.write_text("".join([json.dumps(head) + "\n", *lines[1:]]))
    before = path.read_bytes()
    _, again = run_search(request(tmp_path, resume=True))
    assert again == first
    assert path.read_bytes() == before
    with pytest.raises(LedgerMismatch, match=r"trainer\.ema_decay"):
        run_search(request(tmp_path, resume=True, settings=SETTINGS | {"ema_decay": 0.9}))


def test_shared_vectors_rank_a_pool(tmp_path):
    settings = SETTINGS | {"pool": 6}
    _, first = run_search(request(tmp_path, algorithm="supernet", settings=settings))
    kept = json.loads((tmp_path / "search" / "screening.json").read_text())
    assert len(kept["guesses"]) == 6
    assert all(0 < guess <= 1 for guess in kept["guesses"].values())
    assert first["algorithm"] == "supernet"


def book(*lines):
    return KnowledgeBook(tuple(Entry(parse_axiom(line), line=line) for line in lines))


def test_relations_that_a_book_calls_symmetric_stay_so(tmp_path):
    known = book("symmetric(next)", "0.50  5/10  symmetric(last)", "transitive(last)")
    model, found = run_search(request(tmp_path, knowledge=known))
    every = np.arange(model.task_.data.n_entities, dtype=np.int32)
    for r, symmetric in ((0, True), (1, False), (2, True), (3, False)):
        scores = model._score(every, np.full(len(every), r, np.int32))
        assert np.allclose(scores, scores.T, atol=1e-5) == symmetric
    assert any("symmetric: 1 of 2 relations" in note for note in found["notes"])
    assert any("not used: 0.50  5/10  symmetric(last)" in note for note in found["notes"])
    for line in (tmp_path / "search" / "trials.jsonl").read_text().splitlines()[1:]:
        assert Symbol.parse(json.loads(line)["structure"]).patterns.symmetric == 4
    assert read_book(tmp_path / "knowledge.toml").axioms == [parse_axiom("symmetric(next)")]
    with pytest.raises(LedgerMismatch, match=r"trainer\.symmetric"):
        run_search(request(tmp_path, resume=True))


@pytest.mark.parametrize("algorithm", ["greedy", "supernet"])
def test_where_all_relations_are_symmetric_all_symbols_are(tmp_path, algorithm):
    known = book("symmetric(next)", "inverse(last, last)")
    how = {"settings": SETTINGS | {"pool": 4, "epochs": 2, "candidates": 4}, "algorithm": algorithm}
    run_search(request(tmp_path, knowledge=known, budget=Budget(trials=5), **how))
    lines = (tmp_path / "search" / "trials.jsonl").read_text().splitlines()[1:]
    tried = [Symbol.parse(json.loads(line)["structure"]) for line in lines]
    assert len({symbol.key for symbol in tried}) > 2
    assert all(symbol == symbol.transpose() for symbol in tried)


def test_a_book_of_other_relations_is_refused_with_its_line(tmp_path):
    with pytest.raises(UnknownRelation, match="nxt") as caught:
        run_search(request(tmp_path, knowledge=book("symmetric(nxt)")))
    assert caught.value.where == "symmetric(nxt)" and "next" in caught.value.remedy


def test_a_symbol_that_cannot_be_symmetric_is_refused():
    model = Bilinear(symbol="CP", symmetric="next", **{"dim": 8, "epochs": 1})
    with pytest.raises(InvalidParameter, match="no relation of the symbol"):
        model.fit(LinkTask(inverses()))


def test_a_book_adds_to_the_relations_that_are_set(tmp_path):
    asked = request(tmp_path, knowledge=book("symmetric(next)"), settings=SETTINGS | {
        "symmetric": "last, next"})  # fmt: skip
    assert SymbolSearch(asked).model.resolved_.symmetric == ("last", "next")
