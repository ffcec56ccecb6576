"""The imports of a package as a graph, for the picture of the architecture and for the tests.

Every import statement is read from the source, also those inside functions and in ``TYPE_CHECKING``
blocks. A *room* is a module or a package directly below the top; the top package itself and its
``__main__`` are the roof, above all floors.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]

Graph = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class House:
    """A package on disk and the floors that its rooms stand on.

    Attributes
    ----------
    root : Path
        Folder of the package.
    floors : tuple of tuples of str
        Rooms, the ground floor first. A room imports from its own floor or a lower one.
    problems : tuple of str
        Rooms between which no import is allowed.
    """

    root: Path
    floors: tuple[tuple[str, ...], ...]
    problems: tuple[str, ...]

    @classmethod
    def read(
        cls, source: Path = REPOSITORY / "src" / "parsimony",
        settings: Path = REPOSITORY / "pyproject.toml",
    ) -> House:  # fmt: skip
        """Floors come from the table ``[tool.parsimony]`` of a TOML file."""
        table = tomllib.loads(settings.read_text(encoding="utf-8"))["tool"]["parsimony"]
        return cls(source, tuple(map(tuple, table["floors"])), tuple(table["problems"]))

    @cached_property
    def modules(self) -> dict[str, Path]:
        """Dotted name → file, of all modules."""
        return {self._dotted(path): path for path in sorted(self.root.rglob("*.py"))}

    def _dotted(self, path: Path) -> str:
        parts = path.relative_to(self.root.parent).with_suffix("").parts
        return ".".join(parts).removesuffix(".__init__")

    @cached_property
    def trees(self) -> dict[str, ast.Module]:
        """Syntax trees of all modules."""
        return {
            name: ast.parse(path.read_text(encoding="utf-8")) for name, path in self.modules.items()
        }

    @cached_property
    def imports(self) -> Graph:
        """Module → modules of the package that it imports anywhere."""
        return {name: frozenset(self._imported(tree)) - {name} for name, tree in self.trees.items()}

    def _imported(self, tree: ast.Module) -> Iterator[str]:
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                if node.level:
                    raise ValueError(f"a relative import in line {node.lineno}")
                # `from package import name` is an import of the name where that is a module
                names = (f"{node.module}.{alias.name}" for alias in node.names)
                found = [n if n in self.modules else str(node.module) for n in names]
            elif isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            else:
                continue
            yield from (name for name in found if name in self.modules)

    # ---- rooms -------------------------------------------------------------------------------

    @property
    def roof(self) -> str:
        """The name of the top package."""
        return self.root.name

    def room(self, module: str) -> str:
        """The room of a module; the roof's for the top package and its ``__main__``."""
        _, _, below = module.partition(".")
        first = below.split(".")[0]
        return self.roof if first in ("", "__main__") else first

    @cached_property
    def rooms(self) -> Graph:
        """Room → rooms that it imports from, the roof left out as one that imports."""
        found: dict[str, set[str]] = {self.room(name): set() for name in self.modules}
        for name, others in self.imports.items():
            found[self.room(name)] |= {self.room(other) for other in others}
        found.pop(self.roof, None)
        return {room: frozenset(others - {room}) for room, others in sorted(found.items())}

    def subrooms(self, room: str) -> list[str]:
        """Packages inside a room."""
        return sorted(
            name.split(".")[2] for name, path in self.modules.items()
            if path.name == "__init__.py" and name.count(".") == 2 and self.room(name) == room
        )  # fmt: skip

    @cached_property
    def floor_of(self) -> dict[str, int]:
        """Room → floor, from 0; the roof stands on top."""
        found = {room: n for n, rooms in enumerate(self.floors) for room in rooms}
        return found | {self.roof: len(self.floors)}

    # ---- what must not be --------------------------------------------------------------------

    def unplaced(self) -> list[str]:
        """Rooms without a floor, and names on floors that are no room."""
        return sorted({self.roof, *self.rooms} ^ set(self.floor_of))

    def upward(self) -> list[tuple[str, str]]:
        """Imports of a module on a higher floor."""
        top = len(self.floors)
        return [
            (name, other) for name, other in self._between_rooms()
            if self.floor_of.get(self.room(other), top) > self.floor_of.get(self.room(name), top)
        ]  # fmt: skip

    def between_problems(self) -> list[tuple[str, str]]:
        """Imports from one problem's room to another's."""
        return [
            pair for pair in self._between_rooms() if {*map(self.room, pair)} <= {*self.problems}
        ]

    def _between_rooms(self) -> Iterator[tuple[str, str]]:
        for name, others in self.imports.items():
            yield from ((name, o) for o in sorted(others) if self.room(o) != self.room(name))

    def counts(self) -> dict[str, int]:
        """Numbers that describe the house."""
        texts = [path.read_text(encoding="utf-8") for path in self.modules.values()]
        return {
            "files": len(texts),
            "lines": sum(text.count("\n") for text in texts),
            "rooms": len(self.rooms),
            "arrows between rooms": sum(map(len, self.rooms.values())),
            "circles between modules": len(circles(self.imports)),
            "modules in circles": sum(map(len, circles(self.imports))),
            "circles between rooms": len(circles(self.rooms)),
            "rooms in circles": sum(map(len, circles(self.rooms))),
            "imports up": len(self.upward()),
            "imports between problem rooms": len(self.between_problems()),
        }


def circles(graph: Graph) -> list[list[str]]:
    """Largest sets of nodes that all reach each other, of two nodes or more."""
    reach = {node: reached(graph, node) for node in graph}
    seen: set[str] = set()
    found = []
    for node in graph:
        if node not in seen and node in reach[node]:
            members = sorted(o for o in reach[node] if node in reach.get(o, ()))
            seen |= set(members)
            found.append(members)
    return found


def reached(graph: Graph, node: str) -> set[str]:
    """Nodes at the end of a path of one arrow or more."""
    found: set[str] = set()
    ahead = list(graph.get(node, ()))
    while ahead:
        other = ahead.pop()
        if other not in found:
            found.add(other)
            ahead += graph.get(other, ())
    return found


def reduced(graph: Graph) -> dict[str, list[str]]:
    """The arrows that no longer path says already; circles keep theirs."""
    ahead = {node: reached(graph, node) for node in graph}

    def implied(node: str, other: str) -> bool:
        return any(
            other in ahead.get(b, ()) and not {node, b} & ahead.get(other, set()) - {other}
            and node not in ahead.get(b, ())
            for b in graph[node] - {other}
        )  # fmt: skip

    return {
        node: [o for o in sorted(others) if not implied(node, o)] for node, others in graph.items()
    }
