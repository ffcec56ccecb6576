"""Rules in the formats of other tools: AnyBURL, AMIE and Datalog (Soufflé).

Every format is a pair of functions, a writer and a reader, in :data:`FORMATS`. The readers rename
the variables (head X and Y, then A, B, …), so rules round-trip up to renaming of variables. Names
that a format cannot represent are refused by the writer, not changed silently; only Datalog has
room for a translation table, in the comments after its declarations.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count

from parsimony.decoding.strict_json import json_text
from parsimony.errors import FormatError, InvalidParameter, suggest
from parsimony.knowledge.rules import (
    Atom,
    Rule,
    format_rules,
    match_evidence,
    parse_rules,
)

__all__ = [
    "FORMATS",
    "from_amie",
    "from_anyburl",
    "from_datalog",
    "rules_from_text",
    "rules_to_text",
    "to_amie",
    "to_anyburl",
    "to_datalog",
]

AMIE_COLUMNS = (
    "Rule",
    "Head Coverage",
    "Std Confidence",
    "PCA Confidence",
    "Positive Examples",
    "Body size",
    "PCA Body size",
    "Functional variable",
)
_ANYBURL_ATOM = re.compile(r"\s*([^\s(),]+)\(([^\s(),]+),([^\s(),]+)\)\s*(?:,|$)")
_DATALOG_DECLARATION = re.compile(r'\.decl\s+(\w+)\s*\([^)]*\)\s*(?://\s*("(?:[^"\\]|\\.)*"))?\s*$')
_DATALOG_ATOM = re.compile(r"\s*([A-Za-z_]\w*)\s*\(\s*([A-Z]\w*)\s*,\s*([A-Z]\w*)\s*\)\s*(?:,|$)")
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Soufflé's keywords, which cannot name a relation.
_RESERVED = (
    "as autoinc band bnot bor bshl bshr bshru bxor brie btree cat choice count eqrel false "
    "float functor inline input land lnot lor lxor magic match max mean min nil no_inline "
    "no_magic number ord output override plan printsize range strlen substr sum symbol "
    "to_float to_number to_string to_unsigned true type unsigned"
)


def _numbered(text: str, where: str | None, comment: str) -> Iterator[tuple[str, str]]:
    """Yield (file:line, line) for the lines that are neither blank nor a comment."""
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith(comment):
            yield (f"{where}:{number}" if where else f"line {number}"), stripped


def _atoms(text: str, pattern: re.Pattern[str], example: str) -> list[tuple[str, str, str]]:
    """Split ``r(X,A), s(A,Y)`` by the pattern of an atom; anything left over is an error."""
    found, position = [], 0
    while position < len(text) and (match := pattern.match(text, position)):
        found.append((match[1], match[2], match[3]))
        position = match.end()
    if position < len(text) or not found:
        raise InvalidParameter(
            f"cannot read {text[position : position + 60]!r}", remedy=f"expected {example}"
        )
    return found


def _representable(name: str, pattern: str, tool: str) -> str:
    if not re.fullmatch(pattern, name):
        raise InvalidParameter(
            f"{tool} rules cannot represent the relation name {name[:60]!r}",
            remedy="rename the relation, or write the rules in Parsimony's own format",
        )
    return name


def to_anyburl(rules: Iterable[Rule]) -> str:
    """Write AnyBURL's format: body count, support, confidence and rule, separated by tabs.

    Raises
    ------
    InvalidParameter
        A relation's name contains white space, a comma or a parenthesis.
    """

    def atom(a: Atom) -> str:
        name = _representable(a.relation, r"[^\s(),]+", "AnyBURL")
        return f"{name}({a.subject},{a.object})"

    lines = []
    for rule in map(Rule.canonical, rules):
        clause = f"{atom(rule.head)} <= {', '.join(map(atom, rule.body))}"
        lines.append(f"{rule.body_count}\t{rule.support}\t{rule.confidence!r}\t{clause}\n")
    return "".join(lines)


def from_anyburl(
    text: str, *, where: str | None = None, skip_constants: bool = False
) -> list[Rule]:
    """Read AnyBURL's format.

    Parameters
    ----------
    text : str
    where : str, optional
        The file's name, for errors.
    skip_constants : bool
        Skip rules with an entity (AnyBURL writes many) instead of raising.

    Raises
    ------
    FormatError
    """
    example = "443<tab>412<tab>0.93<tab>uncle(X,Y) <= brother(X,A), father(A,Y)"
    rules = []
    for place, line in _numbered(text, where, "#"):
        try:
            body_count, support, confidence, clause = line.split("\t")
            head, body = clause.split("<=")
            atoms = [
                part
                for side in (head.strip(), body.strip())
                for part in _atoms(side, _ANYBURL_ATOM, example)
            ]
            # AnyBURL's variables are single capitals; anything else, such as E12, is an entity.
            constants = [
                term for _, *pair in atoms for term in pair if not re.fullmatch("[A-Z]", term)
            ]
            if constants and skip_constants:
                continue
            if constants:
                raise InvalidParameter(
                    f"the rule names the entity {constants[0][:60]!r}",
                    remedy="leave such rules out (skip_constants=True)",
                )
            first, *rest = (Atom(*part) for part in atoms)
            counts = int(support), int(body_count), float(confidence)
            rules.append(Rule(first, tuple(rest), *counts).canonical())
        except InvalidParameter as error:
            raise FormatError(error.message, remedy=error.remedy, where=place) from None
        except ValueError:
            raise FormatError(
                f"not an AnyBURL rule: {line[:60]!r}", remedy=f"expected {example}", where=place
            ) from None
    return rules


def to_amie(rules: Iterable[Rule], head_sizes: Mapping[str, int] | None = None) -> str:
    """Write AMIE's table; columns that Parsimony does not compute (PCA confidence) are ``NaN``.

    Parameters
    ----------
    rules : iterable of Rule
    head_sizes : mapping, optional
        Number of distinct facts per relation, for the head coverage; otherwise ``NaN``.

    Raises
    ------
    InvalidParameter
        A relation's name contains white space or is ``=>``.
    """

    def atom(a: Atom) -> str:
        name = _representable(a.relation, r"(?!=>$)\S+", "AMIE")
        return f"?{a.subject.lower()}  {name}  ?{a.object.lower()}"

    lines = ["\t".join(AMIE_COLUMNS) + "\n"]
    for rule in map(Rule.canonical, rules):
        clause = "  ".join(map(atom, rule.body)) + f"   => {atom(rule.head)}"
        size = (head_sizes or {}).get(rule.head.relation, 0)
        coverage = repr(rule.support / size) if size else "NaN"
        evidence = (coverage, rule.confidence, "NaN", rule.support, rule.body_count, "NaN", "?x")
        lines.append("\t".join([clause, *map(str, evidence)]) + "\n")
    return "".join(lines)


def from_amie(text: str, *, where: str | None = None) -> list[Rule]:
    """Read AMIE's table; standard confidence, positive examples and body size are kept.

    Raises
    ------
    FormatError
    """
    example = "?x  brother  ?a  ?a  father  ?y   => ?x  uncle  ?y<tab>0.3<tab>0.93<tab>…"
    rules = []
    for place, line in _numbered(text, where, "#"):
        if "=>" not in line:  # the header, and the log lines around the table
            continue
        try:
            clause, _, confidence, _, support, body_count, *_ = line.split("\t")
            body, head = re.split(r"\s=>\s", clause)
            words = body.split() + head.split()
            if len(words) % 3 or len(head.split()) != 3:
                raise ValueError
            atoms = []
            for subject, relation, object_ in zip(*[iter(words)] * 3, strict=True):
                if subject[0] != "?" or object_[0] != "?":
                    raise InvalidParameter(
                        f"the rule names an entity in {subject[:60]} {relation} {object_[:60]}",
                        remedy="run AMIE without constants",
                    )
                atoms.append(Atom(relation, subject[1:].upper(), object_[1:].upper()))
            counts = int(support), int(body_count), float(confidence)
            rules.append(Rule(atoms[-1], tuple(atoms[:-1]), *counts).canonical())
        except InvalidParameter as error:
            raise FormatError(error.message, remedy=error.remedy, where=place) from None
        except ValueError:
            raise FormatError(
                f"not a row of AMIE: {line[:60]!r}", remedy=f"expected {example}", where=place
            ) from None
    return rules


def to_datalog(rules: Iterable[Rule]) -> str:
    """Write a Soufflé program: declarations, inputs, outputs, then the rules.

    A name that is not an identifier is replaced by one, and the comment after its declaration has
    the original name. The comment after each rule has its support and confidence.
    """
    rules = [rule.canonical() for rule in rules]
    heads = dict.fromkeys(rule.head.relation for rule in rules)
    relations = heads | dict.fromkeys(atom.relation for rule in rules for atom in rule.body)
    plain = {name for name in relations if _IDENTIFIER.fullmatch(name)} - set(_RESERVED.split())
    taken, identifier = set(plain), {name: name for name in plain}
    for name in relations:
        if name not in plain:
            stem = re.sub(r"[^A-Za-z0-9_]", "_", name).strip("_") or "relation"
            stem = stem if stem[0].isalpha() else f"r_{stem}"
            free = (f"{stem}_{n}" for n in count(1))
            identifier[name] = next(word for word in free if word not in taken)
            taken.add(identifier[name])

    def atom(a: Atom) -> str:
        return f"{identifier[a.relation]}({a.subject},{a.object})"

    lines = []
    for name in relations:
        declaration = f".decl {identifier[name]}(subject:symbol, object:symbol)"
        lines.append(declaration + ("" if name in plain else f"  // {json_text(name)}"))
        lines.append(f".input {identifier[name]}")
    lines += [f".output {identifier[name]}" for name in heads]
    for rule in rules:
        clause = f"{atom(rule.head)} :- {', '.join(map(atom, rule.body))}."
        lines.append(f"{clause}  // {rule.evidence}".removesuffix("  // "))
    return "".join(f"{line}\n" for line in lines)


def from_datalog(text: str, *, where: str | None = None) -> list[Rule]:
    """Read the rules of a Datalog program, one per line, with support and confidence in a comment.

    Raises
    ------
    FormatError
    """
    example = "uncle(X,Y) :- brother(X,A), father(A,Y).  // 0.93  412/443"
    names: dict[str, str] = {}
    rules = []
    for place, line in _numbered(text, where, "//"):
        try:
            if line.startswith("."):
                if match := _DATALOG_DECLARATION.match(line):
                    names[match[1]] = json.loads(match[2]) if match[2] else match[1]
                    names[match[1]].encode()  # half a surrogate pair is no character
                continue
            clause, _, comment = line.partition("//")
            head, body = clause.strip().removesuffix(".").split(":-")
            atoms = [
                Atom(names.get(name, name), subject, object_)
                for side in (head.strip(), body.strip())
                for name, subject, object_ in _atoms(side, _DATALOG_ATOM, example)
            ]
            support, body_count, confidence, _ = match_evidence(f"{comment.strip()} _")
            rule = Rule(atoms[0], tuple(atoms[1:]), support, body_count, confidence)
            rules.append(rule.canonical())
        except InvalidParameter as error:
            raise FormatError(error.message, remedy=error.remedy, where=place) from None
        except ValueError:
            raise FormatError(
                f"not a Datalog rule: {line[:60]!r}", remedy=f"expected {example}", where=place
            ) from None
    return rules


Writer = Callable[[Iterable[Rule]], str]
Reader = Callable[..., list[Rule]]

FORMATS: Mapping[str, tuple[Writer, Reader]] = {
    "parsimony": (format_rules, parse_rules),
    "anyburl": (to_anyburl, from_anyburl),
    "amie": (to_amie, from_amie),
    "datalog": (to_datalog, from_datalog),
}


def _format(name: str) -> tuple[Writer, Reader]:
    if name not in FORMATS:
        raise InvalidParameter(
            f"unknown rule format {name!r}",
            remedy=suggest(name, FORMATS) or f"use one of {', '.join(FORMATS)}",
        )
    return FORMATS[name]


def rules_to_text(rules: Iterable[Rule], format: str = "parsimony") -> str:
    """Write rules in a named format.

    Raises
    ------
    InvalidParameter
        There is no such format, or it cannot represent a relation's name.
    """
    return _format(format)[0](rules)


def rules_from_text(
    text: str, format: str = "parsimony", *, where: str | None = None
) -> list[Rule]:
    """Read rules in a named format.

    Raises
    ------
    InvalidParameter
        There is no such format.
    FormatError
        ``where`` of the error is ``file:line``.
    """
    return _format(format)[1](text, where=where)
