"""Trials and searches of symbols look at validation only, and a search goes on by present names."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.link.embeddings.small_graphs import inverses

from parsimony.errors import EmptySplit, LedgerMismatch, UnknownParameter
from parsimony.knowledge.symbol import Symbol
from parsimony.link.data import LinkData
from parsimony.link.task import LinkTask
from parsimony.search import Budget, SearchRequest, run_search
from parsimony.search.symbols import SymbolTrial

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
