"""A user's own task: labelled molecules in, calibrated probabilities and their reasons out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.answers import Answers
from parsimony.chem.fingerprints import morgan_fingerprints, tanimoto
from parsimony.chem.smiles import canonical_forms, reason_unreadable
from parsimony.errors import FormatError, InvalidParameter
from parsimony.molecules.adapted import Adapted, FloatArray, LabelArray
from parsimony.molecules.calibration import BalancedCalibration, nearest, sigmoid
from parsimony.molecules.data import listed

__all__ = ["Labelled", "adapt_molecules", "check_support"]

_TOGETHER = 512  # molecules whose bits are held at a time


@dataclass(frozen=True)
class Labelled:
    """A molecule of the support.

    Attributes
    ----------
    row : int
        Where it stands in the support that was given; the first place if it is there twice.
    smiles, form : str
        As written there, and what it is known by.
    label : int
    """

    row: int
    smiles: str
    form: str
    label: int


def check_support(support: Sequence[str], labels: Sequence[int]) -> list[Labelled]:
    """Return the molecules of a support that one can adapt to, each once.

    They are ordered by class, as in training, and by form: answers do not depend on the order of
    the rows.

    Raises
    ------
    FormatError
        A SMILES that cannot be read, a label neither 0 nor 1, a molecule with both labels.
    InvalidParameter
        Molecules of one class only, or another number of labels than of molecules.
    """
    if len(support) != len(labels):
        raise InvalidParameter(f"{len(support)} molecules and {len(labels)} labels")
    forms = _read(support, "support")
    wrong = [i for i, label in enumerate(labels) if label not in (0, 1)]
    if wrong:
        raise FormatError(
            f"label {labels[wrong[0]]!r} of support molecule {wrong[0] + 1} is neither 0 nor 1",
            remedy="write 1 for active and 0 for inactive",
        )
    of: dict[str, Labelled] = {}
    for row, (text, form, label) in enumerate(zip(support, forms, labels, strict=True)):
        if of.setdefault(form, Labelled(row, text, form, int(label))).label != label:
            raise FormatError(
                f"the molecule {text!r} is in the support with both labels",
                remedy="keep one of the rows",
            )
    found = sorted(of.values(), key=lambda molecule: (molecule.label, molecule.form))
    if len({molecule.label for molecule in found}) < 2:
        what = f"only {'active' if found[0].label else 'inactive'} ones" if found else "no molecule"
        raise InvalidParameter(
            f"a support needs molecules of either class. Got {what}",
            remedy="add at least one molecule labelled 1 and one labelled 0",
        )
    return found


def adapt_molecules(
    adapt: Callable[[Sequence[str], LabelArray], Adapted],
    support: Sequence[str],
    labels: Sequence[int],
    queries: Sequence[str],
    *,
    prevalence: float,
    calibrations: Mapping[int, BalancedCalibration],
    trained_on_all: bool,
    weighing: str,
    top: int,
    atoms: bool = False,
) -> Answers:
    """Do what :meth:`parsimony.molecules.estimator.FewShotEstimator.adapt` says.

    Parameters
    ----------
    adapt
        Adapts to a support: takes the SMILES of the support followed by those of the queries, and
        the labels of the support.
    calibrations
        By the number of shots; empty where there was no validation task.
    trained_on_all
        Whether the model was trained with labels of the molecules that it was calibrated on.
    weighing
        What the method calls its weights of the supports.
    atoms
        Whether to say what each atom adds to the score.
    """
    if not 0 < prevalence < 1:
        raise InvalidParameter(
            f"the prevalence must be in (0, 1). Got {prevalence}",
            remedy="give the fraction of active molecules that you expect, such as 0.1",
        )
    if top < 1:
        raise InvalidParameter(f"top must be at least 1. Got {top}")
    if not queries:
        raise InvalidParameter("no molecule to predict", remedy="give at least one")
    own, notes = check_support(support, labels), []
    forms = _read(queries, "query")
    if len(own) < len(support):
        again = np.setdiff1d(np.arange(len(support)), [molecule.row for molecule in own]) + 1
        notes.append(
            f"{len(again)} rows of the support repeat a molecule, which counts once: duplicate "
            f"rows {listed(again.tolist())}"
        )
    begin = time.perf_counter()
    label = np.array([molecule.label for molecule in own], np.int8)
    # Each molecule once: equal molecules have equal answers to the last digit.
    asked = {form: i for i, form in enumerate(dict.fromkeys(forms))}
    at = np.array([asked[form] for form in forms])
    labelled = [molecule.form for molecule in own]
    adapted = adapt([*labelled, *asked], label)
    rows = len(own) + np.arange(len(asked))
    score = np.asarray(adapted.score(rows), np.float64)[at]
    weights = adapted.weights(rows)
    weights = None if weights is None else weights[at]
    seconds = time.perf_counter() - begin
    shares = _shares(adapted, list(asked), rows) if atoms else None
    calibration = nearest(calibrations, len(label) / 2) if calibrations else None
    if calibration is not None:
        probability = calibration.probability(score, prevalence)
    else:
        probability = sigmoid(score)
        notes.append("uncalibrated: the run's data have no validation task; read them as ranks")
    if calibration is not None and trained_on_all:
        notes.append(
            "calibrated on molecules whose labels in other tasks were trained on; on new molecules "
            "such probabilities are overconfident: fit with --set unseen=0.2"
        )
    similar = tanimoto(morgan_fingerprints(list(asked)), morgan_fingerprints(labelled))[at]
    reasons = _reasons(own, similar, weights, top)
    measured = {molecule.form: molecule.label for molecule in own}
    known = [measured.get(form) for form in forms]
    if n_known := sum(answer is not None for answer in known):
        notes.append(f"{n_known} queries are in the support: their measured label is the answer")
    if atoms and shares is None:
        notes.append(f"atoms are not coloured: {adapted.no_atoms}")
    return Answers(
        predictions=[
            {
                "smiles": queries[i],
                "probability": float(probability[i]) if answer is None else float(answer),
                "score": float(score[i]),
                "known": answer,
                "reasons": reasons[i],
                **({} if shares is None else {"atoms": shares[at[i]].told(float(score[i]))}),
            }
            for i, answer in enumerate(known)
        ],
        adapted_parameters=adapted.parameters,
        seconds=seconds,
        prevalence=prevalence,
        calibration=None if calibration is None else calibration.as_dict(),
        weighing=weighing if weights is not None else "",
        **({} if shares is None else {"beside": adapted.beside, "spread": adapted.spread}),
        notes=notes,
    )


@dataclass(frozen=True)
class _Shares:
    """What each atom of a molecule adds to its score, in the order of its canonical SMILES."""

    form: str
    atoms: npt.NDArray[np.float64]

    def told(self, score: float) -> dict[str, Any]:
        shares = self.atoms.tolist()
        return {"smiles": self.form, "shares": shares, "rest": score - sum(shares)}


def _shares(
    adapted: Adapted, forms: Sequence[str], rows: npt.NDArray[np.integer[Any]]
) -> list[_Shares] | None:
    found: list[_Shares] = []
    for at in range(0, len(rows), _TOGETHER):
        own = forms[at : at + _TOGETHER]
        shares = adapted.atom_shares(rows[at : at + _TOGETHER], own)
        if shares is None:
            return None
        found += map(_Shares, own, shares)
    return found


def _read(smiles: Sequence[str], what: str) -> tuple[str, ...]:
    forms = canonical_forms(smiles)
    if "" in forms:
        i = forms.index("")
        raise FormatError(
            f"the SMILES of {what} molecule {i + 1} cannot be read: {reason_unreadable(smiles[i])}",
            remedy="correct it, or leave it out",
        )
    return forms


def _reasons(
    support: Sequence[Labelled],
    similar: npt.NDArray[np.float32],
    weights: FloatArray | None,
    top: int,
) -> list[list[dict[str, Any]]]:
    """For each query, the supports with the greatest weight, or the most similar ones."""
    by = similar if weights is None else weights
    if weights is not None:
        total = weights.sum(1, keepdims=True)
        weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    rows = np.argsort([molecule.row for molecule in support])  # of equals the first row first
    order = rows[np.argsort(-by[:, rows], axis=1, kind="stable")[:, :top]]
    return [
        [
            {
                "support": support[j].row,
                "smiles": support[j].smiles,
                "label": support[j].label,
                "similarity": float(similar[i, j]),
                "weight": None if weights is None else float(weights[i, j]),
            }
            for j in row
        ]
        for i, row in enumerate(order)
    ]
