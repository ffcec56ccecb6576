"""The message graph of drug pairs: static edges, with a bitmap of those active in an epoch.

Message relations (docs/methods/emergnn.md, eq. 1): an interaction of type t is t, a background
relation k is D + k, the inverse of r is r + R with R = D + K, the identity is 2R. Every fact (h,
r, t) is an edge h → t of r and an edge t → h of r + R; every entity has an identity edge to itself.
Duplicates are summed.

As every edge has its inverse, the in-edges of x are its out-edges reversed: one adjacency, sorted
by (source, neighbour, relation), serves both. Emergence is simulated by a bitmap over the
interactions; the edges are never sorted again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter
from parsimony.kernels.numerics import kernel

IntArray = npt.NDArray[np.int32]
Normalisation = Literal["none", "relation", "total"]


@kernel
def inverse_of(relation, n_relations):  # type: ignore[no-untyped-def]
    """Exchange r and r + R; the identity 2R is its own inverse."""
    if relation < n_relations:
        return relation + n_relations
    if relation < 2 * n_relations:
        return relation - n_relations
    return relation


@kernel
def _activate(indptr, neighbour, relation, fact, active, n_relations):  # type: ignore[no-untyped-def]
    """Drop the edges of inactive facts and count the in-degrees of the rest by relation."""
    n = indptr.shape[0] - 1
    out_ptr = np.zeros(n + 1, np.int64)
    out_neighbour = np.empty(neighbour.shape[0], np.int32)
    out_relation = np.empty(neighbour.shape[0], np.int32)
    degree_ptr = np.zeros(n + 1, np.int64)
    degree_relation = np.empty(neighbour.shape[0], np.int32)
    degree_count = np.empty(neighbour.shape[0], np.int32)
    count = np.zeros(2 * n_relations + 1, np.int32)
    to = 0
    kinds = 0
    for x in range(n):
        for e in range(indptr[x], indptr[x + 1]):
            if fact[e] < 0 or active[fact[e]]:
                out_neighbour[to] = neighbour[e]
                out_relation[to] = relation[e]
                to += 1
                # the edge x → y of r is the inverse of an edge y → x
                r = inverse_of(relation[e], n_relations)
                if count[r] == 0:
                    degree_relation[kinds] = r
                    kinds += 1
                count[r] += 1
        out_ptr[x + 1] = to
        degree_ptr[x + 1] = kinds
        for i in range(degree_ptr[x], kinds):
            degree_count[i] = count[degree_relation[i]]
            count[degree_relation[i]] = 0
    return (
        out_ptr,
        out_neighbour[:to].copy(),
        out_relation[:to].copy(),
        degree_ptr,
        degree_relation[:kinds].copy(),
        degree_count[:kinds].copy(),
    )


@dataclass(frozen=True, eq=False)
class ActiveGraph:
    """The active graph of an epoch: out-edges, and in-degrees by relation of every entity.

    Attributes
    ----------
    indptr, neighbour, relation
        Out-edges of every entity, sorted by (neighbour, relation).
    degree_ptr, degree_relation, degree_count
        Relations of the in-edges of an entity, and their counts.
    degree_weight : float64 array
        Factor of messages of that relation into that entity in layers 2 and 3.
    n_relations : int
        R: interaction types and background relations.
    n_types : int
        D, the interaction types.
    normalised : bool
        Whether ``degree_weight`` divides by degrees.
    """

    indptr: npt.NDArray[np.int64]
    neighbour: IntArray
    relation: IntArray
    degree_ptr: npt.NDArray[np.int64]
    degree_relation: IntArray
    degree_count: IntArray
    degree_weight: npt.NDArray[np.float64]
    n_relations: int
    n_types: int
    normalised: bool

    @property
    def n_messages(self) -> int:
        """2R + 1: relations, their inverses, the identity."""
        return 2 * self.n_relations + 1

    @property
    def n_entities(self) -> int:
        """Number of entities, including isolated ones."""
        return len(self.indptr) - 1

    @cached_property
    def reach(self) -> npt.NDArray[np.int64]:
        """Edges at the neighbours of every entity, the cost of its paths, (n_entities,)."""
        degree = np.diff(self.indptr)
        sums = np.zeros(len(self.neighbour) + 1, np.int64)
        np.cumsum(degree[self.neighbour], out=sums[1:])
        found: npt.NDArray[np.int64] = np.diff(sums[self.indptr])
        return found

    def arrays(self) -> tuple[Any, ...]:
        """The arguments of the kernels, in order."""
        return (
            self.indptr, self.neighbour, self.relation,
            self.degree_ptr, self.degree_relation, self.degree_count, self.degree_weight,
            self.n_relations, self.n_types,
        )  # fmt: skip


class PairGraph:
    """Background facts and interactions as message edges, built once.

    Parameters
    ----------
    n_entities
        Drugs come first, 0 … n_drugs − 1.
    background
        (n, 3) head, relation 0 … K−1, tail.
    n_background
        K.
    interactions
        (m, 3) drug1, type 0 … D−1, drug2.
    n_types
        D.

    Raises
    ------
    InvalidParameter
        A triple is outside these limits.
    """

    def __init__(
        self,
        n_entities: int,
        background: IntArray,
        n_background: int,
        interactions: IntArray,
        n_types: int,
    ) -> None:
        for name, rows, kinds in (
            ("background", background, n_background),
            ("interactions", interactions, n_types),
        ):
            top = np.array([n_entities, kinds, n_entities])
            if len(rows) and (rows.min() < 0 or (rows.max(0) >= top).any()):
                raise InvalidParameter(
                    f"{name} has a triple outside {n_entities:,} entities and {kinds} relations",
                    remedy="ids start at 0",
                )
        self.n_entities, self.n_interactions = n_entities, len(interactions)
        self.n_types, self.n_relations = n_types, n_types + n_background
        self.interactions = interactions
        self._build(background, interactions)

    def _build(self, background: IntArray, interactions: IntArray) -> None:
        big_r, n = self.n_relations, self.n_entities
        head = np.concatenate([interactions[:, 0], background[:, 0]])
        tail = np.concatenate([interactions[:, 2], background[:, 2]])
        kind = np.concatenate([interactions[:, 1], background[:, 1] + self.n_types])
        number = np.full(len(head), -1, np.int32)
        number[: len(interactions)] = np.arange(len(interactions), dtype=np.int32)
        own = np.arange(n, dtype=np.int32)
        source = np.concatenate([head, tail, own])
        target = np.concatenate([tail, head, own])
        relation = np.concatenate([kind, kind + big_r, np.full(n, 2 * big_r, np.int32)])
        fact = np.concatenate([number, number, np.full(n, -1, np.int32)])
        key = (source.astype(np.int64) * n + target) * (2 * big_r + 1) + relation
        order = np.argsort(key, kind="stable")
        self._indptr = np.zeros(n + 1, np.int64)
        np.cumsum(np.bincount(source, minlength=n), out=self._indptr[1:])
        self._neighbour = target[order].astype(np.int32)
        self._relation = relation[order].astype(np.int32)
        self._fact = fact[order].astype(np.int32)

    def activate(
        self,
        active: npt.NDArray[np.uint8] | None = None,
        *,
        normalise: Normalisation = "none",
        power: float = 1.0,
    ) -> ActiveGraph:
        """Return the graph of the active interactions.

        Parameters
        ----------
        active
            (m,) 1 where an interaction is in the graph; all by default.
        normalise
            Divide messages into x by n(x)**power in layers 2 and 3, where n is x's in-degree for
            the message's relation ("relation") or in total ("total"). In layer 1 only one entity
            sends messages, so sums stay small.
        power
            1 gives means, ½ gives sums of unit variance.
        """
        if active is None:
            active = np.ones(self.n_interactions, np.uint8)
        if active.shape != (self.n_interactions,):
            raise InvalidParameter(
                f"active must have one entry per interaction ({self.n_interactions:,}). "
                f"Got shape {active.shape}"
            )
        indptr, neighbour, relation, ptr, kind, number = _activate(
            self._indptr, self._neighbour, self._relation, self._fact, active, self.n_relations
        )
        count = number.astype(np.float64)
        if normalise == "relation":
            weight = count**-power
        elif normalise == "total":
            # the identity edge makes every entity's degree at least 1
            weight = np.repeat(np.diff(indptr).astype(np.float64) ** -power, np.diff(ptr))
        else:
            weight = np.ones(len(count))
        return ActiveGraph(
            indptr, neighbour, relation, ptr, kind, number, weight,
            self.n_relations, self.n_types, normalise != "none",
        )  # fmt: skip
