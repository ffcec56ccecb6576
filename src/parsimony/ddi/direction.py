"""Which drug of a row acts on the other: what a sentence of two drugs may claim, in one place.

A row of the data is (first drug, second drug, type), and the template of a type has #Drug1 and
#Drug2. Which drug of the row #Drug1 stands for is the type's :class:`Subject`. In a user's folder
it is the first one, unless the column ``subject`` of ``relations.tsv`` says otherwise.

In all templates of the DrugBank set #Drug1 acts on #Drug2, but in the rows of many types the acting
drug is the second one. ``DRUGBANK`` holds what pharmacology says of each type: known binders,
inhibitors, inducers, antagonists and prodrugs, with counts and the drugs that tell, by
``benchmarks/direction.py`` in ``benchmarks/results/direction.md``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

__all__ = ["DRUGBANK", "UNSETTLED", "Subject", "drugbank", "of_older_run", "says", "wording"]


class Subject(StrEnum):
    """Which drug of a row the template's #Drug1 stands for."""

    FIRST = "first"
    SECOND = "second"
    BOTH = "both"  # the sentence is the same either way round
    UNDECIDED = "undecided"  # the sentence must not claim a direction


#: DrugBank's types: which drug of a row acts, and what the other one becomes.
_TABLE = """
0 first more photosensitizing
1 second more anticholinergic
2 first less bioavailable
3 first metabolised faster
4 first less vasoconstricting
5 second more anticoagulant
6 second more ototoxic
7 first more effective
8 second more hypoglycemic
9 first more antihypertensive
10 first less active metabolite
11 second less anticoagulant
12 first absorbed less
13 first less bronchodilatory
14 undecided more cardiotoxic
15 second more depressant of the central nervous system
16 first less neuromuscular block
17 first absorbed more
18 second more vasoconstricting
19 second more prolonging of QTc
20 second more neuromuscular block
21 undecided more adverse neuromuscular effects
22 second more stimulating
23 second more hypocalcemic
24 first more atrioventricular block
25 first less antiplatelet
26 first more neuroexcitatory
27 second more adverse to the skin
28 first less diuretic
29 first more orthostatic hypotension
30 both hypertension
31 first more sedating
32 both QTc prolongation
33 first more immunosuppressive
34 first more neurotoxic
35 undecided more antipsychotic
36 second less antihypertensive
37 second more vasodilatory
38 first more constipating
39 second more respiratory depression
40 first more hypotensive and depressant
41 both hyperkalemia
42 second bound less to protein
43 undecided more neurotoxic to the brain
44 second less use as a diagnostic agent
45 first more bronchoconstrictory
46 second metabolised more slowly
47 second more myopathic
48 both adverse effects
49 both heart failure
50 second more hypercalcemic
51 second less analgesic
52 second more antiplatelet
53 first more bradycardic
54 second more hyponatremic
55 both hypotension
56 second more nephrotoxic
57 second less cardiotoxic
58 first more ulcerogenic
59 first more hypotensive
60 second less stimulating
61 first more bioavailable
62 second more myelosuppressive
63 second more serotonergic
64 second excreted faster
65 both bleeding
66 second absorbed less
67 second more hyperkalemic
68 second more analgesic
69 first less effective
70 second more hypertensive
71 second excreted more slowly
72 second higher concentration
73 first more fluid retention
74 first lower concentration
75 first less sedating
76 first more active metabolite
77 second more hyperglycemic
78 first more depressant and hypertensive
79 second more hepatotoxic
80 second more thrombogenic
81 second more arrhythmogenic
82 first more hypokalemic
83 first more vasopressor
84 first more tachycardic
85 second more hypersensitivity
"""
_LINES = [line.split(" ", 2) for line in _TABLE.strip().splitlines()]
DRUGBANK = {kind: Subject(subject) for kind, subject, _ in _LINES}
_SAYS = {kind: words for kind, _, words in _LINES}

#: (type, first drug): rows of a decided type whose order is mixed. Conivaptan inhibits CYP3A4 and
#: is raised by other inhibitors, and stands first with its substrates and with the inhibitors.
UNSETTLED = frozenset({("72", "DB00872")})


def says(kind: str) -> str:
    """Return in a few words what the affected drug of a DrugBank type becomes."""
    return _SAYS[kind]


def wording(template: str, subject: Subject, first: str, second: str) -> str:
    """Return a template as a sentence of the first and the second drug of a row.

    Where the order is undecided the sentence says so, and claims none.
    """
    if subject is Subject.UNDECIDED:
        at = sorted(("#Drug1", "#Drug2"), key=template.find)
        text = template.replace(at[0], "one drug").replace(at[1], "the other")
        text = text if text[:2].isupper() else text[:1].lower() + text[1:]
        return f"{first} and {second}, order not established: {text}"
    acting, other = (second, first) if subject is Subject.SECOND else (first, second)
    names = {"#Drug1": acting, "#Drug2": other}
    return re.sub("#Drug[12]", lambda found: names[found.group()], template)


def drugbank(
    types: Sequence[str], external_ids: Sequence[str]
) -> tuple[tuple[Subject, ...], frozenset[tuple[int, int]], str]:
    """Return the subjects of DrugBank's types, the unsettled rows by number, and a note on both.

    A type that is not in the table is undecided.
    """
    subjects = tuple(DRUGBANK.get(kind, Subject.UNDECIDED) for kind in types)
    rows = [(types.index(kind), external_ids.index(drug)) for kind, drug in sorted(UNSETTLED)
            if kind in types and drug in external_ids]  # fmt: skip
    count: Counter[Subject] = Counter(subjects)
    note = (
        f"in {count[Subject.SECOND]} of {len(types)} types the drug that acts is the second one of "
        f"a row, and the sentences say so; of {count[Subject.UNDECIDED]} types, and of Conivaptan "
        "in type 72, the order is not established, and the sentence claims none"
    )
    return subjects, frozenset(rows), note


def of_older_run(meta: dict[str, Any]) -> dict[str, Any]:
    """Return what an older run saved of its data, with the subjects where they are of DrugBank.

    Two of its templates were stored with the drugs exchanged, and a note said so; in these #Drug2
    comes first when they are as distributed.
    """
    if "subjects" in meta or not meta["registered"] or not meta["name"].startswith("drugbank-ddi"):
        return meta
    templates = list(meta["templates"])
    for i, kind in enumerate(meta["types"]):
        text = templates[i]
        if kind in ("46", "72") and text.find("#Drug1") < text.find("#Drug2"):
            templates[i] = wording(text, Subject.SECOND, "#Drug1", "#Drug2")
    subjects, unsettled, note = drugbank(meta["types"], meta["external_ids"])
    kept = [text for text in meta["notes"] if not text.startswith("types 46 and 72")]
    return meta | {
        "templates": templates, "subjects": subjects, "unsettled": unsettled, "notes": [*kept, note]
    }  # fmt: skip
