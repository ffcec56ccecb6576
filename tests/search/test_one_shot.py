"""One-shot scores tell what a structure cannot express, and repeat themselves."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony.knowledge.symbol import Symbol
from parsimony.link.embeddings.bilinear import Bilinear
from parsimony.link.embeddings.objective import Objective
from parsimony.link.loading import load
from parsimony.link.task import LinkTask
from parsimony.search.one_shot import one_shot_scores
from parsimony.training import trainer

SYMBOLS = [Symbol.parse(name) for name in ("DistMult", "ComplEx", "SimplE", "CP")]


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """Who is ahead of whom in a ring: the opposite is never true."""
    folder = tmp_path_factory.mktemp("ring")
    rows = [f"e{i}\tahead\te{(i + d) % 30}" for i in range(30) for d in range(1, 9)]
    np.random.default_rng(0).shuffle(rows)
    for name, part in (("train", rows[:180]), ("valid", rows[180:220]), ("test", rows[220:])):
        (folder / f"{name}.txt").write_text("\n".join(part) + "\n")
    return LinkTask(load(folder))


def scores(task, **more):
    model = Bilinear(dim=16, epochs=60, seed=0, threads=1, n3=0.0, dropout=0.0)
    return one_shot_scores(model, task, SYMBOLS, **more)


def test_a_symmetric_structure_is_found_out(task):
    found = scores(task)
    assert found.shape == (4,)
    assert ((found > 0) & (found <= 1)).all()
    assert found[0] < found[1]
    assert (scores(task) == found).all()
    assert not (scores(task, max_queries=10) == found).all()


def test_a_budget_ends_the_shared_training(task, monkeypatch):
    steps, take = [], Objective.step
    monkeypatch.setattr(Objective, "step", lambda *given: steps.append(1) or take(*given))
    monkeypatch.setattr(trainer, "clock", lambda: float(len(steps)))
    assert scores(task, time_budget=3.0).shape == (4,)
    assert len(steps) <= 4
