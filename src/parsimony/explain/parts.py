"""What an explanation holds: paths, evidence, faithfulness, analogues, and all of it together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from parsimony.knowledge.rules import Rule

__all__ = [
    "Analogue",
    "Direction",
    "EvidenceEdge",
    "ExplanationData",
    "Faithfulness",
    "Known",
    "Path",
    "Step",
]

Direction = Literal["forward", "inverse"]
Known = Literal["train", "valid", "test", "no"]


@dataclass(frozen=True, slots=True)
class Step:
    """A stored fact and the direction in which a path traverses it.

    Parameters
    ----------
    head, relation, tail : str
        The fact as stored in the data.
    direction : {"forward", "inverse"}
        Forward goes head → tail, inverse goes tail → head.
    """

    head: str
    relation: str
    tail: str
    direction: Direction = "forward"

    @property
    def source(self) -> str:
        """The entity where the step starts."""
        return self.head if self.direction == "forward" else self.tail

    @property
    def target(self) -> str:
        """The entity where the step ends."""
        return self.tail if self.direction == "forward" else self.head


@dataclass(frozen=True, slots=True)
class Path:
    """A path from the query's head to the answer.

    Parameters
    ----------
    weight : float
        Given by the model: a product of attentions, or the confidence of a rule.
    steps : tuple of Step
        From head to answer.
    """

    weight: float
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class EvidenceEdge:
    """An edge of the layered sub-digraph between head and answer.

    Parameters
    ----------
    layer : int
        Counted from 1; the edge joins column ``layer - 1`` to column ``layer``.
    head, relation, tail : str
        The fact as stored in the data.
    direction : {"forward", "inverse"}
    attention : float
    """

    layer: int
    head: str
    relation: str
    tail: str
    direction: Direction
    attention: float

    @property
    def step(self) -> Step:
        """The edge without its layer and attention."""
        return Step(self.head, self.relation, self.tail, self.direction)


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """How much the score falls when evidence is deleted.

    Parameters
    ----------
    deleted_drop : float
        Decrease of the score after deleting the named facts.
    random_drop : float
        Mean decrease after deleting as many random edges of the same sub-digraph.
    n_deleted : int
        Number of facts deleted.
    draws : int
        Number of random deletions.
    """

    deleted_drop: float
    random_drop: float
    n_deleted: int = 0
    draws: int = 0

    @property
    def ratio(self) -> float | None:
        """``deleted_drop / random_drop``; None where random deletions do not lower the score."""
        return self.deleted_drop / self.random_drop if self.random_drop > 0 else None


@dataclass(frozen=True, slots=True)
class Analogue:
    """A known fact that resembles the answer.

    Parameters
    ----------
    text : str
        The fact as a sentence.
    similarity : float
        Similarity of its entities to the query's, in [0, 1].
    """

    text: str
    similarity: float


@dataclass(frozen=True, slots=True)
class ExplanationData:
    """Why (head, relation, tail) gets its score: the data of an explanation.

    Parameters
    ----------
    query : (str, str, str)
        Head, relation and the answer explained.
    score : float
    paths : tuple of Path
        Best first.
    rules : tuple of Rule
        Rules that the paths instantiate, with support and confidence.
    subgraph : tuple of EvidenceEdge
        All edges between head and answer that the model attended to.
    faithfulness : Faithfulness, optional
    probability, rank : float, optional
        Probability and rank of the answer among all candidates.
    labels : mapping of str to str
        Readable names of entities and relations; where missing, the id is shown.
    model : str
        The method.
    known : {"train", "valid", "test", "no"}, optional
        The split that contains the answer as a fact. A fact of the graph is removed from the graph
        while it is queried: it is no evidence for itself.
    path_order : str
        A sentence on how the paths are ordered and what their weights are.
    parts : mapping of str to float
        Contributions of the model's parts to the score, where it has several.
    parts_note : str
        A sentence on what the parts are, or what they sum to.
    analogues : tuple of Analogue
        Known facts similar to the answer, the most similar first.
    notes : tuple of str
        What the model cannot know, and what was left out.
    claim : str
        The answer as a sentence, where its relation has one; shown in place of the triple.
    """

    query: tuple[str, str, str]
    score: float
    paths: tuple[Path, ...] = ()
    rules: tuple[Rule, ...] = ()
    subgraph: tuple[EvidenceEdge, ...] = ()
    faithfulness: Faithfulness | None = None
    probability: float | None = None
    rank: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    known: Known | None = None
    path_order: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)
    analogues: tuple[Analogue, ...] = ()
    parts_note: str = ""
    notes: tuple[str, ...] = ()
    claim: str = ""

    @property
    def walks(self) -> bool:
        """Whether the model follows paths; an embedding model has only parts and analogues."""
        return bool(self.paths or self.path_order or not (self.parts or self.analogues))

    def label(self, name: str) -> str:
        """Return the readable name, or the name itself."""
        return self.labels.get(name, name)
