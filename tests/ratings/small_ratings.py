"""People who like one of two kinds of items; half of their ratings are given."""

from __future__ import annotations

import numpy as np

from parsimony.ratings.data import RatingData

N_USERS, N_ITEMS, RATED = 48, 40, 16


def tastes() -> RatingData:
    """Users of even number like items of even number; ratings 1 to 5 with some noise."""
    random = np.random.default_rng(0)
    user, item, rating, query = [], [], [], []
    for u in range(N_USERS):
        items = random.permutation(N_ITEMS)[:RATED]
        likes = (items + u) % 2 == 0
        user += [u] * RATED
        item += items.tolist()
        rating += np.where(
            likes, random.integers(4, 6, RATED), random.integers(1, 3, RATED)
        ).tolist()
        query += [False] * (RATED // 2) + [True] * (RATED // 2)
    split = np.array([0] * 30 + [1] * 8 + [2] * 10)
    return RatingData(
        "tastes",
        tuple(f"user {u}" for u in range(N_USERS)),
        tuple(f"item {i}" for i in range(N_ITEMS)),
        np.array(user), np.array(item), np.array(rating), np.array(query), split, (1.0, 5.0),
    )  # fmt: skip


def write_csv(data: RatingData, path, columns=("user", "item", "rating")):
    """Write the table as a user would."""
    rows = zip(data.user.tolist(), data.item.tolist(), data.rating.tolist(), strict=True)
    lines = [f"{data.users[u]},{data.items[i]},{r:g}" for u, i, r in rows]
    path.write_text("\n".join([",".join(columns), *lines]) + "\n")
    return path


def write_movielens(folder):
    """Write generated ratings in the layout of MovieLens-1M."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    ratings, users, movies = [], [], []
    genres = ("Comedy", "Drama", "Film-Noir")
    for u in range(1, 31):
        users.append(f"{u}::{'FM'[u % 2]}::{(1, 18, 25)[u % 3]}::{u % 5}::{10000 + u}")
        for m in random.permutation(50)[:40]:
            ratings.append(f"{u}::{m + 1}::{random.integers(1, 6)}::{978300000 + u}")
    for m in range(1, 51):
        movies.append(f"{m}::Amélie {m} (1999)::{genres[m % 3]}|{genres[(m + 1) % 3]}")
    for name, lines in (("ratings", ratings), ("users", users), ("movies", movies)):
        (folder / f"{name}.dat").write_bytes("\n".join([*lines, ""]).encode("latin-1"))
    return folder
