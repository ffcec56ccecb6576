"""What an explanation holds: paths, evidence, faithfulness, analogues, and all of it together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

from parsimony.knowledge.rules import Rule

__all__ = [
    "Analogue",
    "Direction",
    "EvidenceEdge",
    "ExplanationData",
    "Faithfulness",
    "Known",
    "Path",
    "Side",
    "Step",
    "Verdict",
]

Direction = Literal["forward", "inverse"]
Known = Literal["train", "valid", "test", "no"]
Side = Literal["head", "tail"]
Verdict = Literal["stands out", "as random", "not compared", "no effect"]

#: fraction of the evidence's drop from which on random deletions count as just as strong
AS_STRONG = 0.9


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
    """A path from the query's entity to the answer.

    Parameters
    ----------
    weight : float
        What the path adds to the score, its attention, or the confidence of its rule.
    steps : tuple of Step
        From the query's entity to the answer.
    """

    weight: float
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class EvidenceEdge:
    """An edge of the layered sub-digraph between the query's entity and the answer.

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
    random_drop : float, optional
        Mean decrease after deleting as many random edges of those that the model followed; None
        where there are too few others for that.
    n_deleted : int
        Number of edges deleted.
    draws : int
        Number of random deletions.
    n_others : int, optional
        Number of edges that the model followed beside those named.
    """

    deleted_drop: float
    random_drop: float | None
    n_deleted: int = 0
    draws: int = 0
    n_others: int | None = None

    @classmethod
    def of(
        cls, deleted_drop: float, random_drop: float, n_deleted: int, draws: int, n_others: int
    ) -> Self:
        """Compare with random deletions, unless most edges of a draw would be the named ones."""
        if n_others < n_deleted:
            return cls(deleted_drop, None, n_deleted, 0, n_others)
        return cls(deleted_drop, random_drop, n_deleted, draws, n_others)

    @property
    def ratio(self) -> float | None:
        """``deleted_drop / random_drop``; None where random deletions do not lower the score."""
        if self.random_drop is None or not self.random_drop > 0:
            return None
        return self.deleted_drop / self.random_drop

    @property
    def verdict(self) -> Verdict:
        """What the test says; every rendering follows it.

        Returns
        -------
        {"stands out", "as random", "not compared", "no effect"}
            Deleting the evidence lowers the score more than random deletions do, or no more than
            they do (random_drop ≥ 0.9 · deleted_drop), or they could not be drawn; or it does not
            lower the score at all. The evidence passes only if it stands out.
        """
        if not self.deleted_drop > 0:
            return "no effect"
        if self.random_drop is None:
            return "not compared"
        return "as random" if self.random_drop >= AS_STRONG * self.deleted_drop else "stands out"

    @property
    def passes(self) -> bool:
        """Whether the answer rests on the named evidence, as far as deletions tell."""
        return self.verdict == "stands out"


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
        All edges between the query's entity and the answer that the model attended to.
    faithfulness : Faithfulness, optional
    side : {"head", "tail"}, optional
        The side that was asked for: of (head, relation, ?) the answer is the tail, of
        (?, relation, tail) the head. Score, probability, rank, paths and the deletion test are of
        that question. None where a pair was asked about, not one of its sides.
    probability, rank : float, optional
        Probability and rank of the answer among all candidates.
    labels : mapping of str to str
        Readable names of entities and relations; where missing, the id is shown.
    model : str
        The method.
    known : {"train", "valid", "test", "no"}, optional
        The split that contains the answer as a fact. A fact of the graph is removed from the graph
        while it is queried: it is no evidence for itself.
    no_path : str
        Where there are no paths, a sentence on why.
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
    side: Side | None = None
    no_path: str = ""

    @property
    def ends(self) -> tuple[str, str]:
        """The entity that the question names, where paths start, and the answer, where they end."""
        head, _, tail = self.query
        return (tail, head) if self.side == "head" else (head, tail)

    @property
    def passes(self) -> bool | None:
        """Whether the evidence passes the deletion test; None for a model without paths."""
        if not self.walks:
            return None
        return self.faithfulness is not None and self.faithfulness.passes

    @property
    def walks(self) -> bool:
        """Whether the model follows paths; an embedding model has only parts and analogues."""
        return bool(self.paths or self.path_order or not (self.parts or self.analogues))

    def label(self, name: str) -> str:
        """Return the readable name, or the name itself."""
        return self.labels.get(name, name)
