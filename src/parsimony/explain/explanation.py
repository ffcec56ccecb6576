"""One explanation type for all models: why an answer gets its score, and how faithful that is.

An explanation holds the best paths from the query's entity to the answer, the rules that those
paths instantiate, the layered sub-digraph that the model attended to, and a test of faithfulness:
how much the score falls when the named evidence is deleted, compared with random deletions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from parsimony.decoding.strict_json import json_text
from parsimony.explain.parts import (
    Analogue,
    EvidenceEdge,
    ExplanationData,
    Faithfulness,
    Path,
    Step,
)
from parsimony.knowledge.rules import parse_rule

__all__ = ["Explanation"]


@dataclass(frozen=True, slots=True)
class Explanation(ExplanationData):
    """Why (head, relation, tail) gets its score: as text, JSON, a graph, a page."""

    def text(self) -> str:
        """Render as plain text: the answer, its paths, rules and faithfulness."""
        from parsimony.explain.text import explanation_text

        return explanation_text(self)

    def to_dict(self, *, full: bool = False) -> dict[str, Any]:
        """Return a JSON-serialisable dict; non-finite numbers become None.

        Parameters
        ----------
        full : bool
            False gives what ``parsimony explain --json`` prints; True adds the sub-digraph, labels
            and the rest, so that :meth:`from_dict` returns an equal explanation.
        """
        from parsimony.explain.text import question_sentence

        head, relation, tail = self.query
        measured = self.faithfulness
        result: dict[str, Any] = {
            "query": {"head": head, "relation": relation, "tail": tail},
            "side": self.side,
            "question": question_sentence(self),
            "score": _finite(self.score),
            "probability": _finite(self.probability),
            "rank": _finite(self.rank),
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
                "verdict": measured.verdict,
            },
            "notes": [*self.notes, *[self.no_path] * bool(self.no_path and not full)],
        }
        if self.claim:
            result["claim"] = self.claim
        if full:
            if measured:
                result["faithfulness"] |= {
                    "n_deleted": measured.n_deleted,
                    "draws": measured.draws,
                    "n_others": measured.n_others,
                }
            result |= {
                "subgraph": [
                    asdict(edge) | {"attention": _finite(edge.attention)} for edge in self.subgraph
                ],
                "labels": dict(self.labels),
                "model": self.model,
                "known": self.known,
                "no_path": self.no_path,
                "path_order": self.path_order,
                "parts": {name: _finite(value) for name, value in self.parts.items()},
                "likenesses": [asdict(analogue) for analogue in self.analogues],
                "parts_note": self.parts_note,
            }
        return result

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Explanation:
        """Rebuild what :meth:`to_dict` returned; a non-finite number becomes nan.

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
                measured["random_drop"],
                measured.get("n_deleted", 0),
                measured.get("draws", 0),
                measured.get("n_others"),
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
            analogues=tuple(Analogue(**known) for known in content.get("likenesses", ())),
            parts_note=content.get("parts_note", ""),
            notes=tuple(content.get("notes", ())),
            claim=content.get("claim", ""),
            side=content.get("side"),
            no_path=content.get("no_path", ""),
        )

    def to_json(self, *, full: bool = False, indent: int | None = None) -> str:
        """Return :meth:`to_dict` as one JSON text."""
        content = self.to_dict(full=full)
        return json_text(content, ensure_ascii=False, indent=indent)

    def dot(self, *, limit: int = 60) -> str:
        """Render the layered sub-digraph as Graphviz DOT.

        Parameters
        ----------
        limit : int
            Maximum number of edges; the strongest are drawn, and the label says how many are not.
        """
        from parsimony.explain.dot import explanation_dot

        return explanation_dot(self, limit=limit)

    def html(self, *, limit: int = 30) -> str:
        """Render as one self-contained page: interactive graph and tables.

        Parameters
        ----------
        limit : int
            Maximum number of edges; the strongest are drawn, and the page says how many are not.
        """
        from parsimony.explain.page import explanation_page

        return explanation_page(self, limit=limit)

    def _repr_html_(self) -> str:
        """Show the page inside a notebook, isolated in a frame."""
        frame = "width:100%;height:760px;border:0"
        return (
            f'<iframe sandbox="allow-scripts" style="{frame}" srcdoc="{escape(self.html())}">'
            "</iframe>"
        )


def _finite(value: float | None) -> float | None:
    """Return the number as a float, or None where JSON cannot represent it."""
    return float(value) if value is not None and math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
