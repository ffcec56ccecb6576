"""Matplotlib figures for a README or a paper: the layered evidence, the learning curve."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from parsimony.errors import InvalidParameter
from parsimony.explain.explanation import Explanation
from parsimony.explain.layout import DrawnEdge, layered_graph
from parsimony.explain.text import NO_PATH
from parsimony.pages.charts import series
from parsimony.run.atomic import write_atomic

__all__ = ["explanation_figure", "learning_curve"]

INK, MUTED, RULE, EDGE = "#23211d", "#6d6960", "#e3dfd6", "#a39e92"
ACCENT, ANSWER, DOUBT = "#2a5d8f", "#a65a12", "#b3261e"
_FILL = {"head": "#dfeaf5", "answer": "#fbe9d3", "other": "#f4f2ec"}
_RIM = {"head": ACCENT, "answer": ANSWER, "other": "#cbc6ba"}
_COLUMN, _ROW = 2.7, 0.62  # inches
_CHARACTERS, _LINE = 17, 0.13  # of a caption: characters an inch at most, height of a line
_LABELLED = 18  # with more edges than this, only relations on named paths are labelled


def explanation_figure(
    explanation: Explanation, path: Path | str | os.PathLike[str], *, limit: int = 24
) -> Path:
    """Draw the layered sub-digraph of an explanation.

    Parameters
    ----------
    explanation : Explanation
    path : path
        PNG, SVG or PDF, by suffix.
    limit : int
        Maximum number of edges; the caption says how many of all are drawn.

    Raises
    ------
    InvalidParameter
        Matplotlib cannot write that format.
    """
    graph = layered_graph(explanation, limit=limit)
    at = {node.id: (node.column * _COLUMN, -node.row * _ROW) for node in graph.nodes}
    reach = max(abs(y) for _, y in [*at.values(), *_slots(graph.edges)]) + 0.38
    # Blue is for evidence that the deletion test does not speak against.
    measured = explanation.faithfulness
    doubt = measured is not None and not measured.passes
    colour, named = (DOUBT, "red") if doubt else (ACCENT, "blue")
    caption = (
        f"{graph.caption} Width: the model's weight; {named}: on a named path"
        f"{', which the deletion test does not confirm' * doubt}; dashed: fact traversed backwards."
        if graph.edges
        else f"No path: {explanation.no_path or NO_PATH}."
    )
    width = (graph.n_columns - 1) * _COLUMN + 2.3
    caption = textwrap.fill(caption, int(_CHARACTERS * width))
    below = 0.15 + _LINE * len(caption.splitlines())
    figure, axes = canvas(width, 2 * reach + below)
    axes.set(xlim=(-1.15, width - 1.15), ylim=(-reach - below, reach))
    axes.axis("off")
    names = {}
    for node in graph.nodes:
        names[node.id] = axes.text(
            *at[node.id],
            _wrapped(node.label),
            ha="center",
            va="center",
            fontsize=8.5,
            color=INK,
            parse_math=False,
            zorder=4,
            bbox={
                "boxstyle": "round,pad=0.45,rounding_size=0.35",
                "facecolor": _FILL[node.role],
                "edgecolor": _RIM[node.role],
                "linewidth": 0.8,
            },
        )
    figure.canvas.draw()  # boxes have a size only after drawing; one unit of the axes is an inch
    extents = {key: text.get_bbox_patch().get_window_extent() for key, text in names.items()}
    half = {
        key: (box.width / figure.dpi / 2, box.height / figure.dpi / 2)
        for key, box in extents.items()
    }
    crowded = len(graph.edges) > _LABELLED
    twins: dict[tuple[str, str], int] = {}
    for edge in graph.edges:
        twin = twins.get((edge.source, edge.target), 0)
        twins[edge.source, edge.target] = twin + 1
        _draw_edge(axes, edge, at, half, graph.share(edge), twin, crowded, colour)
    axes.text(-1.1, -reach - 0.1, caption, fontsize=7, color=MUTED, va="top", parse_math=False)
    return save_figure(figure, path)


def learning_curve(
    history: Sequence[Mapping[str, Any]], path: Path | str | os.PathLike[str]
) -> Path:
    """Draw validation MRR and training loss by epoch, as far as the history has them.

    Parameters
    ----------
    history : sequence of dict
        ``epoch``, ``loss``, ``valid_mrr``.
    path : path
        PNG, SVG or PDF, by suffix.

    Raises
    ------
    InvalidParameter
        The history has neither series, or Matplotlib cannot write that format.
    """
    wanted = (("valid_mrr", "Validation MRR", ACCENT), ("loss", "Training loss", MUTED))
    held = [(series(history, key), title, colour) for key, title, colour in wanted]
    held = [item for item in held if item[0]]
    if not held:
        raise InvalidParameter(
            "the history has neither valid_mrr nor loss", remedy="draw it after fit"
        )
    figure, all_axes = canvas(3.6 * len(held), 2.5, columns=len(held))
    for axes, (points, title, colour) in zip(all_axes, held, strict=True):
        xs, ys = zip(*points, strict=True)
        axes.plot(xs, ys, color=colour, linewidth=1.6, marker="o" if len(xs) == 1 else None)
        if colour == ACCENT:
            best = max(points, key=lambda point: point[1])
            axes.plot(*best, "o", color=ANSWER, markersize=5)
            axes.annotate(
                f"{best[1]:.3f}", best, (0, -14), textcoords="offset points",
                ha="center", fontsize=8, color=INK,
            )  # fmt: skip
        axes.set_title(title, fontsize=9, color=INK, loc="left")
        axes.set_xlabel("epoch", fontsize=8, color=MUTED)
        axes.tick_params(colors=MUTED, labelsize=8, length=0)
        axes.grid(axis="y", color=RULE, linewidth=0.8)
        axes.set_axisbelow(True)
        for side in axes.spines.values():
            side.set_visible(False)
    figure.tight_layout()
    return save_figure(figure, path)


def canvas(width: float, height: float, *, columns: int = 0) -> tuple[Any, Any]:
    """Create a figure without pyplot: no global state, no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    if columns:
        return figure, figure.subplots(1, columns, squeeze=False)[0]
    return figure, figure.add_axes((0.0, 0.0, 1.0, 1.0))


