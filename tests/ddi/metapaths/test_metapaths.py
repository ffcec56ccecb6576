"""The regression on walks: what it hides, what it says, and that what it says adds up."""

from __future__ import annotations

import numpy as np
import pytest
from tests.ddi.small_pairs import families

from parsimony import methods
from parsimony.ddi.explained_pair import ExplainedPair
from parsimony.ddi.metapaths.explain import WalksOfPair
from parsimony.ddi.task import DDIOptions, DDITask
from parsimony.errors import InvalidParameter
from parsimony.kernels.emergnn.metapaths import walks_of
from parsimony.pipeline import fit
from parsimony.run import RunFolder

PAIR = "ketoconazole", "midazolam"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A model of the embedded drugs, without shared weights, so that only mechanisms count."""
    path = tmp_path_factory.mktemp("walks") / "run"
    parameters = {"shared_weights": False, "neighbour_edges": 0}
    model, summary = fit("cyp", "walks", out=path, parameters=parameters)
    return model, summary, path


def test_the_readable_model_names_inhibitor_and_substrate(run):
    model, summary, path = run
    assert summary["valid"]["accuracy"] > 0.9
    lines = RunFolder.open(path).read_toml("knowledge.toml")["rules"]
    assert lines == [str(line) for line in model.knowledge(top=200)]
    slowed = [line for line in lines if "=> type metabolism_decreased" in line]
    assert slowed[0].startswith("+")
    assert "(#Drug1 –inhibits_" in slowed[0]
    assert "→ ? ←" in slowed[0]
    assert "substrate_of– #Drug2)" in slowed[0]
    assert '"#Drug1 may slow the metabolism of #Drug2."' in slowed[0]
    hastened = [line for line in lines if "=> type metabolism_increased" in line]
    assert "(#Drug1 –induces_" in hastened[0]


def test_its_parameters_are_its_lines(run):
    model, summary, _ = run
    lines = model.knowledge()
    intercepts = np.count_nonzero(model.weights_.intercept)
    assert summary["parameters"] == len(lines) + intercepts
    assert model.cost_.as_dict()["parameters"] == summary["parameters"]
    assert all(model.weights_.own.any(1)), "metapaths without a weight are dropped"
    few = model.knowledge(top=20)
    assert len(few) == 20
    assert {line.type for line in few} >= {"bleeding", "metabolism_decreased"}


def test_the_explanation_adds_up_and_names_the_enzyme(run):
    model, _, path = run
    found = model.explain(PAIR[0], None, PAIR[1])
    assert found.query == (PAIR[0], "type metabolism_decreased", PAIR[1])
    assert found.score == pytest.approx(sum(found.parts.values()), rel=1e-5)
    assert found.paths[0].steps[0].source == PAIR[0]
    assert found.paths[0].steps[-1].target == PAIR[1]
    assert "CYP3A4" in found.paths[0].steps[0].target
    assert any("inhibits_strongly" in name for name in found.parts)
    assert found.faithfulness.deleted_drop > found.faithfulness.random_drop
    # score is the logit above the average type: two types differ as their probabilities do,
    # calibrated at a temperature
    other = model.explain(PAIR[0], "bleeding", PAIR[1])
    learned = model.calibration_of(model.predict(*PAIR)["setting"])
    gap = np.log(found.probability / other.probability) * learned.temperature
    assert found.score - other.score == pytest.approx(gap, rel=1e-4)
    again = methods.load_run(path).explain(PAIR[0], None, PAIR[1])
    assert again.to_dict() == found.to_dict()
    assert "What the score is made of" in found.text()


def walks_of_pair(model):
    numbers = ExplainedPair.of(model, PAIR[0], None, PAIR[1]).numbers
    return WalksOfPair(model._model, model._graph(model.task_.visible("test")), *numbers)


def test_explained_counts_are_the_kernels(run):
    model, _, _ = run
    pair = walks_of_pair(model)
    counts, _ = walks_of(pair.graph, pair.u, pair.v, 4, model._kinds)
    expected = [counts[code] for code in model.metapaths_.tolist()]
    assert pair.parts()[2].tolist() == expected
    assert sum(expected) > 0


def test_deleting_everything_leaves_no_walk(run):
    model, _, _ = run
    pair = walks_of_pair(model)
    assert pair.logit() > 0
    assert pair.logit(np.zeros(len(pair.own), bool)) == 0


def test_shared_weights_carry_the_type_and_add_up():
    pytest.importorskip("rdkit")
    model = methods.resolve("walks")().fit(DDITask(families(), DDIOptions(setting="S1")))
    shared = [line for line in model.knowledge() if not line.type]
    assert any("alike" in line.metapath and line.weight > 0 for line in shared)
    assert str(shared[0]).endswith("=> that type")
    found = model.explain("ol4", None, "amine1")
    assert found.score == pytest.approx(sum(found.parts.values()), rel=1e-5)
    assert any(name.endswith("voting") for name in found.parts)
    other = model.explain("ol4", "t0", "amine1")
    learned = model.calibration_of(model.predict("ol4", "amine1")["setting"])
    gap = np.log(found.probability / other.probability) * learned.temperature
    assert found.score - other.score == pytest.approx(gap, rel=1e-3)


def test_a_training_pair_does_not_see_itself():
    """With the pair's own interaction's type exchanged, S0 answers as before."""
    pytest.importorskip("rdkit")
    import dataclasses

    data = families()
    model = methods.resolve("walks")().fit(DDITask(data, DDIOptions(setting="S0")))
    a, kind, b = data.pairs["train"][0].tolist()
    pair = np.array([[a, b], [b, a]], np.int32)
    before = model.predict_proba_leave_pair_out(pair)
    rows = data.pairs["train"].copy()
    rows[0, 1] = (kind + 4) % 9
    changed = dataclasses.replace(data, pairs={**data.pairs, "train": rows})
    tensors = model._tensors()
    model.prepare(DDITask(changed, DDIOptions(setting="S0")))
    model._rebuild(tensors)
    np.testing.assert_array_equal(model.predict_proba_leave_pair_out(pair), before)


def test_the_same_seed_gives_the_same_model(tmp_path):
    data = "cyp"
    for name in ("one", "other"):
        fit(data, "walks", out=tmp_path / name, parameters={"max_pairs": 200, "penalty": 0.05})
    files = [(tmp_path / n / "model.safetensors").read_bytes() for n in ("one", "other")]
    assert files[0] == files[1]


def test_too_many_relations_are_refused():
    from parsimony.ddi.background import Background
    from parsimony.graph import Vocabulary

    pytest.importorskip("rdkit")
    data = families()
    background = Background(
        Vocabulary(list(data.drugs.names), "entity"), data.names,
        Vocabulary([f"r{i}" for i in range(250)], "relation"),
        np.array([[0, i, 1] for i in range(250)], np.int32), data.n_drugs,
    )  # fmt: skip
    with pytest.raises(InvalidParameter, match="too many to count"):
        methods.resolve("walks")().fit(DDITask(data, None, background))
