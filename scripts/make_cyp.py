"""Derive the embedded ``cyp`` dataset from its sources of truth, ``drugs.tsv`` and ``facts.tsv``.

Run ``python scripts/make_cyp.py`` after editing a table; tests check that the shipped files
equal what this script generates. The fingerprints need RDKit (extra ``chem``), the rest does not.
For teaching, not for clinical use.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

CYP = Path(__file__).resolve().parents[1] / "src/parsimony/datasets/embedded/cyp"
SEED = 2026
VALID_TURN, TEST_TURNS = 2, (5, 8)  # which of ten drugs emerge
HELD_OUT = 0.1  # share of the pairs of two known drugs, once for valid_S0, once for test_S0
RADIUS, BITS = 2, 1024  # of the Morgan fingerprints


class Drug(NamedTuple):
    """One row of drugs.tsv; the formula is stated apart, so that it can check the SMILES."""

    id: str
    name: str
    smiles: str
    drugbank_id: str
    formula: str


class Fact(NamedTuple):
    """One row of facts.tsv: what a public document says about one drug."""

    drug: str
    relation: str
    object: str
    source: str


class Type(NamedTuple):
    """One kind of interaction; if not ordered, #Drug1 is the first by the alphabet."""

    id: str
    ordered: bool
    template: str


class Rule(NamedTuple):
    """A type applies if #Drug1 has the first fact and #Drug2 the second.

    An object of one capital letter is a variable: equal letters ask for equal objects.
    ``other_class`` asks that the drugs do not belong to the same class.
    """

    type: str
    first: tuple[str, str]
    second: tuple[str, str]
    other_class: bool = False


class Interaction(NamedTuple):
    """One row of a split file."""

    drug1: str
    drug2: str
    type: str


TYPES = (
    Type("hypotension", False, "#Drug1 and #Drug2 together may lower blood pressure dangerously."),
    Type("qt_prolongation", False, "#Drug1 and #Drug2 together may prolong the QT interval."),
    Type(
        "hypokalemic_arrhythmia",
        True,
        "#Drug1 may lower potassium and thereby bring on arrhythmias under #Drug2.",
    ),
    Type(
        "cns_depression", False, "#Drug1 and #Drug2 together may depress breathing and alertness."
    ),
    Type("serotonin_syndrome", False, "#Drug1 and #Drug2 together may cause serotonin syndrome."),
    Type("bleeding", False, "#Drug1 and #Drug2 together may raise the risk of bleeding."),
    Type("bradycardia", False, "#Drug1 and #Drug2 together may slow the heart too much."),
    Type("hyperkalemia", False, "#Drug1 and #Drug2 together may raise potassium in the blood."),
    Type("metabolism_decreased", True, "#Drug1 may slow the metabolism of #Drug2."),
    Type("activation_decreased", True, "#Drug1 may block the activation of #Drug2, a prodrug."),
    Type(
        "transport_decreased",
        True,
        "#Drug1 may block a transporter of #Drug2 and raise its level in the blood.",
    ),
    Type("metabolism_increased", True, "#Drug1 may speed up the metabolism of #Drug2."),
    Type("absorption_decreased", True, "#Drug1 may reduce the absorption of #Drug2."),
)

