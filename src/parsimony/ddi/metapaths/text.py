"""The metapath regression as lines that a person can read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.ddi.emergnn.explain import METAEDGES, relation_names
from parsimony.ddi.mechanisms import Mechanism
from parsimony.ddi.metapaths.sparse_logistic import Weights
from parsimony.ddi.task import DDITask
from parsimony.kernels.emergnn.metapaths import WalkKinds

ITS_TYPE = "that type"


class MetapathModel(NamedTuple):
    """What the regression has learned.

    Attributes
    ----------
    kinds
        What relations are told apart in metapaths.
    metapaths, shared
        Codes of those with a weight per type, and of those with one that all types share.
    weights
        Of both.
    mechanisms, stated
        What a person stated, and the weights (n_mechanisms,) of that.
    """

    kinds: WalkKinds
    metapaths: npt.NDArray[np.int64]
    shared: npt.NDArray[np.int64]
    weights: Weights
    mechanisms: Sequence[Mechanism]
    stated: npt.NDArray[np.floating]


@dataclass(frozen=True)
class MetapathWeight:
    """One weight of the model.

    Attributes
    ----------
    weight : float
        What log(1 + number of walks) is multiplied with in the type's logit.
    metapath : str
        The kind of walk, ``(#Drug1 –inhibitor of enzyme→ ? ←substrate of enzyme– #Drug2)``.
    type : str
        Name of the interaction type; "" where the walk's own interaction says it.
    text : str
        The type's sentence; as in the metapath, #Drug1 and #Drug2 are the drugs of a row.
    """

    weight: float
    metapath: str
    type: str
    text: str

    def __str__(self) -> str:
        """Print as ``+0.83  (#Drug1 –r→ ? ←s– #Drug2)  => type 46 "sentence"``."""
        says = f"type {self.type}" + f' "{self.text}"' * bool(self.text) if self.type else ITS_TYPE
        return f"{self.weight:+.2f}  {self.metapath}  => {says}"


class MetapathNames:
    """From codes of metapaths to text."""

    def __init__(self, kinds: WalkKinds, task: DDITask, n_relations: int) -> None:
        self._kinds = kinds
        self._arrows: dict[int, str] = {}
        for r, name in enumerate(relation_names(task, n_relations)):
            word = "interacts with" if r < task.data.n_types else _word(name)
            forth, back = int(kinds.of[r]), int(kinds.of[r + n_relations])
            self._arrows[forth] = f"–{word}→" if forth != back else f"–{word}–"
            if forth != back:
                self._arrows[back] = f"←{word}–"
        self._interactions = {int(kinds.of[0]), int(kinds.of[n_relations])}

    def text(self, code: int, kind: str = "") -> str:
        """A metapath; where ``kind`` is given, its interaction is of that type."""
        found = [k for k in self._kinds.signature(code) if k in self._arrows]
        arrows = [self._arrows[k] for k in found]
        if kind:
            arrows = [
                a.replace("interacts with", kind) if k in self._interactions else a
                for k, a in zip(found, arrows, strict=True)
            ]
        return f"(#Drug1 {' ? '.join(arrows)} #Drug2)"


def read_out(
    model: MetapathModel, task: DDITask, n_relations: int, top: int | None = None
) -> list[MetapathWeight]:
    """The weights as lines: shared ones first, then type by type, the strongest first.

    Parameters
    ----------
    n_relations
        R of the graph.
    top
        Most lines; of every type the strongest are kept.
    """
    data, weights = task.data, model.weights
    names = MetapathNames(model.kinds, task, n_relations)
    groups: dict[int, list[MetapathWeight]] = defaultdict(list)  # −2: stated, −1: shared
    for mechanism, weight in zip(model.mechanisms, model.stated.tolist(), strict=True):
        rule = mechanism.rule
        kinds = ", ".join(map(data.types.name, mechanism.types))
        groups[-2].append(MetapathWeight(weight, f"stated {rule}", kinds, ""))
    for s in np.argsort(-np.abs(weights.shared), kind="stable").tolist():
        text = names.text(int(model.shared[s]), "some type")
        groups[-1].append(MetapathWeight(float(weights.shared[s]), text, "", ""))
    for t in range(data.n_types):
        column = weights.own[:, t]
        for f in np.argsort(-np.abs(column), kind="stable")[: np.count_nonzero(column)].tolist():
            text = names.text(int(model.metapaths[f]))
            says = data.pattern(t, "#Drug1", "#Drug2") if data.templates[t] else ""
            groups[t].append(MetapathWeight(float(column[f]), text, data.types.name(t), says))
    ranked = sorted(
        (rank if group > -2 else 0, -abs(line.weight), group, rank)
        for group, lines in groups.items()
        for rank, line in enumerate(lines)
    )[:top]
    kept = sorted((group, rank) for _, _, group, rank in ranked)
    return [groups[group][rank] for group, rank in kept]


def _word(name: str) -> str:
    return f"{METAEDGES[name]} ({name})" if name in METAEDGES else name