def _wrapped(label: str) -> str:
    """Break a name into lines, also after underscores."""
    return textwrap.fill(label.replace("_", "_ "), 22).replace("_ ", "_")


def _slots(edges: Sequence[DrawnEdge]) -> list[tuple[float, float]]:
    return [(column * _COLUMN, -row * _ROW) for edge in edges for column, row in edge.via]


def _draw_edge(
    axes: Any,
    edge: DrawnEdge,
    at: Mapping[str, tuple[float, float]],
    half: Mapping[str, tuple[float, float]],
    share: float,
    twin: int,
    crowded: bool,
    named: str,
) -> None:
    """Draw one edge: an arrow between adjacent columns, else a bent line through its slots."""
    from matplotlib.patches import FancyArrowPatch, PathPatch
    from matplotlib.path import Path as Line

    colour = named if edge.paths else EDGE
    width = 0.9 if edge.idle else 0.8 + 3.2 * share
    dashes = ":" if edge.idle else (0, (4, 2)) if edge.inverse else "-"
    start, goal = at[edge.source], at[edge.target]
    points = [start, *_slots([edge]), goal]
    # Lines are cut at the boxes here: Matplotlib's clipping depends on resolution and format.
    points[0] = _rim(start, points[1], half[edge.source])
    points[-1] = _rim(goal, points[-2], half[edge.target])
    ends: list[tuple[Any, Any]] = [(points[0], points[1])]
    if len(points) > 2:
        ends.append((points[-2], points[-1]))
        inner = Line(points[1:-1])
        axes.add_patch(
            PathPatch(inner, fill=False, edgecolor=colour, linewidth=width, linestyle=dashes)
        )
    heads = ["-"] * len(ends)
    if not edge.idle:
        size = "head_length=4,head_width=2"
        heads[0 if edge.inverse else -1] = f"<|-,{size}" if edge.inverse else f"-|>,{size}"
    for i, (a, b) in enumerate(ends):
        axes.add_patch(
            FancyArrowPatch(
                a,
                b,
                arrowstyle=heads[i],
                connectionstyle=f"arc3,rad={0.16 * ((twin + 1) // 2) * (-1) ** twin}",
                linewidth=width,
                linestyle=dashes,
                color=colour,
                mutation_scale=2.2,
                shrinkA=0,
                shrinkB=0,
                zorder=3 if edge.paths else 2,
            )
        )
    if edge.label and not (crowded and not edge.paths):
        (x0, y0), (x1, y1) = points[0], points[1]
        bow = 0.08 * _COLUMN * ((twin + 1) // 2) * -((-1) ** twin)
        middle = 0.5 if len(points) == 2 else 0.7
        axes.text(
            x0 + middle * (x1 - x0), y0 + middle * (y1 - y0) + bow, edge.label, fontsize=7,
            color=colour if edge.paths else MUTED, ha="center", va="center", parse_math=False,
            zorder=5, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip


def _rim(
    centre: tuple[float, float], towards: tuple[float, float], half: tuple[float, float]
) -> tuple[float, float]:
    """Return where the line from the centre of a box leaves it, slightly outside."""
    dx, dy = towards[0] - centre[0], towards[1] - centre[1]
    shares = [(size + 0.03) / abs(d) for size, d in zip(half, (dx, dy), strict=True) if d]
    share = min(min(shares, default=0.0), 0.45)
    return centre[0] + share * dx, centre[1] + share * dy


def save_figure(figure: Any, path: Path | str | os.PathLike[str]) -> Path:
    """Write a figure in the format of its suffix, with reproducible bytes."""
    target = Path(path)
    suffix = target.suffix.lstrip(".").lower()
    known = figure.canvas.get_supported_filetypes()
    if suffix not in known:
        raise InvalidParameter(
            f"cannot draw a figure as {target.suffix or 'a file without suffix'!r}",
            remedy="name it .png, .svg or .pdf",
        )
    from matplotlib import rc_context

    metadata = {"Date": None} if suffix == "svg" else {}
    drawn = BytesIO()
    with rc_context({"svg.hashsalt": "parsimony", "svg.fonttype": "none"}):
        figure.savefig(drawn, format=suffix, dpi=200, metadata=metadata)
    write_atomic(target, drawn.getvalue())
    return target
