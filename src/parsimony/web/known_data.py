"""What may be learned from on the page: data sets that are here, and the data of served runs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from parsimony import datasets
from parsimony.decoding.strict_json import json_text
from parsimony.errors import UnknownParameter, suggest
from parsimony.methods import names as methods_of
from parsimony.methods import resolve
from parsimony.problems import PROBLEMS, problem
from parsimony.web.models import FitAsked
from parsimony.web.served import Service

__all__ = ["KnownData"]


@dataclass(frozen=True)
class _Known:
    """Data by the name that the page shows: DATA of the command line, kind, options of the task."""

    data: str
    kind: str
    options: dict[str, Any] = field(default_factory=dict)
    summary: str = ""


class KnownData:
    """The data that a server knows.

    Parameters
    ----------
    service
        Its runs.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    @cached_property
    def _registered(self) -> dict[str, _Known]:
        found = (datasets.info(name) for name in datasets.names())
        return {
            each["name"]: _Known(each["name"], each["kind"], summary=each["summary"])
            for each in found
            if each["kind"] in PROBLEMS and each["available"]
        }

    @property
    def known(self) -> dict[str, _Known]:
        """By name; data of a run that are no registered ones are called after the run."""
        found = dict(self._registered)
        for id, served in self.service.runs.items():
            data = served.model.task_.data
            if data.name in found:
                continue
            place = next((p for p in (data.source, data.name) if p and os.path.exists(p)), None)
            if place is not None:
                options = {
                    name: value
                    for name, value in served.folder.config.get("options", {}).items()
                    if value is not None
                }
                # A table would be split anew; what a run holds is split already.
                if os.path.isfile(place):
                    place = str(served.path.resolve())
                of = f"those of run {id}, split as there"
                found[f"run {id}"] = _Known(place, served.model.kind, options, summary=of)
        return found

    def served_from(self, folder: Path) -> str | None:
        """The run that is served from a folder."""
        place = folder.resolve()
        runs = self.service.runs.items()
        return next((id for id, served in runs if served.path.resolve() == place), None)

    def shown(self) -> list[dict[str, Any]]:
        """For the page: ``name, kind, summary, methods``, and ``races`` of what auto compares."""
        return [
            {"name": name, "kind": each.kind, "summary": each.summary,
             "methods": methods_of(each.kind), "races": list(problem(each.kind).race)}
            for name, each in self.known.items()
        ]  # fmt: skip

    def measure(self, asked: FitAsked) -> str:
        """What the methods of a race are chosen by."""
        found = self.known.get(asked.data)
        return "" if found is None else resolve(problem(found.kind).race[0]).headline

    def words(self, asked: FitAsked) -> list[str]:
        """DATA, and the options of ``parsimony fit`` for what is asked.

        Raises
        ------
        UnknownParameter
            Data that the server does not know, or a method that is not for them.
        """
        known = self.known
        if asked.data not in known:
            raise UnknownParameter(
                f"no data {asked.data!r} here",
                remedy=suggest(asked.data, known) or f"data: {', '.join(known)}",
            )
        found = known[asked.data]
        methods = methods_of(found.kind)
        if asked.method not in ("auto", *methods):
            raise UnknownParameter(
                f"no method {asked.method!r} for {problem(found.kind).noun}",
                remedy=suggest(asked.method, methods) or f"methods: auto, {', '.join(methods)}",
            )
        words = [found.data, "--task", found.kind, "--method", asked.method,
                 "--seed", str(asked.seed)]  # fmt: skip
        if asked.epochs is not None:
            words += ["--epochs", str(asked.epochs)]
        if asked.seconds is not None:
            words += ["--time-budget", f"{asked.seconds:.3f}s"]
        for name, value in (found.options | asked.settings).items():
            text = value if isinstance(value, str) else json_text(value)
            words += ["--set", f"{name}={text}"]
        return words
