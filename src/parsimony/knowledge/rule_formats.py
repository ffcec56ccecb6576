"""Rules in the formats of other tools: AnyBURL, AMIE and Datalog (Soufflé).

Every format is a pair of functions, a writer and a reader, in :data:`FORMATS`. The readers rename
the variables (head X and Y, then A, B, …), so rules round-trip up to renaming of variables. Names
that a format cannot represent are refused by the writer, not changed silently; only Datalog has
room for a translation table, in the comments after its declarations. Datalog also says what is
understood elsewhere: that the variables and entities of a rule about an entity are distinct.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, count

from parsimony.decoding.strict_json import json_text
from parsimony.errors import FormatError, InvalidParameter, suggest
from parsimony.knowledge.rules import (
    Atom,
    Constant,
    Rule,
    Term,
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
_STRING = r'"(?:[^"\\]|\\.)*"'
_DATALOG_TERM = rf"([A-Z]\w*|{_STRING})"
_DATALOG_ATOM = re.compile(
    rf"\s*([A-Za-z_]\w*)\s*\(\s*{_DATALOG_TERM}\s*,\s*{_DATALOG_TERM}\s*\)\s*(?:,|$)"
)
_DATALOG_RULE = re.compile(
    rf'((?:[^"/:]|{_STRING})*):-((?:[^"/!]|{_STRING})*?)'
    rf"(?:,\s*{_DATALOG_TERM}\s*!=\s*{_DATALOG_TERM}\s*)*\.\s*(?://(.*))?"
)
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


def _representable(name: str, pattern: str, tool: str, whose: str = "relation's") -> str:
    if not re.fullmatch(pattern, name):
        raise InvalidParameter(
            f"{tool} rules cannot represent the {whose} name {name[:60]!r}",
            remedy="rename it, or write the rules in Parsimony's own format",
        )
    return name


class _Variables(dict[str, str]):
    """Letters for the variables of one rule, whatever another tool calls them."""

    def __missing__(self, name: str) -> str:
        self[name] = f"V{len(self)}"
        return self[name]


def to_anyburl(rules: Iterable[Rule]) -> str:
    """Write AnyBURL's format: body count, support, confidence and rule, separated by tabs.

    Raises
    ------
    InvalidParameter
        A relation's or an entity's name contains white space, a comma or a parenthesis; an entity
        is called by a single capital, or there are more variables than capitals.
    """

    def term(t: Term) -> str:
        if isinstance(t, Constant):
            return _representable(t.name, r"(?![A-Z]$)[^\s(),]+", "AnyBURL", "entity's")
        return _representable(t, "[A-Z]", "AnyBURL", "variable's")

    def atom(a: Atom) -> str:
        name = _representable(a.relation, r"[^\s(),]+", "AnyBURL")
        return f"{name}({term(a.subject)},{term(a.object)})"

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
        Skip rules with an entity (AnyBURL writes many).

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
            first, *rest = (
                Atom(name, *(Constant(t) if t in constants else t for t in pair))
                for name, *pair in atoms
            )
            counts = int(support), int(body_count), float(confidence)
            rules.append(Rule(first, tuple(rest), *counts).canonical())
        except InvalidParameter as error:
            raise FormatError(error.message, remedy=error.remedy, where=place) from None
        except ValueError:
            raise FormatError(
                f"not an AnyBURL rule: {line[:60]!r}", remedy=f"expected {example}", where=place
            ) from None
    return rules


def to_amie(
    rules: Iterable[Rule],
    head_sizes: Mapping[str, int] | None = None,
    pca: Sequence[float] | None = None,
) -> str:
    """Write AMIE's table; columns that are not known are ``NaN``.

    Parameters
    ----------
    rules : iterable of Rule
    head_sizes : mapping, optional
        Number of distinct facts per relation, for the head coverage; otherwise ``NaN``.
    pca : sequence of float, optional
        Confidences under the partial completeness assumption, one per rule: see
        :func:`parsimony.knowledge.rule_counts.pca_confidences`.

    Raises
    ------
    InvalidParameter
        A relation's or an entity's name contains white space or is ``=>``; an entity's begins with
        a question mark.
    """

    def term(t: Term) -> str:
        if isinstance(t, Constant):
            return _representable(t.name, r"(?!=>$)[^\s?]\S*", "AMIE", "entity's")
        return f"?{t.lower()}"

    def atom(a: Atom) -> str:
        name = _representable(a.relation, r"(?!=>$)\S+", "AMIE")
        return f"{term(a.subject)}  {name}  {term(a.object)}"

    lines = ["\t".join(AMIE_COLUMNS) + "\n"]
    for i, rule in enumerate(map(Rule.canonical, rules)):
        clause = "  ".join(map(atom, rule.body)) + f"   => {atom(rule.head)}"
        known = "NaN" if pca is None else repr(float(pca[i]))
        size = (head_sizes or {}).get(rule.head.relation, 0)
        coverage = repr(rule.support / size) if size else "NaN"
        evidence = (coverage, rule.confidence, known, rule.support, rule.body_count, "NaN", "?x")
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
            letters = _Variables()
            atoms = []
            for subject, relation, object_ in zip(*[iter(words)] * 3, strict=True):
                terms = (letters[t] if t[0] == "?" else Constant(t) for t in (subject, object_))
                atoms.append(Atom(relation, *terms))
            counts = int(support), int(body_count), float(confidence)
            rules.append(Rule(atoms[-1], tuple(atoms[:-1]), *counts).canonical())
        except InvalidParameter as error:
            raise FormatError(error.message, remedy=error.remedy, where=place) from None
        except ValueError:
            raise FormatError(
                f"not a row of AMIE: {line[:60]!r}", remedy=f"expected {example}", where=place
            ) from None
    return rules


def distinct(rule: Rule) -> Iterator[tuple[Term, Term]]:
    """Yield the pairs of terms that a rule about an entity takes to be different entities."""
    atoms = (rule.head, *rule.body)
    terms = list(dict.fromkeys(term for atom in atoms for term in atom.terms))
    for one, other in combinations(terms if rule.names_entity else [], 2):
        if isinstance(one, str) or isinstance(other, str):
            yield one, other


def _text(quoted: str) -> str:
    """Return what a JSON string says.

    Raises
    ------
    ValueError
        It is none, or holds half a surrogate pair, which is no character.
    """
    text = str(json.loads(quoted, strict=False))
    text.encode()
    return text


def to_datalog(rules: Iterable[Rule]) -> str:
    """Write a Soufflé program: declarations, inputs, outputs, then the rules.

    A name that is not an identifier is replaced by one, and the comment after its declaration has
    the original name. The comment after each rule has its support and confidence. Rules about an
    entity say which terms differ.
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

    def term(t: Term) -> str:
        return json_text(t.name, ensure_ascii=False) if isinstance(t, Constant) else t

    def atom(a: Atom) -> str:
        return f"{identifier[a.relation]}({term(a.subject)},{term(a.object)})"

    lines = []
    for name in relations:
        declaration = f".decl {identifier[name]}(subject:symbol, object:symbol)"
        lines.append(declaration + ("" if name in plain else f"  // {json_text(name)}"))
        lines.append(f".input {identifier[name]}")
    lines += [f".output {identifier[name]}" for name in heads]
    for rule in rules:
        body = [*map(atom, rule.body), *(f"{term(a)} != {term(b)}" for a, b in distinct(rule))]
        clause = f"{atom(rule.head)} :- {', '.join(body)}."
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
                    names[match[1]] = _text(match[2]) if match[2] else match[1]
                continue
            if not (match := _DATALOG_RULE.fullmatch(line)):
                raise ValueError
            letters = _Variables()

            def term(text: str, letters: _Variables = letters) -> Term:
                return Constant(_text(text)) if text[0] == '"' else letters[text]

            atoms = [
                Atom(names.get(name, name), term(subject), term(object_))
                for side in (match[1].strip(), match[2].strip())
                for name, subject, object_ in _atoms(side, _DATALOG_ATOM, example)
            ]
            comment = (match[match.re.groups] or "").strip()
            support, body_count, confidence, _ = match_evidence(f"{comment} _")
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
