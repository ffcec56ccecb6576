"""Derive the embedded ``royal`` dataset from its one source of truth, ``people.tsv``.

Run ``python scripts/make_royal.py`` after editing the table; a test checks that the shipped
files equal what this script generates. ``relation(X, Y)`` reads "X is the relation of Y".
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

ROYAL = Path(__file__).resolve().parents[1] / "src/parsimony/datasets/embedded/royal"
BASE = ("father", "mother", "husband", "wife", "brother", "sister")
INFERRED = ("uncle", "aunt", "cousin", "grandfather", "grandmother")
SEED, VALID, TEST = 2026, 0.1, 0.2
FEWEST_YEARS = 14  # a parent is at least this much older than the child

Pairs = list[tuple[str, str]]


class Person(NamedTuple):
    """One row of people.tsv; absent parents are empty, spouses are listed on either side."""

    id: str
    name: str
    sex: str
    born: int
    father: str
    mother: str
    spouses: tuple[str, ...]

    @property
    def parents(self) -> list[str]:
        """Return the listed parents."""
        return [parent for parent in (self.father, self.mother) if parent]


def read_people(path: Path) -> dict[str, Person]:
    """Read the table and refuse whatever cannot be true of a family."""
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    people = {}
    for row in rows:
        spouses = tuple(filter(None, row["spouses"].split(";")))
        person = Person(
            row["id"],
            row["name"],
            row["sex"],
            int(row["born"]),
            row["father"],
            row["mother"],
            spouses,
        )
        if person.id in people:
            raise ValueError(f"{person.id} stands twice in {path.name}")
        people[person.id] = person
    validate(people)
    return people


def validate(people: Mapping[str, Person]) -> None:
    """Sexes fit the roles, parents are older (hence no cycles), parents of one child married."""
    married = set(marriages(people))
    for person in people.values():
        for parent, sex in ((person.father, "M"), (person.mother, "F")):
            if parent and people[parent].sex != sex:
                raise ValueError(f"{parent} is a parent of {person.id} but not of sex {sex}")
            if parent and person.born - people[parent].born < FEWEST_YEARS:
                raise ValueError(f"{parent} is too young to be a parent of {person.id}")
        if person.father and person.mother and (person.father, person.mother) not in married:
            raise ValueError(f"the parents of {person.id} are not listed as spouses")
    for field in ("id", "name"):
        twice = [k for k, n in Counter(getattr(p, field) for p in people.values()).items() if n > 1]
        if twice:
            raise ValueError(f"{field} used twice: {twice}")


def marriages(people: Mapping[str, Person]) -> Pairs:
    """Return (husband, wife) pairs, each once, from whichever side lists the other."""
    couples = dict.fromkeys(
        (person.id, spouse) if person.sex == "M" else (spouse, person.id)
        for person in people.values()
        for spouse in person.spouses
    )
    for husband, wife in couples:
        if (people[husband].sex, people[wife].sex) != ("M", "F"):
            raise ValueError(f"{husband} and {wife}: expected a husband and a wife")
    return list(couples)


def derive(people: Mapping[str, Person]) -> dict[str, Pairs]:
    """All facts by relation. Siblings share at least one listed parent; uncles are by blood."""
    children: dict[str, list[str]] = defaultdict(list)
    for person in people.values():
        for parent in person.parents:
            children[parent].append(person.id)
    siblings = {
        p.id: {c for parent in p.parents for c in children[parent]} - {p.id}
        for p in people.values()
    }

    facts: dict[str, set[tuple[str, str]]] = {name: set() for name in BASE + INFERRED}

    def add(relations: tuple[str, str], x: str, y: str) -> None:
        facts[relations[people[x].sex == "F"]].add((x, y))

    for husband, wife in marriages(people):
        facts["husband"].add((husband, wife))
        facts["wife"].add((wife, husband))
    for y, person in people.items():
        for sibling in siblings[y]:
            add(("brother", "sister"), sibling, y)
        for parent in person.parents:
            add(("father", "mother"), parent, y)
            for grandparent in people[parent].parents:
                add(("grandfather", "grandmother"), grandparent, y)
            for x in siblings[parent]:
                add(("uncle", "aunt"), x, y)
                for cousin in children[x]:
                    if cousin != y and cousin not in siblings[y]:
                        facts["cousin"].add((cousin, y))
    order = {identity: i for i, identity in enumerate(people)}
    return {
        relation: sorted(pairs, key=lambda pair: (order[pair[0]], order[pair[1]]))
        for relation, pairs in facts.items()
    }


def split(relation: str, pairs: Pairs) -> tuple[Pairs, Pairs, Pairs]:
    """Split about 70/10/20 by a hash, so that the result depends on no library's generator.

    Both directions of a cousinship go to one split: otherwise a test fact would be its
    training twin read backwards.
    """
    groups: dict[tuple[str, ...], Pairs] = defaultdict(list)
    for pair in pairs:
        key = tuple(sorted(pair)) if relation == "cousin" else pair
        groups[key].append(pair)
    drawn = sorted(
        groups,
        key=lambda key: hashlib.sha256("|".join((str(SEED), relation, *key)).encode()).digest(),
    )
    n_valid, n_test = round(VALID * len(drawn)), round(TEST * len(drawn))
    part_of = {key: 1 if i < n_valid else 2 for i, key in enumerate(drawn[: n_valid + n_test])}
    parts: tuple[Pairs, Pairs, Pairs] = ([], [], [])
    for key, group in groups.items():
        parts[part_of.get(key, 0)].extend(group)
    return parts


def _lines(rows: Iterable[Iterable[str]]) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


def build(people: Mapping[str, Person]) -> dict[str, str]:
    """Return the text of every generated file by its name."""
    facts = derive(people)
    parts: list[list[tuple[str, str, str]]] = [[], [], []]
    for relation, pairs in facts.items():
        shares = (pairs, [], []) if relation in BASE else split(relation, pairs)
        for part, share in zip(parts, shares, strict=True):
            part.extend((x, relation, y) for x, y in share)
    seen = {name for x, _, y in parts[0] for name in (x, y)}
    if lonely := set(people) - seen:
        raise ValueError(f"in no training fact: {sorted(lonely)}")
    every = list(itertools.chain.from_iterable(parts))
    if len(set(every)) != len(every):
        raise ValueError("a fact stands in two places")
    return {
        "train.txt": _lines(parts[0]),
        "valid.txt": _lines(parts[1]),
        "test.txt": _lines(parts[2]),
        "entities.txt": _lines((identity,) for identity in people),
        "relations.txt": _lines((relation,) for relation in BASE + INFERRED),
        "entity_names.tsv": _lines((p.id, p.name) for p in people.values()),
    }


def main() -> None:
    """Write the files, or with ``--check`` say which of them differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    check = parser.parse_args().check
    stale = []
    for name, text in build(read_people(ROYAL / "people.tsv")).items():
        path = ROYAL / name
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(name)
        if not check:
            path.write_text(text, encoding="utf-8", newline="\n")
        print(f"{name}: {text.count(chr(10))} lines")
    if stale:
        raise SystemExit(f"differs from people.tsv: {', '.join(stale)}; run without --check")


if __name__ == "__main__":
    main()
