"""Draw docs/img/architecture.svg from the imports, and write the table of docs/architecture.md.

``python scripts/draw_architecture.py`` does both. ``--counts`` prints numbers instead, of any
checkout: ``--source FOLDER`` is its package, ``--floors FILE`` a TOML file with its
``[tool.parsimony]`` table.

A room is a box, higher where it may import what is below; its packages stand inside. An arrow says
"imports"; what follows from two or more other arrows is left out.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script

from scripts.import_graph import REPOSITORY, House, reached, reduced

PICTURE = REPOSITORY / "docs" / "img" / "architecture.svg"
PAGE = REPOSITORY / "docs" / "architecture.md"
MARKS = "<!-- rooms: made by scripts/draw_architecture.py -->", "<!-- end of rooms -->"

WIDTH = 1000.0
HEIGHT, APART, GAP, BETWEEN = 46.0, 34.0, 16.0, 16.0  # a box, its rows, its floor; boxes in a row
LETTER, SMALL = 7.6, 6.2  # width of a letter of a room, of a package inside
#: Readable on light and on dark pages: boxes bring their own background, lines are of middle grey.
FLOORS = ("#cfd8dc", "#bbdefb", "#b2dfdb", "#c8e6c9", "#fff9c4", "#ffe0b2", "#ffccbc", "#e1bee7")
INK, LINE, BAND = "#1c2529", "#8a949b", "#8a949b22"


def levels(house: House) -> list[tuple[int, list[str]]]:
    """(floor, rooms) of every row of the picture, the lowest first.

    A room that imports from its own floor stands in a row above, so that all arrows fall.
    """
    rows = []
    for floor, rooms in enumerate(house.floors):
        here = [room for room in rooms if room in house.rooms]
        depth: dict[str, int] = {}
        for room in sorted(here, key=lambda r: len(reached(house.rooms, r) & {*here} - {r})):
            below = house.rooms[room] & {*here}
            depth[room] = 1 + max((depth.get(other, -1) for other in below), default=-1)
        for level in sorted(set(depth.values())):
            rows.append((floor, [room for room in here if depth[room] == level]))
    return rows


def threads(rows: list[list[str]], arrows: dict[str, list[str]]) -> list[list[str]]:
    """Every arrow as a chain of nodes, one per row; ``a>b@n`` keeps its place in row n."""
    row_of = {room: n for n, rooms in enumerate(rows) for room in rooms}
    chains = []
    for room, others in arrows.items():
        for other in others:
            if room not in row_of or row_of[room] <= row_of.get(other, len(rows)):
                continue  # only where a house is not in order
            held = [f"{room}>{other}@{n}" for n in range(row_of[room] - 1, row_of[other], -1)]
            for node in held:
                rows[int(node.split("@")[1])].append(node)
            chains.append([room, *held, other])
    return chains


def placed(
    rows: list[list[str]], chains: list[list[str]], wide: dict[str, float]
) -> dict[str, float]:
    """x of every node's centre: rows ordered by where their neighbours stand, then spread."""
    near = defaultdict(set)
    for chain in chains:
        for a, b in pairwise(chain):
            near[a].add(b)
            near[b].add(a)
    at: dict[str, float] = {}

    def spread(row: list[str]) -> None:
        free = WIDTH - sum(wide[node] for node in row)
        gap, x = free / (len(row) + 1), 0.0
        for node in row:
            at[node] = x + gap + wide[node] / 2
            x += gap + wide[node]

    for row in rows:
        spread(row)
    for turn in range(24):
        for row in rows if turn % 2 else rows[::-1]:
            wish = {n: sum(at[o] for o in sorted(near[n])) / len(near[n]) if near[n] else at[n]
                    for n in row}  # fmt: skip
            row.sort(key=lambda node: (wish[node], node))
            spread(row)
    for turn in range(40):  # towards the neighbours, without overtaking
        for row in rows if turn % 2 else rows[::-1]:
            for i, node in enumerate(row):
                low, high = wide[node] / 2, WIDTH - wide[node] / 2
                if i:
                    low += at[row[i - 1]] + wide[row[i - 1]] / 2 + BETWEEN
                if i + 1 < len(row):
                    high += at[row[i + 1]] - wide[row[i + 1]] / 2 - BETWEEN - WIDTH
                if near[node] and low <= high:
                    wish = sum(at[o] for o in sorted(near[node])) / len(near[node])
                    at[node] = min(max(wish, low), high)
    return at


