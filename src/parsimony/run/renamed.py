"""Renamed parameters: the names that older versions and run folders use."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

__all__ = ["of_run", "present_name", "renamed"]

#: old name → what it may be called now, by method
_RENAMED = {
    "asked": ("max_pairs",),
    "average": ("ema_decay",),
    "every": ("validate_every",),
    "pairs": ("max_pairs",),
    "least": ("min_pairs", "min_support"),
    "most": ("max_molecules", "max_support"),
    "most_epochs": ("max_epochs",),
    "most_ratings": ("max_ratings",),
    "share": ("emerging_fraction", "fraction"),
    "speaking": ("max_rules",),
    "signatures": ("max_metapaths",),
    "votes": ("neighbour_scores", "shared_weights"),
}


#: what an option is in a run that was begun before there was one
_OFF = {"popularity": 0.0}


def present_name(name: str, known: Container[str]) -> str:
    """What a parameter is called now, among the known names; the name itself where it is not."""
    if name in known:
        return name
    return next((new for new in _RENAMED.get(name, ()) if new in known), name)


def renamed(values: Mapping[str, Any], known: Container[str]) -> dict[str, Any]:
    """Return parameters by their present names; a present name that is given as well wins."""
    old_first = sorted(values, key=lambda name: name in known)
    return {present_name(name, known): values[name] for name in old_first}


def of_run(values: Mapping[str, Any], known: Container[str]) -> dict[str, Any]:
    """Return the parameters of a run by their present names; options that it does not know are off.

    An option needs this where its default is not off, and every run names it.
    """
    off = {name: value for name, value in _OFF.items() if name in known}
    return off | renamed(values, known)
