"""The recipes of ``recipes.toml``: how a named dataset can be had from its public sources."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from parsimony.datasets.entry import Entry, Kind
from parsimony.decoding.documents import checked, parse_toml
from parsimony.decoding.strict_json import json_text

__all__ = ["Recipe", "SourceFile", "edition", "entries", "recipe"]

VERSION = 1  # of the converters: another one makes everything anew
# A source may send this many times what is stated, and a megabyte more, as small sizes are rounded.
_FACTOR = 3
_UNSTATED = 4_000.0  # megabytes, where the source does not say


class _Source(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    base: str
    files: list[str]
    sha256: dict[str, str] = {}
    called: dict[str, str] = {}


class _Written(BaseModel):
    """One table of the file, for one or several names."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    names: list[str]
    convert: str = ""
    sources: list[_Source] = []
    megabytes: float | None = None
    differs: str = ""
    terms: str = ""
    free: str = ""
    obtain: str = ""
    kind: Kind = "link"
    summary: str = ""
    licence: str = ""


@dataclass(frozen=True)
class SourceFile:
    """A file of a source: what the converter calls it, its address, its checksum if it is known."""

    name: str
    url: str
    sha256: str = ""


@dataclass(frozen=True)
class Recipe:
    """How a dataset can be had.

    Attributes
    ----------
    name, convert
        The dataset, and the word of its converter.
    files
        What is fetched.
    megabytes
        About how much that is; None where the source does not say.
    differs
        How the result differs from the registered edition, "" where it should not.
    terms, free
        What the user must agree to first, and what can be had without.
    obtain
        What to ask for where no public place has it; then there are no files.
    """

    name: str
    convert: str
    files: tuple[SourceFile, ...]
    megabytes: float | None
    differs: str
    terms: str
    free: str
    obtain: str

    @property
    def hosts(self) -> tuple[str, ...]:
        """The places it comes from: a repository of GitHub, or a host."""
        return tuple(dict.fromkeys(_place(file.url) for file in self.files))

    @property
    def size(self) -> str:
        """How much is fetched, in words."""
        return "size not stated" if self.megabytes is None else f"about {self.megabytes:g} MB"

    @property
    def most(self) -> int:
        """The most bytes that all its files together may have."""
        stated = _UNSTATED if self.megabytes is None else _FACTOR * self.megabytes + 1
        return int(stated * 1e6)

    @property
    def digest(self) -> str:
        """What tells this recipe from an earlier one of the same name."""
        what = [VERSION, self.convert, *((file.url, file.sha256) for file in self.files)]
        return hashlib.sha256(json_text(what).encode()).hexdigest()


def _place(url: str) -> str:
    parts = urlsplit(url)
    if parts.hostname in ("raw.githubusercontent.com", "media.githubusercontent.com"):
        owner, repository = parts.path.removeprefix("/media").split("/")[1:3]
        return f"github.com/{owner}/{repository}"
    return parts.hostname or url


def _read(name: str) -> dict[str, Any]:
    path = resources.files("parsimony.datasets") / name
    return parse_toml(path.read_text(encoding="utf-8"), name)


@cache
def _written() -> dict[str, _Written]:
    found = checked(list[_Written], _read("recipes.toml")["recipe"], "recipes.toml")
    return {name: table for table in found for name in table.names}


@cache
def recipe(name: str) -> Recipe | None:
    """Return the recipe of a dataset, or None."""
    written = _written().get(name)
    if written is None:
        return None
    files = tuple(
        SourceFile(
            source.called.get(file, file).replace("{name}", name),
            (source.base + file).replace("{name}", name),
            source.sha256.get(file, ""),
        )
        for source in written.sources
        for file in source.files
    )
    return Recipe(
        name, written.convert.replace("{name}", name), files, written.megabytes, written.differs,
        written.terms, written.free, written.obtain,
    )  # fmt: skip


@cache
def entries() -> dict[str, Entry]:
    """Return the register's entries of the sets that only a recipe has."""
    return {
        name: Entry(name, table.kind, table.summary.replace("{name}", name.split("-")[-1].upper()),
                    table.licence, folder=name, made=True)
        for name, table in _written().items() if table.summary
    }  # fmt: skip


def edition(name: str) -> dict[str, str]:
    """Return the SHA-256 of the files of a dataset's registered edition; none if there is none."""
    found: dict[str, str] = _editions().get(name, {})
    return found


@cache
def _editions() -> dict[str, Any]:
    return _read("editions.toml")
