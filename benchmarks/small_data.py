"""Small data sets that are made on the spot: nothing but files, as a user would write them."""

from __future__ import annotations

import csv
import itertools
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

EMBEDDED = Path(__file__).resolve().parents[1] / "src" / "parsimony" / "datasets" / "embedded"

GROUPS = {"alcohol": "O", "amine": "N", "chloride": "Cl", "thiol": "S", "fluoride": "F",
          "nitrile": "N#C"}  # fmt: skip


def write_molecules(folder: Path, lengths: int = 6) -> Path:
    """Carbon chains with a group at either end; twelve tasks ask for one group or for two.

    Every seventh label is not measured. ``support.csv`` and ``asked.csv`` are for ``adapt``.
    """
    folder.mkdir(parents=True)
    names = list(GROUPS)
    wanted = [(a,) for a in names] + [(a, names[(i + 1) % 6]) for i, a in enumerate(names)]
    tasks = ["_or_".join(groups) for groups in wanted]
    rows, asked, number = [], [], 0
    for a, b in itertools.combinations_with_replacement(GROUPS, 2):
        for n in range(1, lengths + 1):
            smiles = GROUPS[a] + "C" * n + {"nitrile": "C#N"}.get(b, GROUPS[b])
            labels: list[int | str] = []
            for groups in wanted:
                labels.append("" if number % 7 == 0 else int(bool({a, b} & set(groups))))
                number += 1
            rows.append([smiles, *labels])
            asked.append((smiles, int("amine" in (a, b))))
    _write_csv(folder / "chains.csv", ["smiles", *tasks], rows)
    split = {"train_tasks": tasks[:9], "test_tasks": tasks[9:]}
    (folder / "task_splits.json").write_text(json.dumps(split))
    support = [row for row in asked if row[1]][:3] + [row for row in asked if not row[1]][:3]
    _write_csv(folder.parent / "support.csv", ["smiles", "label"], support)
    others = [[smiles] for smiles, _ in asked if (smiles, _) not in support]
    _write_csv(folder.parent / "asked.csv", ["smiles"], others[:: len(others) // 6])
    return folder / "chains.csv"


def write_ratings(folder: Path, users: int = 48, items: int = 40, rated: int = 24) -> Path:
    """People who like items of even or of odd number.

    ``ratings_support.csv`` and ``ratings_asked.csv`` are for ``adapt``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw, rows = random.Random(0), []
    for u in range(users):
        for i in draw.sample(range(items), rated):
            liked = (i + u) % 2 == 0
            rows.append([f"user {u}", f"item {i}", draw.choice((4, 5) if liked else (1, 2))])
    _write_csv(folder / "ratings.csv", ["user", "item", "rating"], rows)
    support = [[f"item {i}", 5 - 3 * (i % 2)] for i in range(6)]
    _write_csv(folder / "ratings_support.csv", ["item", "rating"], support)
    _write_csv(folder / "ratings_asked.csv", ["item"], [[f"item {i}"] for i in range(6, 14)])
    return folder / "ratings.csv"


def write_royal_part(folder: Path, facts: int = 500) -> Path:
    """Every how-manieth fact of the embedded royal family, among its people of most facts."""
    folder.mkdir(parents=True)
    splits = {
        name: _rows(EMBEDDED / "royal" / f"{name}.txt") for name in ("train", "valid", "test")
    }
    people: dict[str, int] = {}
    for head, _, tail in splits["train"]:
        for person in (head, tail):
            people[person] = people.get(person, 0) + 1
    kept: set[str] = set()
    for person in sorted(people, key=lambda name: (-people[name], name)):
        kept.add(person)
        if sum({h, t} <= kept for h, _, t in splits["train"]) >= facts:
            break
    train = [row for row in splits["train"] if {row[0], row[2]} <= kept]
    seen = {row[0] for row in train} | {row[2] for row in train}
    for name, rows in splits.items():
        lines = ["\t".join(row) for row in rows if {row[0], row[2]} <= seen]
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


def write_cyp_part(folder: Path, drugs: int = 48) -> Path:
    """The embedded drug pairs among the drugs of most training pairs and some emerging ones."""
    folder.mkdir(parents=True)
    source = EMBEDDED / "cyp"
    files = sorted(source.glob("*_S?.txt"))
    pairs = {path.name: _rows(path) for path in [source / "train.txt", *files]}
    kept: set[str] = set()
    # Emerging drugs stand in no training pair: both kinds are kept.
    for name, share in (("train.txt", 0.6), ("test_S1.txt", 0.2), ("valid_S1.txt", 0.2)):
        count: dict[str, int] = {}
        for a, b, _ in pairs[name]:
            for drug in {a, b} - kept:
                count[drug] = count.get(drug, 0) + 1
        ordered = sorted(count, key=lambda drug: (-count[drug], drug))
        kept |= set(ordered[: int(drugs * share)])
    for name, rows in pairs.items():
        lines = ["\t".join(row) for row in rows if {row[0], row[1]} <= kept]
        (folder / name).write_text("\n".join(lines) + "\n")
    for name in ("drugs.tsv", "fingerprints.txt"):
        _filter(source / name, folder / name, kept, header=name.endswith(".tsv"))
    (folder / "relations.tsv").write_text((source / "relations.tsv").read_text())
    (folder / "background").mkdir()
    _filter(source / "background" / "train.txt", folder / "background" / "train.txt", kept)
    return folder


def _filter(source: Path, target: Path, kept: set[str], *, header: bool = False) -> None:
    lines = source.read_text().splitlines()
    head, rest = (lines[:1], lines[1:]) if header else ([], lines)
    rest = [line for line in rest if line.split("\t")[0].split(" ")[0] in kept]
    target.write_text("\n".join([*head, *rest]) + "\n")


def _rows(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines() if line]


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)
