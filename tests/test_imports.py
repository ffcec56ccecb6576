"""The house stands: light imports, true public names, floors, no circles."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys

import pytest
from scripts.import_graph import House, circles

import parsimony

HOUSE = House.read()
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HOUSE.root.parent)}
HEAVY = {"torch", "numba", "polars", "numpy", "scipy", "matplotlib", "pydantic", "rich"}


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=True
    ).stdout.strip()


# ---- imports are light -----------------------------------------------------------------------


def test_import_is_light():
    code = (
        "import sys\nbefore = set(sys.modules)\nimport parsimony\n"
        f"print(sorted({HEAVY!r} & (set(sys.modules) - before)))"
    )
    assert python(code) == "[]"


def test_packages_import_without_torch():
    packages = ["errors", "base", "datasets", "graph", "knowledge", "report", "problems", "cli"]
    loaded = "; ".join(f"import parsimony.{package}" for package in packages)
    assert python(f"import sys; {loaded}; print('torch' in sys.modules)") == "False"


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


# ---- public names ----------------------------------------------------------------------------


def test_public_names_exist():
    packages = [name for name, path in HOUSE.modules.items() if path.name == "__init__.py"]
    for module in map(importlib.import_module, packages):
        names = getattr(module, "__all__", [])
        assert list(names) == sorted(set(names), key=_order), module.__name__
        for name in names:
            assert getattr(module, name) is not None, f"{module.__name__}.{name}"
        with pytest.raises(AttributeError):
            module.no_such_name  # noqa: B018
    assert set(parsimony.__all__) <= set(dir(parsimony))


def _order(name):
    """Constants, classes, functions: the order that the linter keeps."""
    kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return kind, name


def test_no_public_name_is_that_of_a_module():
    """Once imported, the module would take its place: only the module itself may bear it."""
    for package, path in HOUSE.modules.items():
        if path.name == "__init__.py":
            public = getattr(importlib.import_module(package), "__all__", ())
            for node in ast.walk(HOUSE.trees[package]):
                if isinstance(node, ast.ImportFrom) and node.module != package:
                    named = {f"{package}.{a.name}" for a in node.names if a.name in public}
                    assert not named & set(HOUSE.modules), package


def test_names_for_type_checkers_are_the_public_ones():
    block = next(node for node in HOUSE.trees["parsimony"].body if isinstance(node, ast.If))
    names = {a.name for node in block.body if isinstance(node, ast.ImportFrom) for a in node.names}
    assert names == set(parsimony.__all__) - {"__version__"}
    assert set(parsimony._HOME) == names


# ---- the house -------------------------------------------------------------------------------


def test_no_arrow_points_up():
    assert not HOUSE.unplaced(), "[tool.parsimony] of pyproject.toml names every room once"
    assert not HOUSE.upward()


def test_no_circle_between_modules_or_rooms():
    assert not circles(HOUSE.imports)
    assert not circles(HOUSE.rooms)


def test_no_import_between_problems():
    assert set(HOUSE.problems) <= set(HOUSE.rooms)
    assert not HOUSE.between_problems()


def test_modules_say_what_they_are_for_and_print_nothing():
    for name, tree in HOUSE.trees.items():
        assert ast.get_docstring(tree), name
        if HOUSE.room(name) != "cli":
            calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
            prints = [node.lineno for node in calls if getattr(node.func, "id", "") == "print"]
            assert not prints, f"{name} prints in lines {prints}"


def test_the_graph_sees_lazy_and_type_only_imports(tmp_path):
    """What the tests above rest on, on a house that breaks every rule."""
    package = tmp_path / "parsimony"
    for room in ("below", "one", "two"):
        (package / room).mkdir(parents=True)
    (package / "__init__.py").write_text("from parsimony.one import a\n")
    (package / "one" / "__init__.py").write_text("def f():\n    from parsimony.one import a\n")
    (package / "one" / "a.py").write_text("from parsimony.two import b\nimport parsimony.one\n")
    (package / "two" / "__init__.py").write_text("")
    (package / "two" / "b.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from parsimony.one.a import x\n"
    )
    (package / "below" / "__init__.py").write_text("from parsimony.two.b import y\n")
    house = House(package, (("below",), ("one", "two")), ("one", "two"))
    assert not house.unplaced()
    assert house.upward() == [("parsimony.below", "parsimony.two.b")]
    assert circles(house.imports) == [["parsimony.one", "parsimony.one.a", "parsimony.two.b"]]
    assert circles(house.rooms) == [["one", "two"]]
    assert house.between_problems() == [
        ("parsimony.one.a", "parsimony.two.b"), ("parsimony.two.b", "parsimony.one.a")
    ]  # fmt: skip
