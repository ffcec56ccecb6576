"""One explanation type for all models: why an answer gets its score, and how far to trust that.

An explanation names the best paths from the query's head to the answer, the rules that those paths
instantiate, the layered sub-digraph that the model weighed, and a test of faithfulness: what the
score loses when the named evidence is deleted, against what it loses to random deletions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from parsimony.knowledge.rules import Rule, parse_rule

__all__ = ["Direction", "EvidenceEdge", "Explanation", "Faithfulness", "Likeness", "Path", "Step"]

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
class Likeness:
    """A known fact that the answer resembles.

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
class Explanation:
    """Why (head, relation, tail) gets its score.

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
        The split that states the answer as a fact. A fact of the graph is left out of the graph
        while it is asked: it is no reason for itself.
    path_order : str
        A sentence on what puts the paths in order and what their weights are.
    parts : mapping of str to float
        What the model's parts add to the score, where it has several.
    parts_note : str
        A sentence on what the parts are, or what they add up to.
    likenesses : tuple of Likeness
        Known facts that the answer resembles, most alike first.
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
    likenesses: tuple[Likeness, ...] = ()
    parts_note: str = ""

    @property
    def walks(self) -> bool:
        """Whether the model walks the graph; one of vectors has parts and likenesses alone."""
        return bool(self.paths or self.path_order or not (self.parts or self.likenesses))

    def label(self, name: str) -> str:
        """Return the readable name, or the name itself."""
        return self.labels.get(name, name)

    def text(self) -> str:
        """Render as plain text: the answer, its paths, rules and faithfulness."""
        from parsimony.explain.text import explanation_text

        return explanation_text(self)

    def to_dict(self, *, full: bool = False) -> dict[str, Any]:
        """Return a JSON-able dict; numbers that are not finite become None.

        Parameters
        ----------
        full : bool
            False gives what ``parsimony explain --json`` prints; True adds the sub-digraph, labels
            and the rest, so that :meth:`from_dict` gives back an equal explanation.
        """
        head, relation, tail = self.query
        measured = self.faithfulness
        result: dict[str, Any] = {
            "query": {"head": head, "relation": relation, "tail": tail},
            "score": _finite(self.score),
            "paths": [
                {
                    "weight": _finite(path.weight),
                    "steps": [[s.head, s.relation, s.tail, s.direction] for s in path.steps],
                }
                for path in self.paths
            ],
            "rules": [
                {"text": str(rule), "support": rule.support, "confidence": rule.confidence}
                for rule in self.rules
            ],
            "faithfulness": measured
            and {
                "deleted_drop": _finite(measured.deleted_drop),
                "random_drop": _finite(measured.random_drop),
            },
        }
        if full:
            if measured:
                result["faithfulness"] |= {"n_deleted": measured.n_deleted, "draws": measured.draws}
            result |= {
                "subgraph": [
                    asdict(edge) | {"attention": _finite(edge.attention)} for edge in self.subgraph
                ],
                "probability": _finite(self.probability),
                "rank": _finite(self.rank),
                "labels": dict(self.labels),
                "model": self.model,
                "known": self.known,
                "path_order": self.path_order,
                "parts": {name: _finite(value) for name, value in self.parts.items()},
                "likenesses": [asdict(like) for like in self.likenesses],
                "parts_note": self.parts_note,
            }
        return result

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Explanation:
        """Read what :meth:`to_dict` wrote; a number that was not finite comes back as nan.

        Raises
        ------
        FormatError
            A rule does not parse.
        """
        query, measured = content["query"], content.get("faithfulness")
        return cls(
            query=(query["head"], query["relation"], query["tail"]),
            score=_number(content["score"]),
            paths=tuple(
                Path(_number(path["weight"]), tuple(Step(*step) for step in path["steps"]))
                for path in content["paths"]
            ),
            rules=tuple(parse_rule(rule["text"]) for rule in content["rules"]),
            subgraph=tuple(
                EvidenceEdge(**{**edge, "attention": _number(edge["attention"])})
                for edge in content.get("subgraph", ())
            ),
            faithfulness=Faithfulness(
                _number(measured["deleted_drop"]),
                _number(measured["random_drop"]),
                measured.get("n_deleted", 0),
                measured.get("draws", 0),
            )
            if measured
            else None,
            probability=content.get("probability"),
            rank=content.get("rank"),
            labels=content.get("labels", {}),
            model=content.get("model", ""),
            known=content.get("known"),
            path_order=content.get("path_order", ""),
            parts={name: _number(value) for name, value in content.get("parts", {}).items()},
            likenesses=tuple(Likeness(**like) for like in content.get("likenesses", ())),
            parts_note=content.get("parts_note", ""),
        )

    def to_json(self, *, full: bool = False, indent: int | None = None) -> str:
        """Return :meth:`to_dict` as one JSON text."""
        content = self.to_dict(full=full)
        return json.dumps(content, ensure_ascii=False, indent=indent, allow_nan=False)

    def dot(self, *, limit: int = 60) -> str:
        """Render the layered sub-digraph for graphviz.

        Parameters
        ----------
        limit : int
            Most edges drawn; the strongest stay and the label says how many were left out.
        """
        from parsimony.explain.dot import explanation_dot

        return explanation_dot(self, limit=limit)

    def html(self, *, limit: int = 30) -> str:
        """Render as one self-contained page: interactive graph and tables.

        Parameters
        ----------
        limit : int
            Most edges drawn; the strongest stay and the page says how many were left out.
        """
        # The report stands a floor above; only this method looks up, and only when called.
        from parsimony.explain.page import explanation_page

        return explanation_page(self, limit=limit)

    def _repr_html_(self) -> str:
        """Show the page inside a notebook, isolated in a frame."""
        from html import escape

        frame = "width:100%;height:760px;border:0"
        return (
            f'<iframe sandbox="allow-scripts" style="{frame}" srcdoc="{escape(self.html())}">'
            "</iframe>"
        )


def _finite(value: float | None) -> float | None:
    """Return the number as a float, or None where JSON has no word for it."""
    return float(value) if value is not None and math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
