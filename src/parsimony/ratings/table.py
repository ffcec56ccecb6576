"""Read ratings: user tasks that come split, MovieLens's own layout, and any table.

- A folder with ``tasks.tsv``: header split, task, role (support or query), user, item, label.
- A folder with ``ratings.dat``, ``users.dat`` and ``movies.dat`` as MovieLens-1M ships them, fields
  separated by ``::``.
- A CSV, TSV or Parquet file with a column each for user, item and rating, by name or position.

Users of the last two are split 7 : 1 : 2 by a seeded draw, each with a support of ``support``
ratings. Users with fewer than ``support`` + 10 ratings are for training only; where nobody says
how many are given and most users have fewer than 30, it is less (``_USUAL``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.datasets import registry
from parsimony.datasets.loading import locate
from parsimony.decoding.files import read_bytes
from parsimony.decoding.lines import shorten
from parsimony.decoding.tables import Table, read_table
from parsimony.errors import EmptySplit, FormatError, UnknownDataset
from parsimony.graph.names import alike_note
from parsimony.ratings.columns import COLUMNS, read_columns
from parsimony.ratings.data import NO_FEATURES, SPLITS, Features, RatingData
from parsimony.ratings.scale import require_once, scale_of
from parsimony.run.seeds import rng

__all__ = ["COLUMNS", "is_ratings", "load_ratings", "read_items", "read_ratings"]

_TASKS, _OTHERS, _MOVIES = "tasks.tsv", "ratings.tsv", "ratings.dat"
_WHOLE_STARS, _HALF_STARS = (1.0, 5.0), (0.5, 5.0)
_REGISTERED = {"lastfm": (0.0, 1.0)}  # listened or not
_QUERIES = 10  # ratings beside the support that a user needs to be tested
#: (support, queries) where nobody says: the first that ``_ENOUGH`` users, and a tenth of all, have
_USUAL = ((20, _QUERIES), (10, _QUERIES), (5, 5), (3, 3), (2, 2), (1, 1))
_ENOUGH = 20


def load_ratings(
    name_or_path: str | os.PathLike[str],
    *,
    columns: tuple[str, str, str] | None = None,
    support: int | None = None,
    others: bool = True,
    scale: tuple[float, float] | None = None,
    mirror: str | os.PathLike[str] | None = None,
    seed: int = 0,
) -> RatingData:
    """Load ratings by a registered name, a folder or a file.

    Parameters
    ----------
    name_or_path
        A registered name, or a path.
    columns
        Header names, or numbers from 1, of user, item and rating in a file; by default known by
        the words of the header, or by position (:mod:`parsimony.ratings.columns`).
    support
        Support ratings per user, where the data are not split yet; by default 20, or fewer where
        few users have 30 ratings, which is noted.
    others
        Whether to train on users of ``ratings.tsv`` who have no task in ``tasks.tsv``.
    scale
        Lowest and highest possible rating; by default those that are found, which is noted.
    seed
        Of the split of users.

    Raises
    ------
    UnknownDataset, InvalidParameter
        Neither a name nor a path, or a dataset of another kind.
    MissingFile, FormatError, EmptySplit
        No file, a missing column, a rating that is not a number or outside the scale, an item
        twice of one user (``where`` names the line), no row.
    """
    text = os.fspath(name_or_path)
    if text in registry.names():
        item = registry.entry(text, "coldstart")
        folder, source = locate(text, mirror=mirror)
        if (folder / _TASKS).is_file():
            found = _read_tasks(folder, text, others, scale or _REGISTERED.get(text))
        else:
            found = replace(_read_movielens(folder, support, seed, scale), name=text)
        return replace(found, source=f"{source}; licence: {item.licence}", registered=True)
    path = Path(os.path.expanduser(text))
    if path.is_dir():
        if (path / _TASKS).is_file():
            return _read_tasks(path, path.name, others, scale)
        if (path / _MOVIES).is_file():
            return _read_movielens(path, support, seed, scale)
        raise FormatError(
            f"a folder of ratings holds {_TASKS} or {_MOVIES}", remedy="name the file",
            where=str(path),
        )  # fmt: skip
    if not os.path.lexists(path) and os.sep not in text and not path.suffix:
        raise UnknownDataset.of(text, registry.names())
    notes: list[str] = []
    users, items, ratings, table = _read(path, columns, notes=notes)
    data = _split(path.stem, users, items, ratings, support, seed, table.where, scale)
    return replace(data, notes=(*data.notes, *notes))


def is_ratings(name_or_path: str) -> bool:
    """Whether a name or path is of ratings: by the registry, or by the layout of a folder."""
    if name_or_path in registry.names():
        return name_or_path in registry.names("coldstart")
    path = Path(os.path.expanduser(name_or_path))
    return (path / _TASKS).is_file() or (path / _MOVIES).is_file()


def read_ratings(
    path: str | os.PathLike[str],
    columns: tuple[str, ...] | None = None,
    *,
    empty: bool = False,
    notes: list[str] | None = None,
) -> tuple[list[str], list[str], list[float]]:
    """Read user, item and rating of a CSV, TSV or Parquet file.

    Parameters
    ----------
    columns
        Their header names or numbers; two are item and rating, of a single user.
    empty
        Whether a table without rows is accepted.
    notes
        Receives which columns were read where they were not named.

    Raises
    ------
    MissingFile, NotAFile
    FormatError
        A missing column; an empty cell or a rating that is not a finite number (``where`` has the
        line); the same user and item twice.
    EmptySplit
        No row.
    """
    return _read(path, columns, empty=empty, notes=notes)[:3]


def _read(
    path: str | os.PathLike[str], columns: tuple[str, ...] | None, *, empty: bool = False,
    notes: list[str] | None = None,
) -> tuple[list[str], list[str], list[float], Table]:  # fmt: skip
    wanted = columns or COLUMNS
    table = read_columns(path, columns, empty=empty, notes=notes)
    texts = [table.column(name) for name in wanted]
    for i, row in enumerate(zip(*texts, strict=True)):
        if not all(row):
            raise FormatError("an empty cell", remedy="fill it in", where=table.where(i))
    ratings = _ratings(texts[-1], table)
    users, items = (texts[0], texts[1]) if len(wanted) == 3 else ([""] * len(table), texts[0])
    require_once(users, items, table.where)
    return users, items, ratings, table


def read_items(path: str | os.PathLike[str]) -> list[str]:
    """Read the column "item" of a table, without duplicates.

    Raises
    ------
    MissingFile, NotAFile, FormatError, EmptySplit
    """
    return list(dict.fromkeys(read_columns(path, ("item",)).column("item")))


def _ratings(texts: list[str], table: Table) -> list[float]:
    return [_number(text, partial(table.where, i)) for i, text in enumerate(texts)]


def _number(text: str, where: Callable[[], str]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise FormatError(
            f"the rating {shorten(text)} is no number", remedy="write a number", where=where()
        )
    return value


def _line(path: Path, row: int) -> str:
    """``file:line`` of a row of a file without a header."""
    return f"{path}:{row + 1}"


def _read_tasks(
    folder: Path, name: str, others: bool, stated: tuple[float, float] | None
) -> RatingData:
    """User tasks that come split, and the ratings of further users."""
    header = ("split", "role", "user", "item", "label")
    table = read_table(folder / _TASKS, header, only=())
    columns: dict[str, list[Any]] = {column: table.column(column) for column in header}
    for column, words in (("split", SPLITS), ("role", ("support", "query"))):
        for i, word in enumerate(columns[column]):
            if word not in words:
                raise FormatError(
                    f"{column} {word!r} is none of {', '.join(words)}", remedy="mend it",
                    where=table.where(i),
                )  # fmt: skip
    split: dict[str, str] = {}
    for i, (user, part) in enumerate(zip(columns["user"], columns["split"], strict=True)):
        if split.setdefault(user, part) != part:
            raise FormatError(
                f"user {user!r} is of two splits", remedy="a user is of one",
                where=table.where(i),
            )  # fmt: skip
    ratings = _ratings(columns["label"], table)
    require_once(columns["user"], columns["item"], table.where)
    n_tasks = len(ratings)
    notes: tuple[str, ...] = ()
    if others and (folder / _OTHERS).is_file():
        n = _add_others(folder / _OTHERS, columns, split, ratings)
        notes = (f"{n:,} users of {_OTHERS} that are no task teach as well",) if n else ()

    def where(i: int) -> str:
        return table.where(i) if i < n_tasks else str(folder / _OTHERS)

    scale, guessed = scale_of(ratings, where, stated)
    users, items = _numbers(columns["user"]), _numbers(columns["item"])
    return RatingData(
        name,
        tuple(users),
        tuple(items),
        np.array([users[u] for u in columns["user"]], np.int32),
        np.array([items[i] for i in columns["item"]], np.int32),
        np.array(ratings, np.float32),
        np.array([role == "query" for role in columns["role"]]),
        np.array([SPLITS.index(split[user]) for user in users], np.int8),
        scale,
        notes=(*notes, *guessed, *_spelling(users, items)),
    )


def _add_others(
    path: Path, columns: dict[str, list[Any]], split: dict[str, str], ratings: list[float]
) -> int:
    """Append the users who have no task, for training; returns how many.

    Every second rating of theirs is a query: training redraws supports anyway.
    """
    users, items, found = read_ratings(path, ("user", "item", "label"))
    seen: dict[str, int] = {}
    for user, item, rating in zip(users, items, found, strict=True):
        if user in split:
            continue
        seen[user] = seen.get(user, 0) + 1
        columns["user"].append(user)
        columns["item"].append(item)
        columns["role"].append("query" if seen[user] % 2 == 0 else "support")
        ratings.append(rating)
    split |= dict.fromkeys(seen, "train")
    return len(seen)


def _read_movielens(
    folder: Path, support: int | None, seed: int, stated: tuple[float, float] | None
) -> RatingData:
    """MovieLens-1M: ``user::item::rating::time``, and features of users and movies."""
    rows = _fields(folder / _MOVIES, 4)
    where = partial(_line, folder / _MOVIES)
    ratings = [_number(row[2], partial(where, i)) for i, row in enumerate(rows)]
    # Five stars, in the larger sets of that layout halves of them.
    stars = _WHOLE_STARS if all(rating == int(rating) for rating in ratings) else _HALF_STARS
    users, items = [r[0] for r in rows], [r[1] for r in rows]
    require_once(users, items, where)
    data = _split(folder.name, users, items, ratings, support, seed, where, stated or stars)
    features: dict[str, Features] = {}
    words = ("gender", "age", "occupation", "zip")
    for rated, file, names in (
        ("user", "users.dat", data.users),
        ("item", "movies.dat", data.items),
    ):
        path, known = folder / file, {}
        if path.is_file():
            for row in _fields(path, 5 if rated == "user" else 3):
                known[row[0]] = (
                    [f"{word} {value}" for word, value in zip(words, row[1:], strict=True)]
                    if rated == "user"
                    else [f"genre {genre}" for genre in row[2].split("|") if genre]
                )
        found = Features.of([known.get(name, []) for name in names])
        features[f"{rated}_features"] = found if found.names else NO_FEATURES
    return replace(
        data,
        item_features=features["item_features"],
        user_features=features["user_features"],
    )


def _fields(path: Path, n: int) -> list[list[str]]:
    """Lines of ``::``-separated fields, in Latin-1."""
    # Not splitlines(): in Latin-1 it would break lines at 0x85 too.
    lines = read_bytes(path).decode("latin-1").removesuffix("\n").split("\n")
    rows = []
    for number, line in enumerate(lines if lines != [""] else [], start=1):
        row = line.removesuffix("\r").split("::")
        if len(row) != n:
            raise FormatError(
                f"{len(row)} fields, expected {n}", remedy="separate them by ::",
                where=f"{path}:{number}",
            )  # fmt: skip
        rows.append(row)
    if not rows:
        raise EmptySplit(f"no rows in {path.name}", remedy="give at least one")
    return rows


def _split(
    name: str, users: list[str], items: list[str], ratings: list[float], support: int | None,
    seed: int, where: Callable[[int], str], stated: tuple[float, float] | None,
) -> RatingData:  # fmt: skip
    """Split users 7 : 1 : 2, and each user's ratings into support and query."""
    user_of, item_of = _numbers(users), _numbers(items)
    user = np.array([user_of[u] for u in users], np.int32)
    counts = np.bincount(user, minlength=len(user_of))
    given, wanted = _usual(counts) if support is None else (support, _QUERIES)
    needed = given + wanted
    able = rng(seed, "users").permutation(np.flatnonzero(counts >= needed))
    split = np.zeros(len(user_of), np.int8)
    n_valid, n_test = round(0.1 * len(able)), round(0.2 * len(able))
    split[able[:n_valid]], split[able[n_valid : n_valid + n_test]] = 1, 2
    query = np.zeros(len(user), bool)
    order = rng(seed, "supports").permutation(len(user))
    order = order[np.argsort(user[order], kind="stable")]
    place = np.arange(len(user)) - np.repeat(np.cumsum(counts) - counts, counts)
    query[order] = place >= np.minimum(given, np.maximum(counts // 2, 1))[user[order]]
    few = int((counts < needed).sum())
    scale, guessed = scale_of(ratings, where, stated)
    notes = (
        *guessed,
        *[f"{given} ratings of a user are given, not {_USUAL[0][0]}: few users have more "
          "(--set support=N says how many)"]
        * (support is None and given != _USUAL[0][0]),
        *[f"{few:,} users with fewer than {needed} ratings are for training only"] * bool(few),
        *_spelling(user_of, item_of),
    )
    return RatingData(
        name, tuple(user_of), tuple(item_of), user,
        np.array([item_of[i] for i in items], np.int32), np.array(ratings, np.float32),
        query, split, scale, notes=notes, source=name,
    )  # fmt: skip


def _usual(counts: npt.NDArray[np.integer]) -> tuple[int, int]:
    """How many ratings of a user are given, and how many more make a test, by what users have."""
    enough = max(_ENOUGH, 0.1 * len(counts))
    able = [int((counts >= given + wanted).sum()) for given, wanted in _USUAL]
    for usual, n in zip(_USUAL, able, strict=True):
        if n >= enough:
            return usual
    return _USUAL[int(np.argmax(able))] if max(able) else _USUAL[0]


def _numbers(names: list[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


def _spelling(users: Iterable[str], items: Iterable[str]) -> list[str]:
    """Notes on names that only their spelling tells apart."""
    return [*alike_note(users, "user", "users"), *alike_note(items, "item", "items")]
