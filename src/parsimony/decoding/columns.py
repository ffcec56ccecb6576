"""What the columns of a table are called: the header words that are known, each with its role.

The one list of them: a table is read by its roles whether it holds facts, ratings, molecules or
pairs of drugs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["ROLES", "is_header", "named_columns", "role_of"]

#: role → the words for it, as letters and digits in lower case, the usual one first. "user_id",
#: "userId" and "User ID" are the word "user".
ROLES: dict[str, tuple[str, ...]] = {
    "head": ("head", "subject", "source", "from", "start", "headentity", "subj", "src"),
    "relation": ("relation", "predicate", "rel", "edge", "edgetype", "relationtype", "relationship",
                 "property", "pred"),
    "tail": ("tail", "object", "target", "to", "end", "tailentity", "obj", "dst"),
    "user": ("user", "userid", "customer", "reviewer", "member", "listener", "uid", "person",
             "buyer", "viewer", "client", "player", "visitor"),
    "item": ("item", "itemid", "movie", "product", "business", "asin", "artist", "song", "track",
             "book", "isbn", "iid", "film", "anime", "game", "recipe", "restaurant", "article"),
    "rating": ("rating", "ratings", "score", "stars", "star", "overall", "plays", "playcount",
               "count", "weight", "value", "rate", "grade", "reviewscore", "preference",
               "reviewoverall", "bookrating", "userrating", "ratingvalue"),
    "time": ("timestamp", "time", "date", "datetime", "unixreviewtime", "ts", "when", "year"),
    "smiles": ("smiles", "canonicalsmiles", "isomericsmiles", "smilesstring"),
    "id": ("id", "molid", "moleculeid", "moleculechemblid", "compoundid", "compound", "cid",
           "name", "index", "cas", "key", "inchikey", "unnamed0", ""),
    "drug1": ("drug1", "drug1id", "druga", "drugone"),
    "drug2": ("drug2", "drug2id", "drugb", "drugtwo"),
    "type": ("type", "interaction", "interactiontype", "ddi", "ddtype", "dditype", "y"),
}  # fmt: skip
#: Letters that stand for a role; a small graph may have them as names, so they count only where
#: a table must have a header.
LETTERS = {"h": "head", "s": "head", "r": "relation", "p": "relation", "t": "tail", "o": "tail"}
_ROLE = {word: role for role, words in ROLES.items() for word in words}


def role_of(name: str, *, letters: bool = False) -> str | None:
    """Return the role of a header word, in any case, with "id" or "name" behind it or without.

    Parameters
    ----------
    name : str
        The name of a column.
    letters : bool
        Whether ``h``, ``r``, ``t`` and ``s``, ``p``, ``o`` are words.
    """
    word = re.sub(r"[^a-z0-9]", "", name.lower())
    if letters and word in LETTERS:
        return LETTERS[word]
    for ending in ("", "id", "ids", "name", "index", "idx"):
        stem = word.removesuffix(ending) if ending else word
        if stem in _ROLE:
            return _ROLE[stem]
    return None


def named_columns(
    header: Sequence[str], roles: Sequence[str], *, letters: bool = False
) -> tuple[int, ...] | None:
    """Return the positions of the columns with these roles; None if one is missing or unclear.

    Parameters
    ----------
    header : sequence of str
        The names of all columns.
    roles : sequence of str
        Keys of :data:`ROLES`.
    letters : bool
        As of :func:`role_of`.
    """
    found = [role_of(name, letters=letters) for name in header]
    lowered = [name.strip().lower() for name in header]
    positions = []
    for role in roles:
        # "head" before "head_id": the word itself, else the only column of that role.
        exact = [i for i, name in enumerate(lowered) if found[i] == role and name in ROLES[role]]
        places = exact if len(exact) == 1 else [i for i, each in enumerate(found) if each == role]
        if len(places) != 1:
            return None
        positions.append(places[0])
    return tuple(positions)


def is_header(row: Sequence[str], *, letters: bool = False) -> bool:
    """Return whether a first row is a header by its words: those of a complete set of roles."""
    sets = (
        ("head", "relation", "tail"),
        ("user", "item"),
        ("item", "rating"),
        ("smiles",),
        ("drug1", "drug2"),
    )
    return any(named_columns(row, roles, letters=letters) is not None for roles in sets)
