"""An explanation as Graphviz DOT."""

from __future__ import annotations

import re

from parsimony.explain.layout import layered_graph
from parsimony.explain.parts import ExplanationData
from parsimony.pages.numbers import number

__all__ = ["explanation_dot"]


def explanation_dot(explanation: ExplanationData, *, limit: int = 60) -> str:
    """Render the layered sub-digraph: columns from left to right, pen width by attention.

    An arrow has the direction of its fact; a fact that is traversed backwards is dashed, and its
    arrow points to the left.
    """
    graph = layered_graph(explanation, limit=limit)
    head, relation, tail = map(explanation.label, explanation.query)
    title = explanation.claim or f"{relation}({head}, {tail})"
    caption = f"No path: {explanation.no_path}." if explanation.no_path else graph.caption
    font = 'fontname="Helvetica"'
    box = 'shape=box, style="rounded,filled", fillcolor="#f4f4f2", color="#b9b9b4"'
    lines = [
        "digraph explanation {",
        "  rankdir=LR; nodesep=0.25; ranksep=1.1;",
        f"  label={_quoted(f'{title}   {caption}')}; labelloc=b;",
        f"  {font}; fontsize=11;",
        f"  node [{box}, {font}, fontsize=11];",
        f'  edge [color="#6b6b6b", {font}, fontsize=9, arrowsize=0.7];',
    ]
    fill = {"head": "#dbe7f6", "answer": "#fbe3c8"}
    for column in range(graph.n_columns):
        lines.append("  { rank=same;")
        for node in graph.nodes:
            if node.column == column:
                colour = f', fillcolor="{fill[node.role]}"' if node.role in fill else ""
                lines.append(f"    {node.id} [label={_quoted(node.label)}{colour}];")
        lines.append("  }")
    for edge in graph.edges:
        if edge.idle:
            lines.append(f"  {edge.source} -> {edge.target} [style=dotted, arrowhead=none];")
            continue
        way = "style=dashed, dir=back" if edge.inverse else "style=solid"
        width = 0.6 + 3.4 * graph.share(edge)
        tip = f"{' '.join(map(explanation.label, edge.fact))}: {number(edge.attention)}"
        lines.append(
            f"  {edge.source} -> {edge.target} [label={_quoted(edge.label)}, {way}, "
            f"penwidth={width:.2f}, tooltip={_quoted(tip)}];"
        )
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    """Quote as a DOT string, without escapes, entities or control characters."""
    plain = re.sub(r"[\x00-\x1f\x7f]", " ", text)
    plain = plain.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'
