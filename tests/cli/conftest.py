"""One trained run for all tests of the command line, and ways to type commands."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from parsimony.cli import app

#: small and quick, but a real training
TINY = ["--epochs", "2", "--set", "dim=16", "--set", "n_layers=3"]


@dataclass
class Typed:
    """What a command printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1
        return value

    @property
    def error(self) -> dict[str, str]:
        """The error object, complete."""
        error = self.json["error"]
        assert set(error) - {"where"} == {"type", "message", "remedy"}
        return error


@pytest.fixture
def typed(tmp_path, monkeypatch):
    """Type a command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: Any, code: int | None = 0) -> Typed:
        result = CliRunner().invoke(app, [str(word) for word in words])
        done = Typed(result.exit_code, result.stdout, result.stderr)
        assert code in (None, done.code), done.out + done.err
        return done

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """RED-GNN on the royal family; copy it before writing into it."""
    run = tmp_path_factory.mktemp("runs") / "royal"
    result = CliRunner().invoke(app, ["fit", "royal", "--out", str(run), *TINY, "--json"])
    assert result.exit_code == 0, result.output
    return run


@pytest.fixture
def own_run(trained, tmp_path) -> Path:
    """A copy of the trained run that a test may damage."""
    return Path(shutil.copytree(trained, tmp_path / "own"))
