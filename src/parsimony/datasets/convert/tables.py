"""Molecules with measured properties, and ratings."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from parsimony.datasets.convert import Raw
from parsimony.datasets.convert.reading import member, rows, write_lines
from parsimony.decoding.strict_json import json_text
from parsimony.errors import CorruptArchive

__all__ = ["lastfm", "molecules", "movielens"]

#: PAR's split: the first so many tasks are for training, the others for test.
TRAINED = {"tox21": 9, "sider": 21, "muv": 12, "toxcast": 450}
#: ToxCast leaves out tasks with fewer positives, negatives and measurements than these.
FEWEST, MEASURED = 15, 150
NO_MOLECULE = "FAIL"


def molecules(raw: Raw, folder: Path) -> None:
    """DeepChem's table: SMILES first, every molecule once, a cell 0, 1 or empty."""
    ((file, path),) = raw.items()
    name = file.split(".")[0].removesuffix("_data")
    frame = pl.read_csv(path, infer_schema=False).fill_null("")
    tasks = [column for column in frame.columns if column not in ("smiles", "mol_id")]
    cells = pl.col(tasks).str.strip_suffix(".0")
    frame = frame.select("smiles", cells).filter(pl.col("smiles") != NO_MOLECULE)
    # Of two rows of a molecule the first counts; in Tox21 a positive of either does.
    what = pl.col(tasks).max() if name == "tox21" else pl.col(tasks).first()
    frame = frame.group_by("smiles", maintain_order=True).agg(what)
    unquoted = frame.with_columns(pl.when(pl.col(tasks) != "").then(pl.col(tasks)).name.keep())
    unquoted.write_csv(folder / f"{name}.csv")
    split = TRAINED[name]
    used = [n for n, task in enumerate(tasks) if name != "toxcast" or _enough(frame[task])]
    found = {
        "train_tasks": [n for n in used if n < split],
        "test_tasks": [n for n in used if n >= split],
        "task_names": tasks,
    }
    (folder / "task_splits.json").write_text(json_text({name: found}), encoding="utf-8")


def _enough(labels: pl.Series) -> bool:
    positive, negative = (int((labels == value).sum()) for value in "10")
    return min(positive, negative) >= FEWEST and positive + negative >= MEASURED


_TASK = re.compile(r"lastfm_20/(train|val|test)\w*/evidence/(supp|query)_x_(\d+)_u_m_ids\.txt$")


def lastfm(raw: Raw, folder: Path) -> None:
    """ColdNAS' users: its evidence files say who is support and query of which task."""
    (packed,) = raw.values()
    ratings = rows(member(packed, "lastfm_20/ratings_final.txt").read(), 3, "ratings_final.txt")
    labels = {(user, item): label.removesuffix(".0") for user, item, label in ratings}
    order = {"train": 0, "val": 1, "test": 2}
    with zipfile.ZipFile(packed) as archive:
        files = sorted(
            (order[hit[1]], int(hit[3]), hit[2] == "query", name)
            for name in archive.namelist()
            if (hit := _TASK.search(name)) and "__MACOSX" not in name
        )
        if not files:
            raise CorruptArchive("no tasks in it", remedy="fetch it again", where=str(packed))
        write_lines(folder / "tasks.tsv", _tasks(archive, files, labels))
    head = ["user\titem\tlabel"]
    body = (f"{user}\t{item}\t{labels[user, item]}" for user, item, _ in ratings)
    write_lines(folder / "ratings.tsv", [*head, *body])


def _tasks(
    archive: zipfile.ZipFile,
    files: list[tuple[int, int, bool, str]],
    labels: dict[tuple[str, str], str],
) -> Iterator[str]:
    yield "split\ttask\trole\tuser\titem\tlabel"
    for split, task, query, name in files:
        where = "train", "valid", "test"
        role = "query" if query else "support"
        for user, item in rows(archive.read(name), 2, name):
            if (user, item) not in labels:
                raise CorruptArchive(
                    f"{name} asks for a rating that is not there", remedy="fetch it again",
                    where=str(archive.filename),
                )  # fmt: skip
            yield "\t".join((where[split], str(task), role, user, item, labels[user, item]))


def movielens(raw: Raw, folder: Path) -> None:
    """MovieLens in the layout of the 1M set; of the 100k set the features are rewritten."""
    ((file, packed),) = raw.items()
    if "100k" not in file:
        for name in ("ratings.dat", "users.dat", "movies.dat"):
            (folder / name).write_bytes(member(packed, name).read())
        return

    def text(name: str) -> list[str]:
        return member(packed, name).read().decode("latin-1").splitlines()

    ratings = (line.split("\t") for line in text("u.data"))
    users = (line.split("|") for line in text("u.user"))
    kinds = [line.split("|")[0] for line in text("u.genre") if line]
    movies = []
    for line in text("u.item"):
        cells = line.split("|")
        flags = np.array(cells[-len(kinds) :]) == "1"
        genres = "|".join(np.array(kinds)[flags])
        movies.append((cells[0], cells[1], genres))
    for name, content in (
        ("ratings.dat", ratings),
        ("users.dat", ((user, sex, age, *rest) for user, age, sex, *rest in users)),
        ("movies.dat", movies),
    ):
        body = "".join("::".join(row) + "\n" for row in content)
        (folder / name).write_bytes(body.encode("latin-1"))
