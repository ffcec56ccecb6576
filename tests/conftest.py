"""What all tests share: processes find the package, a cache of their own, the real data."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest
import typer.testing
from hypothesis import HealthCheck, settings

# No test asserts a time on the clock, on a busy machine either.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

# The tree of all verbs, which a process builds once, is not built anew for every command typed.
typer.testing._get_command = functools.cache(typer.testing._get_command)

if "PYTEST_XDIST_WORKER" in os.environ:
    # The workers share the cores: threads of torch's own would only compete with them.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# What one process has compiled of its libraries, the next one reads: of torch, seconds each time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Equal numbers on every machine, and nothing measured.
os.environ.setdefault("PARSIMONY_PRODUCTS", "tile")
# No test reaches for a public source of data by itself.
os.environ["PARSIMONY_OFFLINE"] = "1"
SOURCE = str(Path(__file__).parents[1] / "src")
os.environ["PYTHONPATH"] = os.pathsep.join(
    [SOURCE, *filter(None, [os.environ.get("PYTHONPATH", "")])]
)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """Keep the user's cache and settings out of a test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("PARSIMONY_CACHE", str(folder))
    monkeypatch.delenv("PARSIMONY_DATA", raising=False)
    monkeypatch.delenv("PARSIMONY_MIRROR", raising=False)
    return folder


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory) -> Path:
    """A cache in which each archive is unpacked once, for tests that only read them."""
    return tmp_path_factory.mktemp("archives")


@pytest.fixture
def archives(cache, shared_cache, monkeypatch) -> Path:
    """As ``cache``, but shared."""
    monkeypatch.setenv("PARSIMONY_CACHE", str(shared_cache))
    return shared_cache


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of benchmark archives, or skip."""
    root = Path(__file__).parents[1]
    places = os.environ.get("PARSIMONY_DATA", "").split(os.pathsep)
    for place in [*filter(None, places), str(root.parent / "shared" / "data")]:
        if (Path(place) / "manifest.json").is_file():
            return Path(place)
    pytest.skip("benchmark archives not found: set PARSIMONY_DATA to their folder")
