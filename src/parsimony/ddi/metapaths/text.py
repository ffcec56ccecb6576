"""The regression on walks as lines that a person can read."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimony.ddi.emergnn.explain import METAEDGES, relation_names

VOTES = "that type"


@dataclass(frozen=True)
class WalkWeight:
    """One weight of the model.

    Attributes
    ----------
    weight : float
        What log(1 + number of walks) is multiplied with in the type's logit.
    signature : str
        The kind of walk, ``(#Drug1 –inhibitor of enzyme→ ? ←substrate of enzyme– #Drug2)``.
    type : str
        Name of the interaction type; "" where the walk's own interaction says it.
    text : str
        The type's sentence.
    """

    weight: float
    signature: str
    type: str
    text: str

    def __str__(self) -> str:
        """Print as ``+0.83  (#Drug1 –r→ ? ←s– #Drug2)  => type 46 "sentence"``."""
        says = f"type {self.type}" + f' "{self.text}"' * bool(self.text) if self.type else VOTES
        return f"{self.weight:+.2f}  {self.signature}  => {says}"


class MetapathNames:
    """From numbers of signatures to text."""

    def __init__(self, estimator: Any) -> None:
        kinds, n = estimator._kinds, estimator._built.n_relations
        n_types = estimator.task_.data.n_types
        self._kinds = kinds
        self._arrows: dict[int, str] = {}
        for r, name in enumerate(relation_names(estimator)):
            word = "interacts with" if r < n_types else _word(name)
            forth, back = int(kinds.of[r]), int(kinds.of[r + n])
            self._arrows[forth] = f"–{word}→" if forth != back else f"–{word}–"
            if forth != back:
                self._arrows[back] = f"←{word}–"
        self._interactions = {int(kinds.of[0]), int(kinds.of[n])}

    def text(self, code: int, kind: str = "") -> str:
        """A signature; where ``kind`` is given, its interaction is of that type."""
        found = [k for k in self._kinds.signature(code) if k in self._arrows]
        arrows = [self._arrows[k] for k in found]
        if kind:
            arrows = [
                a.replace("interacts with", kind) if k in self._interactions else a
                for k, a in zip(found, arrows, strict=True)
            ]
        return f"(#Drug1 {' ? '.join(arrows)} #Drug2)"


def read_out(estimator: Any, top: int | None = None) -> list[WalkWeight]:
    """The weights as lines: votes first, then type by type, the strongest first.

    Parameters
    ----------
    top
        Most lines; of every type the strongest are kept.
    """
    data, weights = estimator.task_.data, estimator.weights_
    names = MetapathNames(estimator)
    groups: dict[int, list[WalkWeight]] = defaultdict(list)  # −1: votes
    for s in np.argsort(-np.abs(weights.shared), kind="stable").tolist():
        text = names.text(int(estimator.voting_[s]), "some type")
        groups[-1].append(WalkWeight(float(weights.shared[s]), text, "", ""))
    for t in range(data.n_types):
        column = weights.own[:, t]
        for f in np.argsort(-np.abs(column), kind="stable")[: np.count_nonzero(column)].tolist():
            text = names.text(int(estimator.metapaths_[f]))
            line = WalkWeight(float(column[f]), text, data.types.name(t), data.templates[t])
            groups[t].append(line)
    ranked = sorted(
        (rank, -abs(line.weight), group)
        for group, lines in groups.items()
        for rank, line in enumerate(lines)
    )[:top]
    kept = sorted((group, rank) for rank, _, group in ranked)
    return [groups[group][rank] for group, rank in kept]


def _word(name: str) -> str:
    return f"{METAEDGES[name]} ({name})" if name in METAEDGES else name
