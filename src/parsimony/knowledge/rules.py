r"""Horn rules as objects and as text.

One rule per line, preceded by its evidence::

    0.93  412/443  uncle(X,Y) <- brother(X,A), father(A,Y)

means "of the 443 pairs (X, Y) that the body connects, 412 are facts of the head". The evidence may
be missing (as in a rule written by hand) or be the confidence alone; ``#`` starts a comment.
Relation names outside ``[\w./:-]`` are JSON strings. An argument of one capital letter, which
digits may follow (X, Y, A, B1), is a variable; any other is a constant, the name of an entity::

    0.88  44/50  speaks(X,French) <- born_in(X,France)

A constant that would read as a variable, or that has characters outside ``[\w./:-]``, is a JSON
string, too.

If the confidence equals support / body count, it is printed with two decimals and read back as the
ratio; any other confidence, such as an edited one, is kept as written.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import count

from parsimony.decoding.files import read_text
from parsimony.decoding.strict_json import json_text
from parsimony.errors import FormatError, InvalidParameter, UnknownRelation

__all__ = [
    "Atom",
    "Constant",
    "Rule",
    "Term",
    "format_rules",
    "parse_rule",
    "parse_rules",
    "read_rules",
]

EXAMPLE = "0.93  412/443  uncle(X,Y) <- brother(X,A), father(A,Y)"

PLAIN = re.compile(r"[\w./:-]+")
_VARIABLE = re.compile(r"[A-Z][0-9]*")
# A number followed by an opening parenthesis is a relation's name, not evidence.
_EVIDENCE = re.compile(
    r"\s*(?:(?P<confidence>[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)\s+(?![(\s]))?"
    r"(?:(?P<support>[0-9]{1,18})/(?P<body_count>[0-9]{1,18})\s+(?![(\s]))?"
)
_TOKEN = re.compile(r'\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<name>[\w./:-]+)|(?P<sign><-|[(),]))')
_SHOWN = 60  # characters of a wrong line that a message repeats


@dataclass(frozen=True, slots=True)
class Constant:
    """An entity as an argument of an atom, by its name."""

    name: str

    def __str__(self) -> str:
        """Return the name, quoted if it would not read as a constant."""
        if PLAIN.fullmatch(self.name) and not _VARIABLE.fullmatch(self.name):
            return self.name
        return json_text(self.name, ensure_ascii=False)


Term = str | Constant  # a variable's letter, or an entity


@dataclass(frozen=True, slots=True)
class Atom:
    """``relation(subject, object)``, where subject is the head and object the tail.

    Parameters
    ----------
    relation : str
        Any name.
    subject, object : str or Constant
        A variable: a capital letter, which digits may follow. Any other string is made a
        :class:`Constant`, and one that looks like a variable has to be given as such.
    """

    relation: str
    subject: Term
    object: Term

    def __post_init__(self) -> None:
        """Tell constants from variables."""
        for side in ("subject", "object"):
            term = getattr(self, side)
            if isinstance(term, str) and not _VARIABLE.fullmatch(term):
                object.__setattr__(self, side, Constant(term))

    def __str__(self) -> str:
        """Return ``relation(X,Y)``, with names quoted if necessary."""
        name = self.relation
        if not PLAIN.fullmatch(name):
            name = json_text(name, ensure_ascii=False)
        return f"{name}({self.subject},{self.object})"

    @property
    def terms(self) -> tuple[Term, Term]:
        """Subject and object."""
        return self.subject, self.object

    def renamed(self, names: Mapping[str, str]) -> Atom:
        """Return the atom with its variables replaced."""
        subject, object_ = (names[t] if isinstance(t, str) else t for t in self.terms)
        return Atom(self.relation, subject, object_)


@dataclass(frozen=True, slots=True)
class Rule:
    """``head <- body`` with its evidence: support, body count and confidence.

    Parameters
    ----------
    head : Atom
    body : tuple of Atom
        At least one.
    support : int
        Number of distinct pairs for which body and head hold; of entities, where the head names
        one.
    body_count : int
        Number of those for which the body holds; 0 if not counted.
    confidence : float
        In [0, 1]; ``support / body_count`` unless it was set.

    Raises
    ------
    InvalidParameter
        The body is empty, the head has no variable, the support exceeds the body count, or the
        confidence is outside [0, 1].
    """

    head: Atom
    body: tuple[Atom, ...]
    support: int = 0
    body_count: int = 0
    confidence: float = 0.0

    def __post_init__(self) -> None:
        """Validate the ranges."""
        if not self.body:
            raise InvalidParameter(
                f"the rule for {str(self.head)[:_SHOWN]} has no body",
                remedy="write at least one atom after '<-'",
            )
        if not any(isinstance(term, str) for term in self.head.terms):
            raise InvalidParameter(
                f"the head {str(self.head)[:_SHOWN]} has no variable, only entities",
                remedy="write a variable as one capital letter, which digits may follow, such as "
                "X, Y, A, B1",
            )
        if not 0 <= self.support <= self.body_count < 2**63:
            raise InvalidParameter(
                f"support {self.support} of {self.body_count}",
                remedy="write support/body count, the support being the smaller number",
            )
        if not 0.0 <= self.confidence <= 1.0:  # also refuses nan
            raise InvalidParameter(
                f"confidence {self.confidence} is outside [0, 1]",
                remedy="write a fraction such as 0.93",
            )

    @classmethod
    def from_path(cls, relation: str, steps: Sequence[tuple[str, bool]]) -> Rule:
        """Build ``relation(X,Y) <- …`` from the path X ⇝ Y that is its body.

        Parameters
        ----------
        relation : str
            The head's relation.
        steps : sequence of (str, bool)
            Relation of each step and whether it is traversed from object to subject.
        """
        stops = ["X", *_fresh(len(steps) - 1), "Y"]
        body = tuple(
            Atom(name, after, before) if inverse else Atom(name, before, after)
            for (name, inverse), before, after in zip(steps, stops[:-1], stops[1:], strict=True)
        )
        return cls(Atom(relation, "X", "Y"), body)

    @property
    def steps(self) -> tuple[tuple[str, bool], ...]:
        """The body as a path from the head's subject to its object: (relation, inverse).

        The atoms may be in any order.

        Raises
        ------
        InvalidParameter
            The body is not a path between the head's two variables.
        """
        walked, goal = self._walk(self.head.subject)
        if goal != self.head.object or self.names_entity:
            raise InvalidParameter(
                f"the body of {self.clause[: 2 * _SHOWN]} is not a path from "
                f"{self.head.subject} to {self.head.object}",
                remedy="connect the head's two variables by a chain, as in "
                "uncle(X,Y) <- brother(X,A), father(A,Y)",
            )
        return walked

    @property
    def branch(self) -> tuple[tuple[tuple[str, bool], ...], Term]:
        """The body as a path from the head's only variable: its steps, and what it ends in.

        The end is a constant, or a variable that occurs nowhere else: any entity.

        Raises
        ------
        InvalidParameter
            The head does not have one variable and one constant, or the body is no such path.
        """
        start = next(term for term in self.head.terms if isinstance(term, str))
        walked, end = self._walk(start)
        if not self.names_entity or end is None:
            raise InvalidParameter(
                f"the body of {self.clause[: 2 * _SHOWN]} is not a path from {start}",
                remedy=f"begin a chain at {start} that ends in an entity or in any variable, as in "
                "speaks(X,French) <- born_in(X,A), in(A,France)",
            )
        return walked, end

    @property
    def names_entity(self) -> bool:
        """Whether the head has a constant, so that the rule is about one entity's facts."""
        return not (isinstance(self.head.subject, str) and isinstance(self.head.object, str))

    def _walk(self, here: Term) -> tuple[tuple[tuple[str, bool], ...], Term | None]:
        """Walk the body from a variable to its end; None if it is no single chain."""
        left, seen = list(self.body), {here}
        walked: list[tuple[str, bool]] = []
        while left:
            touching = [atom for atom in left if here in atom.terms]
            if len(touching) != 1 or isinstance(here, Constant):
                return (), None
            left.remove(touching[0])
            inverse = touching[0].object == here
            here = touching[0].subject if inverse else touching[0].object
            if here in seen:
                return (), None
            seen.add(here)
            walked.append((touching[0].relation, inverse))
        return tuple(walked), here

    @property
    def is_trivial(self) -> bool:
        """Whether the head occurs in the body, as in ``r(X,Y) <- r(X,Y)``."""
        return self.head in self.body

    @property
    def is_counted(self) -> bool:
        """Whether support and body count are known."""
        return self.body_count > 0

    def canonical(self) -> Rule:
        """Rename the variables: head X and Y, then A, B, … in order of appearance."""
        names = {
            term: name
            for name, term in zip("YX", reversed(self.head.terms), strict=True)
            if isinstance(term, str)
        }
        inner = dict.fromkeys(
            term for atom in self.body for term in atom.terms if isinstance(term, str)
        )
        free = [term for term in inner if term not in names]
        names.update(zip(free, _fresh(len(free)), strict=True))
        body = tuple(atom.renamed(names) for atom in self.body)
        return replace(self, head=self.head.renamed(names), body=body)

    def with_counts(self, support: int, body_count: int) -> Rule:
        """Return the rule with the given counts and the resulting confidence."""
        confidence = support / body_count if body_count else 0.0
        return replace(self, support=support, body_count=body_count, confidence=confidence)

    @property
    def clause(self) -> str:
        """The rule without its evidence."""
        return f"{self.head} <- {', '.join(map(str, self.body))}"

    @property
    def evidence(self) -> str:
        """The text in front of the clause: ``0.93  412/443``, a confidence alone, or nothing."""
        return shown_evidence(self.support, self.body_count, self.confidence)

    def __str__(self) -> str:
        """Return the line that :func:`parse_rule` parses back into an equal rule."""
        return f"{self.evidence}  {self.clause}".lstrip()

    def _repr_html_(self) -> str:
        return f"<code>{escape(str(self))}</code>"