# In order of severity: the first rule that applies to a pair names its type and its order.
RULES = (
    Rule("hypotension", ("raises", "cGMP"), ("inhibits_breakdown_of", "cGMP")),
    Rule("hypotension", ("raises", "cGMP"), ("raises", "cGMP"), other_class=True),
    Rule("hypotension", ("blocks", "alpha1_adrenoceptor"), ("inhibits_breakdown_of", "cGMP")),
    Rule("qt_prolongation", ("prolongs", "QT_interval"), ("prolongs", "QT_interval")),
    Rule("hypokalemic_arrhythmia", ("lowers", "potassium"), ("prolongs", "QT_interval")),
    Rule("hypokalemic_arrhythmia", ("lowers", "potassium"), ("toxic_with_low", "potassium")),
    Rule(
        "cns_depression",
        ("depresses", "central_nervous_system"),
        ("depresses", "central_nervous_system"),
    ),
    Rule("serotonin_syndrome", ("inhibits_breakdown_of", "serotonin"), ("raises", "serotonin")),
    Rule("serotonin_syndrome", ("raises", "serotonin"), ("raises", "serotonin")),
    Rule(
        "serotonin_syndrome",
        ("inhibits_breakdown_of", "serotonin"),
        ("inhibits_breakdown_of", "serotonin"),
    ),
    Rule("bleeding", ("impairs", "X"), ("impairs", "Y")),
    Rule("bleeding", ("impairs", "X"), ("depletes", "platelet_serotonin")),
    Rule("bradycardia", ("blocks", "beta1_adrenoceptor"), ("slows", "heart_rate")),
    Rule("bradycardia", ("slows", "heart_rate"), ("slows", "heart_rate")),
    Rule("hyperkalemia", ("raises", "potassium"), ("raises", "potassium")),
    Rule("metabolism_decreased", ("inhibits_strongly", "X"), ("sensitive_substrate_of", "X")),
    Rule("metabolism_decreased", ("inhibits_strongly", "X"), ("substrate_of", "X")),
    Rule("metabolism_decreased", ("inhibits_moderately", "X"), ("sensitive_substrate_of", "X")),
    Rule("metabolism_decreased", ("inhibits_strongly", "X"), ("narrow_substrate_of", "X")),
    Rule("metabolism_decreased", ("inhibits_moderately", "X"), ("narrow_substrate_of", "X")),
    # The label of clopidogrel warns of omeprazole, a weak inhibitor, too.
    Rule("activation_decreased", ("inhibits_strongly", "X"), ("activated_by", "X")),
    Rule("activation_decreased", ("inhibits_moderately", "X"), ("activated_by", "X")),
    Rule("activation_decreased", ("inhibits_weakly", "X"), ("activated_by", "X")),
    Rule("transport_decreased", ("inhibits_transporter", "X"), ("transported_by", "X")),
    Rule("metabolism_increased", ("induces_strongly", "X"), ("sensitive_substrate_of", "X")),
    Rule("metabolism_increased", ("induces_strongly", "X"), ("substrate_of", "X")),
    Rule("metabolism_increased", ("induces_moderately", "X"), ("sensitive_substrate_of", "X")),
    Rule("metabolism_increased", ("induces_strongly", "X"), ("narrow_substrate_of", "X")),
    Rule("metabolism_increased", ("induces_moderately", "X"), ("narrow_substrate_of", "X")),
    Rule("absorption_decreased", ("supplies", "X"), ("bound_by", "X")),
    Rule("absorption_decreased", ("lowers", "X"), ("absorbed_with", "X")),
)


def _rows(path: Path, columns: Sequence[str]) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        header, *rows = csv.reader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
    if header != list(columns):
        raise ValueError(f"{path.name}: expected the columns {', '.join(columns)}")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(columns) or not all(row):
            raise ValueError(f"{path.name}:{number}: a cell is missing or empty")
    return rows


def read_tables(folder: Path) -> tuple[list[Drug], list[Fact]]:
    """Read both tables and refuse what cannot be meant."""
    drugs = [Drug(*row) for row in _rows(folder / "drugs.tsv", Drug._fields)]
    facts = [Fact(*row) for row in _rows(folder / "facts.tsv", Fact._fields)]
    for field in ("id", "name", "smiles", "drugbank_id"):
        twice = [k for k, n in Counter(getattr(d, field) for d in drugs).items() if n > 1]
        if twice:
            raise ValueError(f"drugs.tsv: {field} used twice: {twice}")
    known = {drug.id for drug in drugs}
    if strangers := {fact.drug for fact in facts} - known:
        raise ValueError(f"facts.tsv: not in drugs.tsv: {sorted(strangers)}")
    for drug in drugs:
        relations = Counter(fact.relation for fact in facts if fact.drug == drug.id)
        if relations["belongs_to"] != 1 or len(relations) < 2:
            raise ValueError(f"{drug.id}: expected one class and at least one other fact")
    if len({fact[:3] for fact in facts}) != len(facts):
        raise ValueError("facts.tsv: a fact stands twice")
    stated = {fact.relation for fact in facts}
    if unused := {r for rule in RULES for r, _ in (rule.first, rule.second)} - stated:
        raise ValueError(f"no fact has the relation of a rule: {sorted(unused)}")
    return drugs, facts


def matches(rule: Rule, facts: Iterable[Fact]) -> Iterator[tuple[str, str]]:
    """Yield the ordered pairs to which a rule applies, sorted."""
    objects: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for fact in facts:
        objects[fact.relation][fact.drug].add(fact.object)

    def holders(relation: str, wanted: str) -> list[tuple[str, set[str]]]:
        variable = len(wanted) == 1
        found = sorted(objects[relation].items())
        return [(d, o if variable else o & {wanted}) for d, o in found if variable or wanted in o]

    joined = rule.first[1] == rule.second[1]
    for (a, left), (b, right) in itertools.product(holders(*rule.first), holders(*rule.second)):
        same_class = objects["belongs_to"][a] == objects["belongs_to"][b]
        if a != b and (left & right or not joined) and not (rule.other_class and same_class):
            yield a, b


def derive(facts: Sequence[Fact]) -> list[Interaction]:
    """One interaction for each pair that a rule speaks of; the first rule wins."""
    ordered = {kind.id: kind.ordered for kind in TYPES}
    found: dict[frozenset[str], Interaction] = {}
    for rule in RULES:
        for a, b in matches(rule, facts):
            pair = (a, b) if ordered[rule.type] else (min(a, b), max(a, b))
            found.setdefault(frozenset(pair), Interaction(*pair, rule.type))
    return sorted(found.values())


