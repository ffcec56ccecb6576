"""The facts that a new drug's file states, in graphs like Hetionet and the DrugBank layer."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony.ddi.background import Background
from parsimony.ddi.drug_facts import facts_of
from parsimony.ddi.drug_file import NewDrug, StatedFact
from parsimony.errors import FormatError, UnknownEntity, UnknownRelation
from parsimony.graph import Vocabulary

pytestmark = pytest.mark.usefixtures("cache")

NODES = {
    "Gene::1576": "CYP3A4", "Gene::5243": "ABCB1", "Side Effect::C0027497": "Nausea",
    "Symptom::D009325": "Nausea", "Drug Class::1": "Azoles", "Pharmacologic Class::1": "Azoles",
    "Gene::7": "twin", "Gene::8": "twin",
}  # fmt: skip
FACTS = [
    ("a", "CbG", "Gene::1576"), ("a", "inhibitor of enzyme", "Gene::1576"),
    ("b", "substrate of enzyme", "Gene::1576"), ("b", "has_enzyme", "Gene::5243"),
    ("a", "inhibitor of transporter", "Gene::5243"), ("b", "CcSE", "Side Effect::C0027497"),
    ("Disease::1", "DpS", "Symptom::D009325"), ("Pharmacologic Class::1", "PCiC", "a"),
    ("a", "in_class", "Drug Class::1"), ("a", "CbG", "Gene::7"), ("a", "CbG", "Gene::8"),
    ("a", "CrC", "b"),
]  # fmt: skip


def graph(*leave_out) -> Background:
    facts = [fact for fact in FACTS if fact[1] not in leave_out]
    nodes = [*NODES, "Disease::1"]
    entities = Vocabulary(["a", "b", *nodes], "entity")
    relations = Vocabulary(list(dict.fromkeys(r for _, r, _ in facts)), "relation")
    rows = [(entities.index(h), relations.index(r), entities.index(t)) for h, r, t in facts]
    labels = ("Drug A", "Drug B", *NODES.values(), "gout")
    return Background(entities, labels, relations, np.array(rows, np.int32), 2)


def found(*facts, of=None):
    of = of or graph()
    drug = NewDrug("new", "", np.zeros(1024, np.uint8), facts, "new.toml")
    return {
        (of.relations.name(r), of.entities.name(e)) if out
        else (of.entities.name(e), of.relations.name(r))
        for r, e, out in facts_of(drug, of)
    }  # fmt: skip


BINDS = ("CbG", "Gene::1576")


@pytest.mark.parametrize("name", ["CYP3A4", "cyp3a4", "Gene::1576", "1576"])
def test_a_protein_by_name_or_id_with_what_is_done_to_it(name):
    expected = {("inhibitor of enzyme", "Gene::1576"), BINDS}
    assert found(StatedFact("enzymes", name, "inhibitor")) == expected
    assert found(StatedFact("enzymes", name, "Inhibitor")) == expected
    assert found(StatedFact("enzymes", name)) == {("has_enzyme", "Gene::1576"), BINDS}


def test_hetionet_alone_says_only_that_it_binds():
    plain = graph("inhibitor of enzyme", "substrate of enzyme", "has_enzyme")
    assert found(StatedFact("enzymes", "CYP3A4", "inhibitor"), of=plain) == {BINDS}
    assert found(StatedFact("targets", "CYP3A4"), of=plain) == {BINDS}


def test_the_relation_chooses_among_equal_names():
    assert found(StatedFact("side_effects", "nausea")) == {("CcSE", "Side Effect::C0027497")}
    assert found(StatedFact("classes", "Azoles")) == {("in_class", "Drug Class::1")}


def test_a_relation_into_drugs_is_turned():
    assert found(StatedFact("PCiC", "Azoles")) == {("Pharmacologic Class::1", "PCiC")}
    assert found(StatedFact("CrC", "Drug B")) == {("CrC", "b")}


def test_what_is_said_twice_is_one_fact():
    twice = found(StatedFact("enzymes", "CYP3A4", "inhibitor"), StatedFact("CbG", "1576"))
    assert len(twice) == 2


@pytest.mark.parametrize(
    ("stated", "error", "says"),
    [
        (StatedFact("enzymes", "CYP3A4", "inhibitr"), UnknownRelation, "'inhibitor'"),
        (StatedFact("enzims", "CYP3A4"), UnknownRelation, "'enzymes'"),
        (StatedFact("enzymes", "CYP3A5"), UnknownEntity, "'CYP3A4'"),
        (StatedFact("indications", "gout"), UnknownRelation, "DpS"),
        (StatedFact("targets", "twin"), FormatError, "Gene::7, Gene::8"),
    ],
)
def test_what_the_graph_cannot_say_is_an_error(stated, error, says):
    with pytest.raises(error) as caught:
        found(stated)
    assert says in caught.value.remedy
    assert caught.value.where == "new.toml"
