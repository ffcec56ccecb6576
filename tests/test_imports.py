"""Who may import whom, what is public, and what an import costs."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import parsimony

PACKAGE = Path(parsimony.__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
#: ground floor first; rooms of one line share a floor
FLOORS = (
    ("errors",),
    ("graph",),
    ("datasets", "knowledge", "kernels", "measure", "run"),
    ("base",),
    ("tasks",),
    ("reason",),
    ("fitting",),
    ("report",),
    ("cli",),
    ("__init__", "__main__"),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
#: (module, imported room): calls upwards on purpose, inside a function, with the reason
EXCEPTIONS = {
    ("knowledge.explanation", "report"),  # an explanation draws itself as a page
    ("base", "reason"),  # the register imports methods by name when they are asked for
}
PACKAGES_WITH_ALL = [
    "parsimony",
    *(f"parsimony.{room}" for room in ("graph", "datasets", "knowledge", "measure", "run")),
    "parsimony.report",
    "parsimony.errors",
]


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module, *, at_top: bool = False) -> Iterator[str]:
    """Dotted names below ``parsimony`` that a module imports; for type checkers alone: not."""
    idle = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in tree.body if at_top else ast.walk(tree):
        if id(node) in idle:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            names = []
        for name in names:
            if name.startswith("parsimony."):
                yield name.removeprefix("parsimony.")


def room_of(name: str) -> str:
    return name.split(".")[0]


def test_every_room_has_a_floor():
    assert {room_of(name) for name, _ in modules()} <= set(FLOOR)


def test_no_module_imports_upwards():
    wrong = [
        f"{name} imports {target}"
        for name, tree in modules()
        for target in imported(tree)
        # `from parsimony import __version__` names no room.
        if FLOOR.get(room_of(target), -1) > FLOOR[room_of(name)]
        and (name, room_of(target)) not in EXCEPTIONS
    ]
    assert wrong == []


def test_rooms_form_no_circle():
    needs: dict[str, set[str]] = {room: set() for room in FLOOR}
    for name, tree in modules():
        for target in imported(tree, at_top=True):
            if room_of(target) in FLOOR and room_of(target) != room_of(name):
                needs[room_of(name)].add(room_of(target))
    TopologicalSorter(needs).prepare()  # raises CycleError


def test_modules_stay_readable():
    """A file of more than about 400 lines holds two concepts; at 500 the doubt ends."""
    lengths = {
        str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8").count("\n")
        for path in PACKAGE.rglob("*.py")
    }
    assert {name: n for name, n in lengths.items() if n > 500} == {}


@pytest.mark.parametrize("package", PACKAGES_WITH_ALL)
def test_exported_members(package):
    """``__all__`` is sorted, complete where it can be seen, and every name can be had."""
    module = importlib.import_module(package)
    assert sorted(module.__all__) == sorted(set(module.__all__))
    for name in module.__all__:
        assert getattr(module, name) is not None
    assert not {name for name in module.__all__ if name.startswith("_")} - {"__version__"}
    assert set(module.__all__) <= set(dir(module)) | set(getattr(module, "_HOME", ()))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'ftl'"):
        parsimony.ftl  # noqa: B018


def test_names_for_type_checkers_are_the_public_ones():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    names = {a.name for node in block.body if isinstance(node, ast.ImportFrom) for a in node.names}
    assert names == set(parsimony.__all__) - {"__version__"}
    assert set(parsimony._HOME) == names


def quick(code: str) -> tuple[float, str]:
    """Best of three, so that a busy machine does not decide."""
    best, out = float("inf"), ""
    for _ in range(3):
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env=ENVIRONMENT,
        )  # fmt: skip
        best, out = min(best, time.perf_counter() - begin), done.stdout
    return best, out


def test_import_is_cheap():
    heavy = "{'torch', 'numba', 'polars', 'numpy', 'scipy', 'matplotlib', 'pydantic', 'rich'}"
    seconds, out = quick(f"import sys, parsimony; print(sorted({heavy} & set(sys.modules)))")
    assert out.strip() == "[]"
    empty, _ = quick("pass")
    assert seconds - empty < 0.3


def test_a_users_torch_and_threads_stay_as_they_are():
    code = (
        "import os, torch\n"
        "torch.set_num_threads(3); dtype = torch.get_default_dtype()\n"
        "ours = lambda: {k: v for k, v in os.environ.items() if 'THREADS' in k or 'PARS' in k}\n"
        "before = ours()\n"
        "state = torch.get_rng_state()\n"
        "import parsimony\n"
        "task = parsimony.LinkTask(parsimony.datasets.load('royal'))\n"
        "model = parsimony.RedGNN(epochs=1, dim=4, n_layers=2, threads=2).fit(task)\n"
        "model.predict(head='Leopold_I_of_Belgium', relation='uncle')\n"
        "assert torch.get_num_threads() == 3, torch.get_num_threads()\n"
        "assert torch.get_default_dtype() == dtype\n"
        "assert torch.equal(torch.get_rng_state(), state)\n"
        "assert ours() == before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)