def _draw(keys: Iterable[tuple[str, ...]], purpose: str) -> list[tuple[str, ...]]:
    """Shuffle by a hash, so that the result depends on no library's generator."""
    return sorted(
        keys,
        key=lambda key: hashlib.sha256("|".join((str(SEED), purpose, *key)).encode()).digest(),
    )


def emerging(interactions: Sequence[Interaction]) -> tuple[set[str], set[str]]:
    """The drugs that emerge in validation and in test; all others are known.

    Drugs are lined up by the type that most of their interactions have, in a drawn order within
    a type, and every tenth emerges in validation, two of ten in test: so each part sees most types.
    """
    types = [kind.id for kind in TYPES]
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for interaction in interactions:
        for drug in interaction[:2]:
            counts[drug][interaction.type] += 1
    drawn = [key[0] for key in _draw(((drug,) for drug in counts), "emerging")]
    main_type = {drug: min(n, key=lambda t: (-n[t], types.index(t))) for drug, n in counts.items()}
    line = sorted(drawn, key=lambda drug: types.index(main_type[drug]))
    return set(line[VALID_TURN::10]), set(line[TEST_TURNS[0] :: 10]) | set(
        line[TEST_TURNS[1] :: 10]
    )


def split(interactions: Sequence[Interaction]) -> dict[str, list[Interaction]]:
    """Deal the interactions out by the roles of their drugs.

    Both known: train, valid_S0 or test_S0. One emerging, one known: S1. Both emerging in the same
    part: S2. A pair of a validation and a test drug belongs to neither and is left out.
    """
    valid, test = emerging(interactions)
    parts: dict[str, list[Interaction]] = {"train": []}
    for name in ("S0", "S1", "S2"):
        parts |= {f"valid_{name}": [], f"test_{name}": []}
    known: dict[str, list[Interaction]] = defaultdict(list)
    for interaction in interactions:
        n_valid = len({interaction.drug1, interaction.drug2} & valid)
        n_test = len({interaction.drug1, interaction.drug2} & test)
        if n_valid and n_test:
            continue
        if n_valid or n_test:
            parts[f"{'valid' if n_valid else 'test'}_S{n_valid + n_test}"].append(interaction)
        else:
            known[interaction.type].append(interaction)
    for kind, rows in known.items():
        drawn = [Interaction(*key) for key in _draw(rows, kind)]
        n = round(HELD_OUT * len(drawn))
        parts["valid_S0"] += drawn[:n]
        parts["test_S0"] += drawn[n : 2 * n]
        parts["train"] += drawn[2 * n :]
    if untaught := {kind.id for kind in TYPES} - {row.type for row in parts["train"]}:
        raise ValueError(f"types without a training interaction: {sorted(untaught)}")
    return {name: sorted(rows) for name, rows in parts.items()}


def _lines(rows: Iterable[Iterable[str]]) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


def build(facts: Sequence[Fact]) -> dict[str, str]:
    """Return the text of every generated file but the fingerprints, by its name."""
    parts = split(derive(facts))
    files = {f"{name}.txt": _lines(rows) for name, rows in parts.items()}
    templates = [
        ("id", "template", "subject"),
        *((kind.id, kind.template, "first" if kind.ordered else "both") for kind in TYPES),
    ]
    files["relations.tsv"] = _lines(templates)
    files["background/train.txt"] = _lines(fact[:3] for fact in facts)
    return files


def fingerprints(drugs: Sequence[Drug]) -> str:
    """One line a drug: id, Morgan fingerprint as hexadecimal digits, bit 0 first.

    Refuses a SMILES that does not parse or has not the stated formula.
    """
    from rdkit import Chem
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
    from rdkit.Chem.rdMolDescriptors import CalcMolFormula

    generator = GetMorganGenerator(radius=RADIUS, fpSize=BITS)
    rows = []
    for drug in drugs:
        molecule = Chem.MolFromSmiles(drug.smiles)
        if molecule is None:
            raise ValueError(f"{drug.id}: RDKit cannot parse {drug.smiles!r}")
        if (formula := CalcMolFormula(molecule)) != drug.formula:
            raise ValueError(f"{drug.id}: the SMILES has formula {formula}, not {drug.formula}")
        bits = generator.GetFingerprint(molecule).ToBitString()
        rows.append((drug.id, f"{int(bits, 2):0{BITS // 4}x}"))
    return _lines(rows)


def main() -> None:
    """Write the files, or with ``--check`` say which of them differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    check = parser.parse_args().check
    drugs, facts = read_tables(CYP)
    stale = []
    for name, text in {**build(facts), "fingerprints.txt": fingerprints(drugs)}.items():
        path = CYP / name
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(name)
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        print(f"{name}: {text.count(chr(10))} lines")
    if stale:
        raise SystemExit(f"differs from the tables: {', '.join(stale)}; run without --check")


if __name__ == "__main__":
    main()