def draw(house: House, picture: Path = PICTURE) -> None:
    """Write the picture."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "parsimony", "font.family": "DejaVu Sans"})
    from matplotlib import pyplot
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
    from matplotlib.path import Path as Curve

    floors, names = zip(*levels(house), strict=True)
    rows = [list(row) for row in names]
    chains = threads(rows, reduced(house.rooms))
    inside = {room: "  ".join(house.subrooms(room)) for room in house.rooms}
    wide = {
        node: max(len(node) * LETTER, len(inside[node]) * SMALL) + 24 if node in inside else 2.0
        for row in rows for node in row
    }  # fmt: skip
    x = placed(rows, chains, wide)
    y, tops, height = {}, [], GAP
    for n, row in enumerate(rows):
        if n and floors[n] != floors[n - 1]:
            height += GAP
        y |= dict.fromkeys(row, height + HEIGHT / 2)
        tops.append(height + HEIGHT)
        height += HEIGHT + APART
    height += GAP - APART

    figure = pyplot.figure(figsize=(WIDTH / 72, height / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, height))
    axes.axis("off")
    for floor in sorted(set(floors)):
        mine = [n for n, f in enumerate(floors) if f == floor]
        low, high = tops[mine[0]] - HEIGHT - 9, tops[mine[-1]] + 9
        axes.add_patch(Rectangle((0, low), WIDTH, high - low, color=BAND, lw=0, zorder=0))
    for chain in chains:
        begin = x[chain[0]], y[chain[0]] - HEIGHT / 2
        end = x[chain[-1]], y[chain[-1]] + HEIGHT / 2
        points = [begin]
        for node in chain[1:-1]:  # straight past the boxes of a row
            points += [(x[node], y[node] + HEIGHT / 2), (x[node], y[node] - HEIGHT / 2)]
        points.append(end)
        curve, codes = [begin], [Curve.MOVETO]
        for i, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
            bend = 0.0 if i % 2 else (y0 - y1) * 0.5
            curve += [(x0, y0 - bend), (x1, y1 + bend), (x1, y1)]
            codes += [Curve.CURVE4] * 3
        axes.add_patch(FancyArrowPatch(
            path=Curve(curve, codes), arrowstyle="-|>", mutation_scale=10, color=LINE, lw=1.1,
            fill=False, zorder=1, shrinkA=0, shrinkB=0,
        ))  # fmt: skip
    for n, row in enumerate(rows):
        for room in row:
            if room not in inside:
                continue
            axes.add_patch(FancyBboxPatch(
                (x[room] - wide[room] / 2, y[room] - HEIGHT / 2), wide[room], HEIGHT,
                boxstyle="round,pad=0,rounding_size=6", fc=FLOORS[floors[n] % len(FLOORS)],
                ec=LINE, lw=1, zorder=2,
            ))  # fmt: skip
            up = 8 if inside[room] else 0
            axes.text(x[room], y[room] + up, room, ha="center", va="center", color=INK, size=11,
                      weight="bold", zorder=3)  # fmt: skip
            axes.text(x[room], y[room] - 10, inside[room], ha="center", va="center", color=INK,
                      size=8.5, zorder=3)  # fmt: skip
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(
        picture, format="svg", transparent=True,
        metadata={"Date": None, "Creator": None, "Title": "Rooms of parsimony and their imports",
                  "Description": described(house)},
    )  # fmt: skip
    pyplot.close(figure)


def described(house: House) -> str:
    """What the picture shows, in a line: it stands in the file, so that a test can compare it."""
    shown = {"rooms": levels(house), "arrows": reduced(house.rooms),
             "inside": {room: house.subrooms(room) for room in house.rooms}}  # fmt: skip
    return json.dumps(shown, sort_keys=True).replace('"', "'")


def table(house: House) -> str:
    """Floors, rooms and their docstrings' first lines, the top floor first."""
    lines = ["| floor | room | what it holds |", "|---|---|---|"]
    for floor, rooms in reversed(list(enumerate(house.floors, 1))):
        for room in sorted(rooms):
            text = ast.get_docstring(house.trees[f"{house.roof}.{room}"]) or ""
            first = " ".join(text.split("\n\n")[0].split()).replace("``", "`")
            lines.append(f"| {floor} | `{room}` | {first} |")
    return "\n".join(lines)


def page_with(rooms: str, page: str) -> str:
    """The page with its table replaced."""
    begin, end = map(re.escape, MARKS)
    return re.sub(f"{begin}.*?{end}", "\n".join((MARKS[0], rooms, MARKS[1])), page, flags=re.S)


def main() -> None:
    """Draw and write, or count."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--source", type=Path, help="folder of the package")
    options.add_argument("--floors", type=Path, help="TOML file with [tool.parsimony]")
    options.add_argument("--counts", action="store_true", help="print numbers, draw nothing")
    given = options.parse_args()
    chosen = {"source": given.source, "settings": given.floors}
    house = House.read(**{name: path for name, path in chosen.items() if path})
    if given.counts:
        for name, count in house.counts().items():
            print(f"{name:32}{count:8,}")
        return
    draw(house)
    PAGE.write_text(page_with(table(house), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"{PICTURE}\n{PAGE}")


if __name__ == "__main__":
    main()
