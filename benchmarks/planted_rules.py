"""Are planted rules found, and is what they state true? On a generated world with a tenth of noise.

    python benchmarks/planted_rules.py [--entities 2000] [--seeds 5]

A world has ten basic relations, drawn at random, of which five are distractors; the facts of six
other relations follow from the basic ones by the planted rules, path rules and rules about an
entity. A tenth of what follows is missing, and a tenth of what is there was drawn at random.
Mining sees one world. A second world of the same rules, among other people but the same places,
holds the facts that judge it:

recall      share of the planted rules that are mined with a sure confidence
precision   share of the rules mined with a sure confidence that say nothing of a distractor and are
            no more than .1 less confident in the second world
off         difference of stated confidence and share of the second world's facts, over all that
            the planted rules say there; most_off is the largest of a single planted rule

A confidence is sure if support / (body count + 5) is at least a half. Rules that name a person, as
a planted path rule with two of its people filled in does, cannot be judged by a world of others.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import numpy.typing as npt
from common import record

from parsimony.graph import KnowledgeGraph, Vocabulary
from parsimony.knowledge import Rule, count_rules, mine_rules, parse_rules

PLACES, NOISE, SURE, WORSE = 12, 0.1, 0.5, 0.1
BASIC = tuple(f"p{i}" for i in range(5)) + tuple(f"distractor{i}" for i in range(5))
PATHS = """
uncle(X,Y) <- p0(X,A), p1(A,Y)
client(X,Y) <- p2(Y,X)
peer(X,Y) <- p0(A,X), p3(A,Y)
reach(X,Y) <- p1(X,A), p2(A,B), p3(B,Y)
"""
ABOUT = "".join(
    f"speaks(X,place{i}) <- p4(X,place{i + 6})\nhosts(place{i},Y) <- p4(Y,place{11 - i})\n"
    for i in range(5)
) + "speaks(X,place5) <- p3(X,A)\n"  # fmt: skip
PLANTED = parse_rules(PATHS + ABOUT)
RELATIONS = tuple(dict.fromkeys([*BASIC, *(rule.head.relation for rule in PLANTED)]))

Pairs = set[tuple[int, int]]


def _follow(rule: Rule, facts: dict[str, Pairs], places: dict[str, int]) -> Pairs:
    """What a planted rule says, by joining its atoms one by one."""
    bound: list[dict[str, int]] = [{}]
    for atom in rule.body:
        ends: dict[int, list[tuple[int, int]]] = {}
        known = [t for t in atom.terms if isinstance(t, str) and t in (bound[0] if bound else {})]
        at = 0 if known and atom.subject == known[0] else 1
        for pair in facts[atom.relation]:
            ends.setdefault(pair[at] if known else -1, []).append(pair)
        wider = []
        for row in bound:
            for pair in ends.get(row[known[0]] if known else -1, ()):
                new = dict(row)
                fits = True
                for term, value in zip(atom.terms, pair, strict=True):
                    if isinstance(term, str):
                        fits &= new.setdefault(term, value) == value
                    else:
                        fits &= places[term.name] == value
                if fits:
                    wider.append(new)
        bound = wider
    subject, object_ = rule.head.terms
    return {
        (
            row[subject] if isinstance(subject, str) else places[subject.name],
            row[object_] if isinstance(object_, str) else places[object_.name],
        )
        for row in bound
    }


def world(seed: int, n: int) -> KnowledgeGraph:
    """Generate a world of n people; places are its first entities."""
    random = np.random.default_rng(seed)
    names = [f"place{i}" for i in range(PLACES)] + [f"person{seed}_{i}" for i in range(n)]
    places = {name: i for i, name in enumerate(names[:PLACES])}
    facts: dict[str, Pairs] = {}

    def people(size: int) -> npt.NDArray[np.int64]:
        return random.integers(PLACES, PLACES + n, size)

    for name in BASIC:
        size = n // 2
        ends = people(size)
        if name in ("p4", "distractor0", "distractor1"):  # to a place
            ends = random.integers(0, PLACES, size)
        facts[name] = set(zip(people(size).tolist(), ends.tolist(), strict=True))
    for head in RELATIONS[len(BASIC) :]:
        rules = [rule for rule in PLANTED if rule.head.relation == head]
        said = sorted(set().union(*(_follow(rule, facts, places) for rule in rules)))
        kept = [pair for pair in said if random.random() >= NOISE]
        false = random.permutation(len(kept))[: int(len(kept) * NOISE)].tolist()
        facts[head] = set(kept)
        for i in false:
            x, y = kept[i]
            wrong = int(people(1)[0])
            facts[head].add((wrong, y) if y < PLACES else (x, wrong))
    rows = [
        (x, RELATIONS.index(name), y) for name, pairs in facts.items() for x, y in sorted(pairs)
    ]
    return KnowledgeGraph(
        np.array(rows, np.int32), len(names), len(RELATIONS),
        Vocabulary(names), Vocabulary(list(RELATIONS), "relation"),
    )  # fmt: skip


def measure(seed: int, n: int) -> dict[str, Any]:
    """Mine one world and judge by another."""
    first, second = world(2 * seed, n), world(2 * seed + 1, n)
    begin = time.perf_counter()
    mined = mine_rules(first, constants=True)
    seconds = time.perf_counter() - begin
    sure = [rule for rule in mined if rule.support / (rule.body_count + 5) >= SURE]
    judged = [rule for rule in sure if "person" not in rule.clause]
    pairs = list(zip(judged, count_rules(judged, second), strict=True))
    held = [
        one.confidence - other.confidence <= WORSE
        and not one.head.relation.startswith("distractor")
        for one, other in pairs
    ]
    clauses = {rule.canonical().clause for rule in PLANTED}
    found = [pair for pair in pairs if pair[0].clause in clauses]
    said = sum(other.body_count for _, other in found)
    expected = sum(one.confidence * other.body_count for one, other in found)
    return {
        "seed": seed,
        "facts": len(first),
        "mined": len(mined),
        "sure": len(sure),
        "judged": len(judged),
        "recall": len(found) / len(clauses),
        "precision": sum(held) / len(held),
        "off": abs(expected - sum(other.support for _, other in found)) / said,
        "most_off": max(abs(one.confidence - other.confidence) for one, other in found),
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--entities", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    rows = [measure(seed, options.entities) for seed in range(options.seeds)]
    record("planted_rules", {"entities": options.entities, "planted": len(PLANTED), "rows": rows})


if __name__ == "__main__":
    main()
