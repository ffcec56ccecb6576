"""What only POSIX has, Parsimony does without: modules, calls on folders, odd file names."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import parsimony

ROOT = Path(parsimony.__file__).parent
POSIX_ONLY = {"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"}

# The libraries below us keep what they need: they are imported first. What is hidden then, and
# what is refused as Windows refuses it, is missed by Parsimony alone.
WITHOUT_POSIX = """
import importlib, os, pkgutil, sys
import filelock, jinja2, llvmlite, matplotlib.pyplot, numba, polars, pooch, pydantic, rich.console
import safetensors.numpy, scipy.sparse, scipy.stats, tomli_w, torch, typer
import mcp.server, uvicorn
from pathlib import Path

for name in sys.argv[2:]:
    sys.modules[name] = None
for name in ("sched_getaffinity", "fork", "getuid", "geteuid", "O_DIRECTORY", "mkfifo", "uname"):
    if hasattr(os, name):
        delattr(os, name)
real_open, real_replace = os.open, os.replace

def opened(path, flags, mode=0o777, **other):
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied", str(path))
    return real_open(path, flags, mode, **other)

def replaced(source, target, **other):
    if os.path.isdir(target):
        raise PermissionError(5, "Access is denied", str(target))
    if set(os.path.basename(target)) & set('<>:"|?*'):
        raise OSError(22, "The filename is incorrect", str(target))
    return real_replace(source, target, **other)

os.open, os.replace = opened, replaced

import parsimony, parsimony.cli

for module in pkgutil.walk_packages(parsimony.__path__, "parsimony."):
    if not module.name.endswith("__main__") and ".triton." not in module.name:  # needs CUDA
        importlib.import_module(module.name)

folder = Path(sys.argv[1])
for method, more in (("rules", "max_length=2 constants=false"), ("redgnn", "dim=4 n_layers=2")):
    out = folder / method
    fit = ["fit", "royal", "--method", method, "--epochs", "1"]
    for each in more.split():
        fit += ["--set", each]
    for words in (
        [*fit, "--out", out, "--quiet"],
        [*fit, "--out", out, "--quiet", "--resume"],
        ["evaluate", out],
        ["predict", out, "--head", "Leopold_I_of_Belgium", "--relation", "uncle"],
    ):
        assert parsimony.cli.app([str(word) for word in words], standalone_mode=False) == 0
    assert not (out / ".lock").exists()
print("works")
"""


@pytest.mark.slow
def test_it_imports_trains_and_loads_without_what_only_posix_has(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT.parent)}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX, str(tmp_path), *sorted(POSIX_ONLY)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.endswith("works\n"), done.stderr


def test_every_posix_module_has_an_alternative():
    """Also those that are imported in functions which the run above does not reach."""
    bare = []
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        guarded = {
            id(node)
            for block in ast.walk(tree)
            if isinstance(block, ast.Try) and "ImportError" in ast.dump(block)
            for statement in block.body
            for node in ast.walk(statement)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Import) and id(node) not in guarded:
                names = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and id(node) not in guarded:
                names = {node.module}
            else:
                continue
            bare += [f"{path.relative_to(ROOT)}:{node.lineno}"] if names & POSIX_ONLY else []
    assert not bare
