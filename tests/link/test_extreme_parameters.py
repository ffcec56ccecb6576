"""Parameters far outside of what makes sense: refused with a reason, or they work."""

from __future__ import annotations

import math

import pytest
from tests.link.test_edge_graphs import LINE, SMALL, data

from parsimony.errors import ParsimonyError
from parsimony.link.task import LinkTask
from parsimony.methods import OURS, resolve

EXTREMES = (
    -1, 0, 1, 12, 10**12, 10**30, 1e-320, 1e-45, 0.5, 1.0, 1e30, 1e300, math.inf, math.nan,
    -math.inf, True, "x", "", [], (1, 2), {}, None,
)  # fmt: skip
#: more of these only takes longer
LIMITED = {"dim": 8, "n_layers": 6, "threads": 8, "epochs": 2}
CASES = [
    (method, name)
    for method in ("redgnn", "adaprop", "rules", "complex", "transe", "rotate", "bilinear")
    for name in resolve(method).Parameters.model_fields
]
TASK = LinkTask(data(LINE, [(0, 0, 2)], [(1, 0, 3)]))


def test_every_method_shares_the_parameters_of_these():
    covered = {name for method, name in CASES} | {"members", "weight"}  # a blend's, of its own
    covered |= {"member", "knowledge_as", "sure"}  # of a method with a book around it
    for method in OURS["link"]:
        assert set(resolve(method).Parameters.model_fields) <= covered


@pytest.mark.slow
@pytest.mark.parametrize(("method", "name"), CASES, ids=[f"{m}-{name}" for m, name in CASES])
def test_refused_or_works(method, name):
    cls = resolve(method)
    for value in EXTREMES:
        if name in LIMITED and isinstance(value, int) and value > LIMITED[name]:
            value = LIMITED[name]
        values = {k: v for k, v in SMALL.items() if k in cls.Parameters.model_fields}
        try:
            model = cls(**values | {name: value}).fit(TASK)
            measured = model.evaluate("test")
            told = model.predict("m0", "r0", candidates=["m1", "m2"])
        except ParsimonyError as error:
            assert str(error)
            continue
        except Exception as error:
            raise AssertionError(f"{method}({name}={value!r}): {error!r}") from error
        assert 0 < measured["metrics"]["mrr"] <= 1, f"{method}({name}={value!r})"
        answers = [a for a in told["answers"] if a["score"] != -math.inf]
        assert all(math.isfinite(a["score"]) for a in answers), f"{method}({name}={value!r})"
        assert all(0 <= a["probability"] <= 1 for a in answers), f"{method}({name}={value!r})"
