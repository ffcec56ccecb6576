"""Add a drug to a fitted model, without training it again.

Models that read structures and the graph treat a drug they have never seen as an emerging one: it
gets a fingerprint and its facts, and no interactions.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np

from parsimony.ddi.background import Background
from parsimony.ddi.data import DDIData
from parsimony.ddi.drug_facts import Fact, facts_of
from parsimony.ddi.drug_file import NewDrug
from parsimony.ddi.estimator import AnyPairEstimator
from parsimony.ddi.task import DDITask
from parsimony.errors import FormatError, UsageError
from parsimony.graph.vocabulary import Vocabulary

__all__ = ["fact_sentences", "new_drug_notes", "with_drug"]


def with_drug(estimator: AnyPairEstimator, drug: NewDrug) -> AnyPairEstimator:
    """Return the fitted estimator with one more drug, which gets the last number.

    Raises
    ------
    UsageError
        The model has a vector for every drug it was trained on.
    FormatError
        A drug of that name is there already, or nothing at all is known of the new one.
    UnknownRelation, UnknownEntity
        A fact that names a relation or an entity which the graph does not have.
    """
    estimator._require_fitted()
    _check_vectors(estimator)
    task = estimator.task_
    _check_name(drug, task)
    facts = facts_of(drug, task.background) if estimator.graphical else []
    if not facts and not drug.bits.any():
        raise FormatError(
            f"nothing is known of {drug.name} that {estimator.method} reads",
            remedy="give smiles, or facts where the model reads the graph",
            where=drug.source or None,
        )
    data = _data(task.data, drug)
    graph = _graph(task.background, data, drug, facts)
    linked = None if task.linked is None else np.append(task.linked, bool(facts))
    degree = None if task.degree is None else np.append(task.degree, len(facts))
    given = graph if len(graph.triples) else None
    again = copy.copy(estimator)
    again.task_ = DDITask(data, task.options, given, linked=linked, degree=degree)
    if estimator.structural:
        again.fingerprints_ = np.concatenate([estimator.fingerprints_, drug.bits[None]])
    again._rebuild(estimator._tensors())
    return again


def _check_vectors(estimator: AnyPairEstimator) -> None:
    for one in getattr(estimator, "_members", [estimator]):
        for name in ("embedding", "drug_vectors"):
            if getattr(one.resolved_, name, False):
                raise UsageError(
                    "this model has a vector for every drug of its training, and none for a new "
                    "one",
                    remedy=f"fit with --set setting=S1, or with --set {name}=false",
                )


def _check_name(drug: NewDrug, task: DDITask) -> None:
    known = task.data.drug_names.among(drug.name)
    if known or drug.name in task.background.entities:
        what = f" as {task.data.label(known[0])}" if known else ", as a node of its graph"
        raise FormatError(
            f"{drug.name} is in the run already{what}",
            remedy="ask it with parsimony ddi screen, or give the new drug another name",
            where=drug.source or None,
        )


def _data(data: DDIData, drug: NewDrug) -> DDIData:
    packed = data.fingerprints
    if packed is not None:
        packed = np.concatenate([packed, np.packbits(drug.bits)[None]])
    return replace(
        data,
        drugs=Vocabulary([*data.drugs, drug.name], "drug"),
        names=(*data.names, drug.name),
        smiles=(*data.smiles, drug.smiles),
        external_ids=(*data.external_ids, ""),
        fingerprints=packed,
        notes=(*data.notes, f"{drug.name} was added after the training"),
    )


def _graph(graph: Background, data: DDIData, drug: NewDrug, facts: list[Fact]) -> Background:
    """The graph with the drug's facts; the numbers of all other nodes move by one."""
    n = graph.n_drugs
    own = np.array(
        [(n, r, e + (e >= n)) if out else (e + (e >= n), r, n) for r, e, out in facts], np.int32
    ).reshape(-1, 3)
    moved = graph.triples.copy()
    moved[:, [0, 2]] += moved[:, [0, 2]] >= n
    return Background(
        Vocabulary([*data.drugs, *list(graph.entities)[n:]], "entity"),
        (*graph.labels[:n], drug.name, *graph.labels[n:]),
        graph.relations,
        np.concatenate([moved, own]),
        n + 1,
    )


def fact_sentences(estimator: AnyPairEstimator) -> list[str]:
    """The facts of the last drug, as "head relation tail" with readable names."""
    graph = estimator.task_.background
    drug = graph.n_drugs - 1

    def label(entity: int) -> str:
        return graph.labels[entity] or graph.entities.name(entity)

    rows = graph.triples[(graph.triples[:, [0, 2]] == drug).any(1)]
    return [f"{label(h)} {graph.relations.name(r)} {label(t)}" for h, r, t in rows.tolist()]


def new_drug_notes(estimator: AnyPairEstimator, drug: NewDrug) -> list[str]:
    """Say what of the drug's file the model does not read."""
    notes = []
    if drug.facts and not estimator.graphical:
        count = f"{len(drug.facts)} fact{'s' * (len(drug.facts) > 1)}"
        notes.append(f"method {estimator.method} reads no graph: {count} of the file are not used")
    return notes
