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
    """A stored fact and the way a path walks it.

    Parameters
    ----------
    head, relation, tail : str
        The fact as the data write it.
    direction : {"forward", "inverse"}
        Forward walks head → tail, inverse walks tail → head.
    """

    head: str
    relation: str
    tail: str
    direction: Direction = "forward"

    @property
    def source(self) -> str:
        """Where the walk comes from."""
        return self.head if self.direction == "forward" else self.tail

    @property
    def target(self) -> str:
        """Where the walk goes to."""
        return self.tail if self.direction == "forward" else self.head


@dataclass(frozen=True, slots=True)
class Path:
    """A walk from the query's head to the answer.

    Parameters
    ----------
    weight : float
        The model's own: a product of attentions, or the confidence of a rule.
    steps : tuple of Step
        In walking order.
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
        The fact as the data write it.
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
    """What the score loses when evidence is deleted.

    Parameters
    ----------
    deleted_drop : float
        Fall of the score after deleting the named facts.
    random_drop : float
        Mean fall after deleting as many random edges of the same sub-digraph.
    n_deleted : int
        Facts deleted.
    draws : int
        Random deletions.
    """

    deleted_drop: float
    random_drop: float
    n_deleted: int = 0
    draws: int = 0

    @property
    def ratio(self) -> float | None:
        """How many times more the named evidence matters; None where random edges do not."""
        return self.deleted_drop / self.random_drop if self.random_drop > 0 else None


@dataclass(frozen=True, slots=True)
class Analogue:
    """A known fact that resembles the answer.

    Parameters
    ----------
    text : str
        The fact as a sentence.
    similarity : float
        Of its entities to the query's, in [0, 1].
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
        What the paths instantiate, with support and confidence.
    subgraph : tuple of EvidenceEdge
        All edges that the model weighed between head and answer.
    faithfulness : Faithfulness, optional
    probability, rank : float, optional
        Of the answer among all candidates.
    labels : mapping of str to str
        Readable names of entities and relations; a missing one is shown as it is.
    model : str
        The method.
    known : {"train", "valid", "test", "no"}, optional
        The split that states the answer as a fact. A fact of the graph is taken out of the graph
        first: it is no reason for itself.
    path_order : str
        A sentence on what puts the paths in order and what their weights are.
    parts : mapping of str to float
        What the model's parts add to the score, where it has several.
    parts_note : str
        A sentence on what the parts are, or what they add up to.
    analogues : tuple of Analogue
        Known facts that resemble the answer, the most similar first.
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

    @property
    def walks(self) -> bool:
        """Whether the model walks the graph; one of vectors has parts and analogues alone."""
        return bool(self.paths or self.path_order or not (self.parts or self.analogues))

    def label(self, name: str) -> str:
        """Return the readable name, or the name itself."""
        return self.labels.get(name, name)
