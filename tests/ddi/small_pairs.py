"""Thirty molecules of three families; the families of a pair decide its interaction type."""

from __future__ import annotations

import itertools

import numpy as np

from parsimony.ddi.data import DDIData
from parsimony.graph import Vocabulary

GROUPS = ("O", "N", "C(=O)O")
PER_FAMILY = 10


def families(per_family=PER_FAMILY) -> DDIData:
    """Chains of four and more carbons with one group; of each family two are new in each split."""
    ids = [f"{group}{k}" for group in ("ol", "amine", "acid") for k in range(per_family)]
    smiles = [f"{'C' * (k + 4)}{group}" for group in GROUPS for k in range(per_family)]
    family = np.repeat(np.arange(3), per_family)
    part = np.zeros(len(ids), int)  # 0 train, 1 valid, 2 test
    for f in range(3):
        part[f * per_family + 3], part[f * per_family + 6] = 1, 1
        part[f * per_family + 4], part[f * per_family + 7] = 2, 2
    rows = {name: [] for name in ("train", "valid_S0", "test_S0", "valid_S1", "test_S1",
                                  "valid_S2", "test_S2")}  # fmt: skip
    draw = np.random.default_rng(0)
    for a, b in itertools.permutations(range(len(ids)), 2):
        if a > b and family[a] == family[b]:
            continue
        row = (a, int(family[a] * 3 + family[b]), b)
        new = sorted((part[a], part[b]))
        if new == [0, 0]:
            rows[str(draw.choice(["train", "valid_S0", "test_S0"], p=[0.8, 0.1, 0.1]))].append(row)
        elif new[0] == 0:
            rows[("", "valid_S1", "test_S1")[new[1]]].append(row)
        elif new[0] == new[1]:
            rows[("", "valid_S2", "test_S2")[new[0]]].append(row)
    return DDIData(
        name="families",
        drugs=Vocabulary(ids, "drug"),
        names=tuple(f"Drug {name}" for name in ids),
        smiles=tuple(smiles),
        external_ids=tuple(f"X{i:02d}" for i in range(len(ids))),
        types=Vocabulary([f"t{i}" for i in range(9)], "relation"),
        templates=tuple(f"#Drug1 does {i} to #Drug2." for i in range(9)),
        pairs={name: np.array(found, np.int32) for name, found in rows.items()},
    )


def write_ddi_folder(data: DDIData, path):
    """The same data as a user's folder."""
    path.mkdir()
    lines = ["id\tname\tsmiles\tdrugbank_id"]
    columns = (data.drugs, data.names, data.smiles, data.external_ids)
    lines += ["\t".join(row) for row in zip(*columns, strict=True)]
    (path / "drugs.tsv").write_text("\n".join(lines) + "\n")
    rows = zip(data.types, data.templates, strict=True)
    text = "".join(f"{name}\t{template}\n" for name, template in rows)
    (path / "relations.tsv").write_text("id\ttemplate\n" + text)
    for split, pairs in data.pairs.items():
        lines = [
            f"{data.drugs.name(a)} {data.drugs.name(b)} {data.types.name(t)}\n"
            for a, t, b in pairs.tolist()
        ]
        (path / f"{split}.txt").write_text("".join(lines))
    return path
