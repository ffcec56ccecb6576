"""A small graph for all tests of the frontier."""

from __future__ import annotations

import random
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def facts(tmp_path_factory) -> Path:
    """Families of four: who is whose child, and whose grandchild."""
    lines = []
    for k in range(24):
        lines += [f"a{k}\tchild\tb{k}", f"b{k}\tchild\tc{k}", f"a{k}\tgrandchild\tc{k}",
                  f"b{k}\tspouse\td{k}", f"a{k}\tchild\td{k}"]  # fmt: skip
    random.Random(0).shuffle(lines)
    path = tmp_path_factory.mktemp("data") / "facts.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path
