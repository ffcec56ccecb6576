r"""Axioms: what is true of whole relations and types, as objects and as text.

One axiom per line, preceded by its evidence as a rule is (:mod:`parsimony.knowledge.rules`)::

    0.98  412/420  symmetric(married_to)

| axiom | means | counted: support of all |
|---|---|---|
| ``symmetric(r)`` | r(X,Y) → r(Y,X) | facts whose reverse is a fact, of the facts |
| ``transitive(r)`` | r(X,A), r(A,Y) → r(X,Y) | pairs joined by two steps that are facts |
| ``inverse(r, s)`` | r(X,Y) ↔ s(Y,X) | facts of either whose reverse is one of the other |
| ``subrelation(r, s)`` | r(X,Y) → s(X,Y) | facts of r that are facts of s |
| ``functional(r)`` | an X has one Y at most | heads with one tail, of the heads |
| ``inverse_functional(r)`` | a Y has one X at most | tails with one head, of the tails |
| ``domain(r, T)`` | r(X,Y) → X is a T | facts whose head is a T, of those whose head has types |
| ``range(r, T)`` | r(X,Y) → Y is a T | facts whose tail is a T, of those whose tail has types |
| ``disjoint(T, U)`` | no entity is both | entities of one alone, of those of either |

Loops (an entity joined to itself) are no evidence for symmetric, transitive and inverse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from parsimony.decoding.strict_json import json_text
from parsimony.errors import FormatError, InvalidParameter
from parsimony.knowledge.rules import PLAIN, Reader, match_evidence, shown_evidence

__all__ = ["KINDS", "Axiom", "parse_axiom"]

# The terms of a kind: r, s are relations, T, U types.
KINDS: dict[str, str] = {
    "symmetric": "r",
    "transitive": "r",
    "inverse": "rs",
    "subrelation": "rs",
    "functional": "r",
    "inverse_functional": "r",
    "domain": "rT",
    "range": "rT",
    "disjoint": "TU",
}
#: the rules that a kind states: the place of the head's term, and the steps of the body as
#: (place of the term, whether it is walked backwards)
_PATHS: dict[str, tuple[tuple[int, tuple[tuple[int, bool], ...]], ...]] = {
    "symmetric": ((0, ((0, True),)),),
    "transitive": ((0, ((0, False), (0, False))),),
    "inverse": ((0, ((1, True),)), (1, ((0, True),))),
    "subrelation": ((1, ((0, False),)),),
}
_EXAMPLE = "0.98  412/420  symmetric(married_to)"


@dataclass(frozen=True, slots=True)
class Axiom:
    """``kind(terms)`` with its evidence.

    Parameters
    ----------
    kind : str
        A key of :data:`KINDS`.
    terms : tuple of str
        Names of relations and types, as many as the kind has.
    support, body_count : int
        How often it holds, of how often it could; 0 and 0 if it was not counted.
    confidence : float
        In [0, 1]; ``support / body_count`` unless it was set.

    Raises
    ------
    InvalidParameter
        Another kind or number of terms, a support above the body count, a confidence outside
        [0, 1].
    """

    kind: str
    terms: tuple[str, ...]
    support: int = 0
    body_count: int = 0
    confidence: float = 0.0

    def __post_init__(self) -> None:
        """Validate kind, number of terms and ranges."""
        if self.kind not in KINDS:
            raise InvalidParameter(
                f"{self.kind!r} is no kind of axiom", remedy=f"use one of {', '.join(KINDS)}"
            )
        wanted = KINDS[self.kind]
        if len(self.terms) != len(wanted):
            raise InvalidParameter(
                f"{self.kind} has {len(self.terms)} terms instead of {len(wanted)}",
                remedy=f"write {self.kind}({', '.join(wanted)}), r and s being relations, "
                "T and U types",
            )
        if not 0 <= self.support <= self.body_count < 2**63:
            raise InvalidParameter(
                f"support {self.support} of {self.body_count}",
                remedy="write support/body count, the support being the smaller number",
            )
        if not 0.0 <= self.confidence <= 1.0:
            raise InvalidParameter(
                f"confidence {self.confidence} is outside [0, 1]",
                remedy="write a fraction such as 0.93",
            )

    @property
    def relations(self) -> tuple[str, ...]:
        """The relations among the terms."""
        return self._terms("rs")

    @property
    def types(self) -> tuple[str, ...]:
        """The types among the terms."""
        return self._terms("TU")

    def _terms(self, wanted: str) -> tuple[str, ...]:
        kinds = zip(self.terms, KINDS[self.kind], strict=True)
        return tuple(term for term, kind in kinds if kind in wanted)

    @property
    def paths(self) -> list[tuple[str, list[tuple[str, bool]]]]:
        """What it states as path rules: head relation, and (relation, backwards) of each step.

        None of a kind that is about values or types.
        """
        return [
            (self.terms[head], [(self.terms[at], inverse) for at, inverse in body])
            for head, body in _PATHS.get(self.kind, ())
        ]

    @property
    def is_counted(self) -> bool:
        """Whether support and body count are known."""
        return self.body_count > 0

    def with_counts(self, support: int, body_count: int) -> Axiom:
        """Return the axiom with the given counts and the resulting confidence."""
        confidence = support / body_count if body_count else 0.0
        return replace(self, support=support, body_count=body_count, confidence=confidence)

    @property
    def clause(self) -> str:
        """The axiom without its evidence."""
        names = (t if PLAIN.fullmatch(t) else json_text(t, ensure_ascii=False) for t in self.terms)
        return f"{self.kind}({', '.join(names)})"

    def __str__(self) -> str:
        """Return the line that :func:`parse_axiom` parses back into an equal axiom."""
        evidence = shown_evidence(self.support, self.body_count, self.confidence)
        return f"{evidence}  {self.clause}".lstrip()


def parse_axiom(line: str, *, where: str | None = None) -> Axiom:
    """Parse one line, with or without evidence; a trailing ``# comment`` is allowed.

    Raises
    ------
    FormatError
        The line is not an axiom; the message says what was expected.
    """
    try:
        support, body_count, confidence, end = match_evidence(line)
        reader = Reader(line, end)
        kind = reader.take("name", what="a kind of axiom")
        reader.take("(", what="'('")
        terms = [reader.take("name", "quoted", what="a name")]
        while reader.take(",", ")", what="',' or ')'") == ",":
            terms.append(reader.take("name", "quoted", what="a name"))
        reader.take("end", what="the end of the line")
        return Axiom(kind, tuple(terms), support, body_count, confidence)
    except InvalidParameter as error:
        remedy = error.remedy or f"write axioms as in {_EXAMPLE}"
        raise FormatError(error.message, remedy=remedy, where=where) from None
