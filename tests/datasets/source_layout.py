"""The layout of public sources, written from the dataset folders of the archives.

The sources themselves are out of a test's reach. Their layout is rebuilt here by hand from what was
seen of them (RED-GNN's and ConvE's files, DeepChem's tables, …), independently of the converters.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

from parsimony.datasets import recipes


def put(root, url, content):
    """Write the bytes that an address would answer, below ``root``: host, then path."""
    path = root / url.split("://")[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def addresses(name):
    return {file.name: file.url for file in recipes.recipe(name).files}


def tar_gz(members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members.items():
            item = tarfile.TarInfo(name)
            item.size = len(content)
            tar.addfile(item, io.BytesIO(content))
    return packed.getvalue()


def zipped(members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _splits(folder, end=b"\n"):
    return {
        f"{s}.txt": (folder / f"{s}.txt").read_bytes().replace(b"\n", end)
        for s in ("train", "valid", "test")
    }


def _red_gnn(folder):
    lines = (folder / "train.txt").read_bytes().splitlines(keepends=True)
    n = json.loads((folder / "redgnn_split.json").read_text())["n_facts"]
    return {
        **_splits(folder),
        "facts.txt": b"".join(lines[:n]),
        "train.txt": b"".join(lines[n:]),
        **{f"{k}.txt": (folder / f"{k}.txt").read_bytes() for k in ("entities", "relations")},
    }


def write_source(name, folder, root):
    """Write the files of a source from the folder that its recipe should make of them."""
    folder, where = Path(folder), addresses(name)
    made = {}
    if name in ("family", "umls", "wn18rr"):
        made = _red_gnn(folder)
        if name == "wn18rr":  # in another order, as the source has it
            texts = (folder / "entity_text.tsv").read_bytes().splitlines(keepends=True)
            made["ent2text.txt"] = b"".join(reversed(texts))
    elif name == "nations":
        made = {"nations.tar.gz": tar_gz(_splits(folder))}
    elif name.startswith("countries"):
        made = _splits(folder)
    elif name == "fb15k-237":
        made = _fb15k(folder)
    elif name == "nell-995":
        parts = _red_gnn(folder)
        facts = parts.pop("facts.txt")
        whole = parts["train.txt"] + facts  # the order of the archive's facts is that of the whole
        full = (folder / "test_full.txt").read_bytes()
        inner = {"NELL-995/train.txt": whole, "NELL-995/valid.txt": parts["valid.txt"],
                 "NELL-995/test.txt": full, "__MACOSX/NELL-995/train.txt": b"x"}  # fmt: skip
        made = {**parts, "NELL-995.zip": zipped(inner)}
    elif "_v" in name:
        for inside in (folder, folder.with_name(f"{folder.name}_ind")):
            made |= {f"{inside.name}/{file}": data for file, data in _splits(inside).items()}
            for kind in ("entities", "relations"):
                if (inside / f"{kind}.txt").exists():
                    names = (inside / f"{kind}.txt").read_text().splitlines()
                    text = "".join(f"{n}\t{i}\n" for i, n in enumerate(names))
                    made[f"{inside.name}/{kind}.txt"] = text.encode()
    elif name in ("tox21", "sider", "muv", "toxcast"):
        made = _molecules(name, folder)
    elif name == "lastfm":
        made = _lastfm(folder)
    elif name == "drugbank-ddi":
        made = _drugbank(folder)
    assert set(made) == set(where), name
    for file, content in made.items():
        put(root, where[file], content)


def _fb15k(folder):
    with (folder / "entity_names.tsv").open(encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file][1:]
    known = {
        mid: {"wikidata_id": q, "label": label, "description": text, "alternatives": []}
        for mid, _, q, label, text in rows if q
    }  # fmt: skip
    return {
        "FB15k-237.tar.gz": tar_gz(_splits(folder, b"\r\n")),
        "FB15k_mid2name.txt": "".join(f"{r[0]}\t{r[1]}\n" for r in rows if r[1]).encode(),
        "entity2wikidata.json": json.dumps(known).encode(),
    }


def _molecules(name, folder):
    """DeepChem's column order; one molecule twice."""
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    last = name in ("tox21", "muv")  # SMILES is the last column there, after an id
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*head[1:], "mol_id", "smiles"] if last else head)
    rows = [*rows, [rows[0][0], *[""] * (len(head) - 1)]]
    if name == "toxcast":
        rows.append(["FAIL", *["1"] * (len(head) - 1)])
    for n, row in enumerate(rows):
        cells = [f"{cell}.0" if cell and name in ("muv", "toxcast") else cell for cell in row[1:]]
        writer.writerow([*cells, f"TOX{n}", row[0]] if last else [row[0], *cells])
    (file,) = addresses(name)
    return {file: gzip.compress(out.getvalue().encode(), 1)}


def _lastfm(folder):
    rows = [line.split("\t") for line in (folder / "ratings.tsv").read_text().splitlines()[1:]]
    inner = {"data/lastfm_20/ratings_final.txt": "".join("\t".join(r) + "\n" for r in rows)}
    states = {"train": "training", "valid": "validation", "test": "testing"}
    for line in (folder / "tasks.tsv").read_text().splitlines()[1:]:
        split, task, role, user, item, _ = line.split("\t")
        part = "supp" if role == "support" else "query"
        file = f"data/lastfm_20/{states[split]}/evidence/{part}_x_{task}_u_m_ids.txt"
        inner[file] = inner.get(file, "") + f"{user}\t{item}\n"
    return {"data.zip": zipped(inner)}


def _drugbank(folder):
    drugs = [line.split("\t") for line in (folder / "drugs.tsv").read_text().splitlines()[1:]]
    types = [line.split("\t") for line in (folder / "relations.tsv").read_text().splitlines()[1:]]
    kinds = "".join(f"{d[1]}\t{d[2]}\t{d[5]}\tapproved\n" for d in drugs)
    return {
        "node2id.json": json.dumps({d[1]: int(d[0]) for d in drugs} | {"Gene::1": 1710}).encode(),
        "relation2id.json": json.dumps(dict(types) | {"86": "GiG"}).encode(),
        "id2smiles.json": json.dumps({d[0]: d[3] for d in drugs}).encode(),
        "drugbank.tsv": ("drugbank_id\tname\ttype\tgroups\n" + kinds).encode(),
        **{
            file: (folder / file).read_bytes()
            for file in addresses("drugbank-ddi") if "/" in file
        },
    }  # fmt: skip
