"""Whether the optional packages are there; light, so that a verb can ask first."""

from __future__ import annotations

from importlib.util import find_spec

from parsimony.errors import MissingExtra

__all__ = ["require_mcp", "require_web"]


def require_web() -> None:
    """Refuse to go on without a web server.

    Raises
    ------
    MissingExtra
    """
    if find_spec("fastapi") is None or find_spec("uvicorn") is None:
        raise MissingExtra(
            "serving needs FastAPI and uvicorn", remedy="pip install 'parsimony-learning[web]'"
        )


def require_mcp() -> None:
    """Refuse to go on without the protocol's SDK.

    Raises
    ------
    MissingExtra
    """
    if find_spec("mcp") is None:
        raise MissingExtra(
            "tools for assistants need the SDK of the protocol",
            remedy="pip install 'parsimony-learning[mcp]'",
        )
