"""What every registered method of every kind keeps: one test per method and promise."""

from __future__ import annotations

import pytest
from tests.ddi.small_pairs import families
from tests.link.test_link_methods import clan
from tests.molecules.small_molecules import chains
from tests.ratings.small_ratings import tastes

from parsimony import methods, problems, testing

DATA = {"link": clan, "ddi": families, "molecules": chains, "coldstart": tastes}
SETTINGS = {
    "link": {},
    "ddi": {"setting": "S1", "graph": "none"},
    "molecules": {"shots": (4, 1), "episodes": 2},
    "coldstart": {},
}
#: what makes a method quick, where it declares it
QUICK = {
    "dim": 16, "n_layers": 2, "epochs": 2, "batch": 8, "threads": 1, "max_length": 2, "hidden": 16,
    "encoder": "random", "layers": 1, "width": 16, "steps": 4, "validate_every": 2, "edge_dim": 8,
    "max_epochs": 2, "trees": 10,
}  # fmt: skip
MORE = {
    "ensemble": {
        "members": ({"method": "mlp", "hidden": 16, "epochs": 2}, {"method": "neighbours"})
    },
    "guided": {"member": {"method": "distmult", "dim": 16, "epochs": 30, "threads": 1}},
    "coldnas": {"hidden": (8, 8, 8)},
    "emergnn": {"dim": 8},
    "film": {"hidden": (8, 8, 8)},
}
QUERY = {
    "link": ("person 36", "grandparent", "person 39"),
    "ddi": ("ol4", None, "acid7"),
}
ASK = {
    "link": lambda model: model.predict(head="person 0", relation="grandparent"),
    "ddi": lambda model: model.predict("ol4", "acid7"),
    "molecules": lambda model: model.adapt(["CCCO", "CCCN"], [1, 0], ["CCCCO", "CCCCN"]),
    "coldstart": lambda model: model.adapt({"item 2": 5.0, "item 3": 1.0}, ["item 4", "item 5"]),
}


@pytest.fixture(scope="session")
def tasks(tmp_path_factory):
    """One task of every kind, and a cache of their own for what methods keep there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARSIMONY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield {
            kind: problems.open_task(kind, make(), SETTINGS[kind]) for kind, make in DATA.items()
        }


@pytest.fixture(scope="session")
def cases():
    """A method is fitted once for all promises."""
    return {}


@pytest.fixture(params=methods.names())
def case(request, tasks, cases, tmp_path_factory):
    name = request.param
    cls = methods.resolve(name)
    if cls.kind == "molecules":
        pytest.importorskip("rdkit")
    if name == "fingerprint-rf":
        pytest.importorskip("sklearn")
    if name not in cases:
        declared = cls.Parameters.model_fields
        parameters = {k: v for k, v in QUICK.items() if k in declared} | MORE.get(name, {})
        folder = tmp_path_factory.mktemp(name)
        cases[name] = testing.Case(
            cls, tasks[cls.kind], folder, parameters, QUERY.get(cls.kind), ASK[cls.kind]
        )
    return cases[name]


@pytest.mark.parametrize("promise", testing.CHECKS, ids=lambda promise: promise.__name__)
def test_promises(case, promise):
    promise(case)


def test_clone_is_what_scikit_learn_means(case):
    sklearn = pytest.importorskip("sklearn.base")
    copy = sklearn.clone(case.make())
    assert copy.get_params() == case.make().get_params()
    assert type(copy) is case.cls
