"""An explanation as a page: interactive layered graph, tables, faithfulness."""

from __future__ import annotations

from typing import Any

from parsimony.answers import as_notes
from parsimony.explain.layout import layered_graph
from parsimony.explain.parts import ExplanationData
from parsimony.explain.text import (
    NO_PATH,
    faithfulness_sentence,
    known_sentence,
    question_sentence,
)
from parsimony.pages.numbers import number
from parsimony.pages.templating import environment
from parsimony.version import __version__

__all__ = ["browser_view", "explanation_page", "explanation_view"]

_ROWS = 200  # maximum number of evidence edges in the table


def explanation_page(explanation: ExplanationData, *, limit: int = 30) -> str:
    """Return one self-contained HTML file.

    Parameters
    ----------
    explanation : Explanation or ExplanationData
    limit : int
        Maximum number of edges; the page says how many of all are drawn.
    """
    view = explanation_view(explanation, limit=limit)
    return environment().get_template("explanation.html.j2").render(x=view, version=__version__)


def explanation_view(explanation: ExplanationData, *, limit: int = 30) -> dict[str, Any]:
    """Collect the values that the templates show for an explanation, with readable names."""
    label = explanation.label
    head, relation, tail = explanation.query
    measured = explanation.faithfulness
    heaviest = max((path.weight for path in explanation.paths), default=0.0)
    edges = sorted(explanation.subgraph, key=lambda edge: -edge.attention)[:_ROWS]
    return {
        "head": label(head),
        "relation": label(relation),
        "tail": label(tail),
        "claim": explanation.claim,
        "facts": _facts(explanation),
        "question": question_sentence(explanation),
        "faithfulness": faithfulness_sentence(explanation),
        "verdict": measured.verdict if measured else "",
        "doubt": measured is not None and not measured.passes,
        "drops": _drops(explanation),
        "graph": graph_data(explanation, limit=limit),
        "walks": explanation.walks,
        "passes": explanation.passes,
        "no_path": explanation.no_path or NO_PATH,
        "path_order": explanation.path_order,
        "parts_note": explanation.parts_note,
        "notes": as_notes(explanation.notes),
        "paths": [
            {
                "weight": path.weight,
                "share": 100 * max(path.weight, 0.0) / heaviest if heaviest > 0 else 0.0,
                "start": label(path.steps[0].source) if path.steps else label(explanation.ends[0]),
                "steps": [
                    {
                        "relation": label(step.relation),
                        "target": label(step.target),
                        "inverse": step.direction == "inverse",
                    }
                    for step in path.steps
                ],
            }
            for path in explanation.paths
        ],
        "rules": list(explanation.rules),
        "parts": _parts(explanation),
        "analogues": list(explanation.analogues),
        "edges": [
            {
                "layer": edge.layer,
                "head": label(edge.head),
                "relation": label(edge.relation),
                "tail": label(edge.tail),
                "inverse": edge.direction == "inverse",
                "attention": edge.attention,
            }
            for edge in sorted(edges, key=lambda edge: (edge.layer, -edge.attention))
        ],
        "n_edges": len(explanation.subgraph),
    }


def browser_view(explanation: ExplanationData, *, limit: int = 30) -> dict[str, Any]:
    """Return what the explorer shows beside ``to_dict``: sentences, figures and the picture."""
    return {
        "facts": _facts(explanation),
        "question": question_sentence(explanation),
        "faithfulness": faithfulness_sentence(explanation),
        "graph": graph_data(explanation, limit=limit),
    }


def graph_data(explanation: ExplanationData, *, limit: int = 30) -> dict[str, Any]:
    """Return nodes with column and row, edges and caption, for the script of the page."""
    graph = layered_graph(explanation, limit=limit)
    return {
        "caption": graph.caption,
        "columns": graph.n_columns,
        "nodes": [
            {"id": n.id, "label": n.label, "column": n.column, "row": n.row, "role": n.role}
            for n in graph.nodes
        ],
        "edges": [
            {
                "source": edge.source,
                "target": edge.target,
                "label": edge.label,
                "fact": " ".join(explanation.label(name) for name in edge.fact),
                "names": list(edge.fact),
                "inverse": edge.inverse,
                "idle": edge.idle,
                "paths": list(edge.paths),
                "via": [list(spot) for spot in edge.via],
                "attention": number(edge.attention),
                "share": graph.share(edge),
            }
            for edge in graph.edges
        ],
    }


def _facts(explanation: ExplanationData) -> list[tuple[str, str]]:
    """Return the figures below the title."""
    facts = [("score", number(explanation.score))]
    if explanation.probability is not None:
        facts.append(("probability", number(explanation.probability)))
    if explanation.rank is not None:
        facts.append(("rank", f"{explanation.rank:g}"))
    if explanation.model:
        facts.append(("model", explanation.model))
    if explanation.known is not None:
        facts.append(("in the data", known_sentence(explanation.known, explanation.walks)))
    return facts


def _parts(explanation: ExplanationData) -> list[tuple[str, float, float]]:
    """Return name, value and bar width of every part of the score."""
    longest = max((abs(value) for value in explanation.parts.values()), default=0.0)
    return [
        (name, value, 100 * max(value, 0.0) / longest if longest else 0.0)
        for name, value in explanation.parts.items()
    ]


def _drops(explanation: ExplanationData) -> list[tuple[str, float | None, float]]:
    """Return name, value and width of the two bars of the deletion test; None: not drawn."""
    measured = explanation.faithfulness
    if measured is None:
        return []
    drops = (("named evidence", measured.deleted_drop), ("random edges", measured.random_drop))
    longest = max(value or 0.0 for _, value in drops)
    return [
        (name, value, max(0.0, 100 * (value or 0.0) / longest) if longest > 0 else 0.0)
        for name, value in drops
    ]