def _fresh(n: int) -> list[str]:
    """Return ``n`` variable names other than X and Y: A … W, then A1 … W1 and so on."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVW"
    names = (letter + (str(lap) if lap else "") for lap in count() for letter in letters)
    return [next(names) for _ in range(n)]


def shown_evidence(support: int, body_count: int, confidence: float) -> str:
    """Return the text in front of a clause: ``0.93  412/443``, a confidence alone, or nothing."""
    if not body_count:
        return repr(float(confidence)) if confidence else ""
    ratio = support / body_count
    shown = f"{ratio:.2f}"
    if confidence != ratio:
        edited = repr(float(confidence))
        # The ratio's own two decimals would be read back as the ratio.
        shown = edited + "0" if edited == shown else edited
    return f"{shown}  {support}/{body_count}"


def match_evidence(text: str) -> tuple[int, int, float, int]:
    """Parse the evidence in front of a clause: support, body count, confidence, end position.

    Raises
    ------
    InvalidParameter
        The support exceeds the body count.
    """
    match = _EVIDENCE.match(text)
    assert match is not None  # every part of the pattern is optional
    support, body_count = int(match["support"] or 0), int(match["body_count"] or 0)
    written = match["confidence"]
    if support > body_count:
        raise InvalidParameter(
            f"support {support} of {body_count}",
            remedy="write support/body count, the support being the smaller number",
        )
    ratio = support / body_count if body_count else 0.0
    as_ratio = written is None or (body_count and written == f"{ratio:.2f}")
    return support, body_count, ratio if as_ratio else float(written), match.end()


def _tokens(text: str, start: int) -> Iterator[tuple[str, str, int]]:
    """Yield (kind, value, position); the last token has kind ``end``."""
    position = start
    while match := _TOKEN.match(text, position):
        token = match.lastgroup or ""
        yield token, match[token], match.start(token)
        position = match.end()
    rest = text[position:].lstrip()
    if rest and not rest.startswith("#"):
        raise InvalidParameter(
            f"cannot read {rest[:_SHOWN]!r}", remedy=f"expected a line such as {EXAMPLE}"
        )
    yield "end", "", len(text)


class Reader:
    """Recursive descent over the tokens of one clause, from a position of its line."""

    def __init__(self, text: str, start: int) -> None:
        self.tokens, self.last = _tokens(text, start), ""

    def take(self, *wanted: str, what: str) -> str:
        token, value, position = next(self.tokens)
        self.last = token
        if (value if token == "sign" else token) not in wanted:
            found = repr(value[:_SHOWN]) if value else "the end of the line"
            raise InvalidParameter(
                f"expected {what} at column {position + 1}, found {found}",
                remedy=f"write rules as in {EXAMPLE}",
            )
        if token != "quoted":
            return value
        try:
            name = str(json.loads(value, strict=False))
            name.encode()  # half a surrogate pair is no character
            return name
        except ValueError:
            raise InvalidParameter(
                f"{value[:_SHOWN]} is not a JSON string", remedy="escape it as JSON does"
            ) from None

    def term(self) -> Term:
        value = self.take("name", "quoted", what="a variable or an entity")
        return Constant(value) if self.last == "quoted" else value

    def atom(self) -> Atom:
        relation = self.take("name", "quoted", what="a relation's name")
        self.take("(", what="'('")
        subject = self.term()
        self.take(",", what="','")
        object_ = self.term()
        self.take(")", what="')'")
        return Atom(relation, subject, object_)

    def rule(self) -> tuple[Atom, tuple[Atom, ...]]:
        head = self.atom()
        self.take("<-", what="'<-'")
        body = [self.atom()]
        while self.take(",", "end", what="',' or the end of the line"):
            body.append(self.atom())
        return head, tuple(body)


def parse_rule(line: str, *, where: str | None = None) -> Rule:
    """Parse one line.

    Parameters
    ----------
    line : str
        With or without evidence; a trailing ``# comment`` is allowed.
    where : str, optional
        ``file:line`` for the error.

    Raises
    ------
    FormatError
        The line is not a rule; the message says what was expected and at which column.
    """
    try:
        support, body_count, confidence, end = match_evidence(line)
        head, body = Reader(line, end).rule()
        return Rule(head, body, support, body_count, confidence)
    except InvalidParameter as error:
        raise FormatError(error.message, remedy=error.remedy, where=where) from None


def parse_rules(
    text: str, *, where: str | None = None, relations: Iterable[str] | None = None
) -> list[Rule]:
    """Parse rules, one per line; blank lines and ``#`` comments are skipped.

    Parameters
    ----------
    text : str
    where : str, optional
        The file's name, for errors.
    relations : iterable of str, optional
        The relations of the graph; a rule with any other relation is an error.

    Raises
    ------
    FormatError, UnknownRelation
        ``where`` of the error is ``file:line``.
    """
    known = None if relations is None else dict.fromkeys(relations)
    rules = []
    # Not splitlines(): a quoted name may contain a character that only Unicode treats as a newline.
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        place = f"{where}:{number}" if where else f"line {number}"
        rule = parse_rule(stripped, where=place)
        if known is not None:
            for atom in (rule.head, *rule.body):
                if atom.relation not in known:
                    raise UnknownRelation.of(atom.relation, known, where=place)
        rules.append(rule)
    return rules


def read_rules(
    path: str | os.PathLike[str], *, relations: Iterable[str] | None = None
) -> list[Rule]:
    """Read a file of rules; see :func:`parse_rules`.

    Raises
    ------
    MissingFile, NotAFile, EncodingError, UnknownRelation
    FormatError
        A line is not a rule, or there is no rule.
    """
    rules = parse_rules(read_text(path), where=os.fspath(path), relations=relations)
    if not rules:
        raise FormatError(
            "no rules", remedy="one per line, such as uncle(X,Y) <- brother(X,A), father(A,Y)",
            where=os.fspath(path),
        )  # fmt: skip
    return rules


def format_rules(rules: Iterable[Rule]) -> str:
    """Return rules, one per line, in the format that :func:`parse_rules` reads."""
    return "".join(f"{rule}\n" for rule in rules)
