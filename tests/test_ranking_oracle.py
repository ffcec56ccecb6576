"""``evaluate`` ranks by sparse counting; here once more, by dense rows and plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony.graph import Vocabulary
from parsimony.link.data import LinkData
from parsimony.link.task import LinkTask
from parsimony.methods import estimators


def families() -> LinkData:
    """Ten families of three generations: grandparents follow from parents."""
    parent, grand = [], []
    for f in range(10):
        a, b, c, d = (4 * f + i for i in range(4))
        parent += [(a, 0, b), (b, 0, c), (b, 0, d)]
        grand += [(a, 1, c), (a, 1, d)]
    return LinkData(
        "families",
        Vocabulary([f"person{i}" for i in range(40)]),
        Vocabulary(["parent", "grandparent"], kind="relation"),
        np.array(parent + grand[:14], np.int32),
        np.array(grand[14:17], np.int32),
        np.array(grand[17:], np.int32),
    )


@pytest.mark.parametrize("popularity", [0.0, 0.5])
@pytest.mark.parametrize("unreached", ["zero", "below", "frequency"])
@pytest.mark.parametrize(
    "method", sorted(name for name, cls in estimators().items() if cls.kind == "link")
)
def test_metrics_follow_from_scores(method, unreached, popularity):
    cls = estimators()[method]
    if "unreached" not in cls.Parameters.model_fields and unreached != "below":
        pytest.skip("vectors reach every entity")
    if "popularity" not in cls.Parameters.model_fields and popularity:
        pytest.skip("walks alone know no entity")
    small = {"dim": 16, "n_layers": 2, "epochs": 2, "threads": 1}
    small |= {"unreached": unreached, "popularity": popularity}
    values = {k: v for k, v in small.items() if k in cls.Parameters.model_fields}
    data = families()
    task = LinkTask(data)
    estimator = cls(**values).fit(task)
    known = {tuple(row) for split in ("train", "valid", "test") for row in data.triples(split)}
    ranks = {"metrics": [], "optimistic": [], "pessimistic": []}
    for h, r, t in data.test.tolist():
        for entity, relation, answer in ((h, r, t), (t, r + task.n_relations, h)):
            row = estimator.scores(np.array([[entity, relation]]))[0]
            rivals = [
                e
                for e in range(data.n_entities)
                if e != answer and ((h, r, e) if relation == r else (e, r, t)) not in known
            ]
            greater = int((row[rivals] > row[answer]).sum())
            equal = int((row[rivals] == row[answer]).sum())
            ranks["optimistic"].append(1 + greater)
            ranks["pessimistic"].append(1 + greater + equal)
            ranks["metrics"].append(1 + greater + equal / 2)
    result = estimator.evaluate("test")
    for policy, values_ in ranks.items():
        rank = np.array(values_)
        assert result[policy]["mrr"] == pytest.approx((1 / rank).mean())
        for k in (1, 3, 10):
            assert result[policy][f"hits@{k}"] == pytest.approx((rank <= k).mean())
