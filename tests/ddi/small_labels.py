"""Thirty molecules of three families; which families meet decides the labels, if any."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from tests.ddi.small_pairs import families

from parsimony.ddi.data import DDIData
from parsimony.ddi.time_split import divide
from parsimony.graph import Vocabulary

#: families (0 alcohol, 1 amine, 2 acid) that interact → labels
LABELS = {(0, 1): (0, 1), (1, 2): (1, 2, 3), (2, 2): (4,)}


def labelled(per_family=10, share=0.85) -> DDIData:
    """Some of the pairs of interacting families are observed; no other pairs ever are."""
    base = families(per_family)
    family = np.repeat(np.arange(3), per_family)
    draw = np.random.default_rng(1)
    rows = []
    for a, b in itertools.combinations(range(base.n_drugs), 2):
        kinds = LABELS.get((int(family[a]), int(family[b])), ())
        if kinds and draw.random() < share:
            ends = (a, b) if draw.random() < 0.5 else (b, a)
            rows += [(ends[0], kind, ends[1]) for kind in kinds]
    side = np.zeros(base.n_drugs, int)
    for f in range(3):
        side[[f * per_family + 3, f * per_family + 6]] = 1
        side[[f * per_family + 4, f * per_family + 7]] = 2
    names = [f"e{i}" for i in range(5)]
    return replace(
        base,
        name="labelled",
        types=Vocabulary(names, "relation"),
        templates=tuple(f"{name} is reported with #Drug1 and #Drug2." for name in names),
        pairs=divide(np.array(rows, np.int32), side),
        multilabel=True,
    )


def write_labelled_folder(data: DDIData, path):
    """The same data as a user's folder: labels in one column, separated by commas."""
    path.mkdir()
    columns = (data.drugs, data.names, data.smiles, data.external_ids)
    lines = ["id\tname\tsmiles\tdrugbank_id"]
    lines += ["\t".join(row) for row in zip(*columns, strict=True)]
    (path / "drugs.tsv").write_text("\n".join(lines) + "\n")
    rows = zip(data.types, data.templates, strict=True)
    text = "".join(f"{name}\t{template}\n" for name, template in rows)
    (path / "relations.tsv").write_text("id\ttemplate\n" + text)
    for split, pairs in data.pairs.items():
        found: dict[tuple[int, int], list[str]] = {}
        for a, t, b in pairs.tolist():
            found.setdefault((a, b), []).append(data.types.name(t))
        lines = [
            f"{data.drugs.name(a)}\t{data.drugs.name(b)}\t{','.join(labels)}\n"
            for (a, b), labels in found.items()
        ]
        (path / f"{split}.txt").write_text("".join(lines))
    return path
