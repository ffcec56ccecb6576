"""The house stands: quick imports, true public names, no room that reaches upwards."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import parsimony

ROOT = Path(parsimony.__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT.parent)}

#: From the ground up; rooms on one floor may use each other. Longest prefix wins.
FLOORS = [
    ["errors", "lazy"],
    ["graph"],
    ["datasets", "kernels", "knowledge", "measure", "run"],
    ["base"],
    ["tasks"],
    ["reason", "pairs", "embed", "adapt", "design"],
    ["fitting", "report"],
    ["structure_search"],
    ["symbol_search", "formula_search"],
    ["cli"],
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

#: Up-ward look-ups that happen only when a method is called: (file, room).
LAZY_EXCEPTIONS = {
    ("base.py", "reason"),  # the register of methods names their homes
    ("knowledge/explanation.py", "report"),  # Explanation.html()
}

#: Modules that are longer than they should be, and how long they may be until they are split.
LONG = {"reason/propagation.py": 480}

PACKAGES = ["", ".datasets", ".design", ".graph", ".knowledge", ".measure", ".report", ".run"]


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=True
    ).stdout.strip()


def test_import_is_quick_and_light():
    code = (
        "import sys, time\nbefore = set(sys.modules)\nbegin = time.perf_counter()\n"
        "import parsimony\nseconds = time.perf_counter() - begin\n"
        "heavy = {'torch', 'numba', 'polars', 'numpy', 'scipy', 'matplotlib', 'pydantic', 'rich'}\n"
        "print(seconds, sorted(heavy & (set(sys.modules) - before)))"
    )
    seconds, heavy = min((python(code).split(" ", 1) for _ in range(3)), key=lambda r: float(r[0]))
    assert heavy == "[]"
    assert float(seconds) < 0.3


@pytest.mark.parametrize("package", ["errors", "base", "datasets", "graph", "knowledge", "report"])
def test_packages_import_without_torch(package):
    code = f"import sys, parsimony.{package}\nprint('torch' in sys.modules)"
    assert python(code) == "False"


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_exist(package):
    module = importlib.import_module(f"parsimony{package}")
    assert list(module.__all__) == sorted(set(module.__all__), key=_order)
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module) or package  # a lazy package lists at least its own
    with pytest.raises(AttributeError):
        module.no_such_name  # noqa: B018


def _order(name):
    """Constants, classes, functions: the order that the linter keeps."""
    kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return kind, name


def test_the_public_face_is_what_the_readme_promises():
    assert set(parsimony.__all__) == {
        "AdaProp", "Analogy", "Bilinear", "ComplEx", "DistMult", "Estimator", "Explanation",
        "KnowledgeGraph", "LinkData", "LinkTask", "ParsimonyError", "RedGNN", "RotatE", "Rule",
        "RuleReasoner", "SimplE", "TransE", "Vocabulary", "__version__", "apply_rules",
        "audit", "datasets", "errors", "estimators", "fit", "format_rules",
        "load_run", "mine_rules", "read_rules", "resolve",
    }  # fmt: skip


def modules():
    return sorted(ROOT.rglob("*.py"))


def dotted_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(["parsimony", *parts]).removesuffix(".__init__")


MODULES = {dotted_name(path) for path in modules()}


def room_of(dotted):
    """The room of ``parsimony.room.file``; None for the package itself."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "parsimony" else None


def imports(tree):
    """Every parsimony module that a file imports, ``TYPE_CHECKING`` blocks left out."""
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skipped |= {id(child) for part in node.body for child in ast.walk(part)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "absolute imports only"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else str(node.module) for name in names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_imports_upwards(path):
    relative = path.relative_to(ROOT)
    room = relative.parts[0].removesuffix(".py")
    if room in ("__init__", "__main__"):
        return  # the roof and the front door
    assert room in FLOOR_OF, f"{room} has no floor: add it to FLOORS"
    for dotted in imports(ast.parse(path.read_text(encoding="utf-8"))):
        other = room_of(dotted)
        if other is None or other in ("__version__",):
            continue
        assert other in FLOOR_OF, f"{relative} imports {dotted}"
        allowed = (relative.as_posix(), other) in LAZY_EXCEPTIONS
        assert FLOOR_OF[other] <= FLOOR_OF[room] or allowed, f"{relative} imports {dotted}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_modules_are_of_a_readable_size_and_silent(path):
    text = path.read_text(encoding="utf-8")
    most = LONG.get(path.relative_to(ROOT).as_posix(), 400)
    assert text.count("\n") <= most, "two concepts in one file"
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module says what it is for"
    if path.relative_to(ROOT).parts[0] != "cli":
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
        prints = [n.lineno for n in calls if getattr(n.func, "id", "") == "print"]
        assert not prints, "no print in a library"


def test_no_cycles_between_modules():
    graph = {}
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = ast.Module([n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))], [])
        graph[dotted_name(path)] = set(imports(top))
    state = {}

    def visit(name, trail):
        if state.get(name) == "done" or name not in graph:
            return
        assert name not in trail, " → ".join([*trail[trail.index(name) :], name])
        for other in sorted(graph[name] - {"parsimony"}):
            visit(other, [*trail, name])
        state[name] = "done"

    for name in graph:
        visit(name, [])


def test_rooms_form_no_circle():
    """Rooms of one floor may use each other, but not in turns."""
    needs = {room: set() for room in FLOOR_OF}
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = ast.Module([n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))], [])
        room = room_of(dotted_name(path))
        for other in {room_of(name) for name in imports(top)} - {room, None}:
            needs.get(room, set()).add(other)
    TopologicalSorter(needs).prepare()  # raises CycleError


def test_names_for_type_checkers_are_the_public_ones():
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    names = {a.name for node in block.body if isinstance(node, ast.ImportFrom) for a in node.names}
    assert names == set(parsimony.__all__) - {"__version__"}
    assert set(parsimony._HOME) == names


def test_a_users_torch_stays_as_it_is():
    python(
        "import os, torch\n"
        "torch.set_num_threads(3); dtype = torch.get_default_dtype()\n"
        "ours = lambda: {k: v for k, v in os.environ.items() if 'THREADS' in k or 'PARS' in k}\n"
        "before, state = ours(), torch.get_rng_state()\n"
        "import parsimony\n"
        "task = parsimony.LinkTask(parsimony.datasets.load('royal'))\n"
        "model = parsimony.RedGNN(epochs=1, dim=4, n_layers=2, threads=2).fit(task)\n"
        "model.predict(head='Leopold_I_of_Belgium', relation='uncle')\n"
        "assert torch.get_num_threads() == 3, torch.get_num_threads()\n"
        "assert torch.get_default_dtype() == dtype\n"
        "assert torch.equal(torch.get_rng_state(), state)\n"
        "assert ours() == before\n"
    )
