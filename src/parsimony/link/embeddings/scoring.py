"""How vectors make a score: as queries that are compared with every entity at once.

A :class:`Scoring` turns (entity, relation) into a query vector and compares query vectors with
entity vectors, both with hand-written gradients. Of n queries and m candidates the scores are
(m, n): see :mod:`parsimony.kernels.embeddings.softmax`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from parsimony.knowledge.symbol_patterns import symmetric_projection

Block = tuple[int, int, int, int]


class Scoring(ABC):
    """A scoring function over entity vectors (·, d) and relation vectors (·, relation width)."""

    def relation_width(self, dim: int) -> int:
        """Numbers of a relation's vector where entities have ``dim``."""
        return dim

    def groups(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """For every chunk of an entity and of a relation the number of its group.

        Chunks of a group belong together as the parts of a complex number do.
        """
        return (0,), (0,)

    @abstractmethod
    def query(self, entity: Tensor, relation: Tensor, inverse: bool, out: Tensor) -> Tensor:
        """Queries (n, d) of rows (e, r, ?), or (?, r, e) where ``inverse``, into ``out``."""

    @abstractmethod
    def query_backward(
        self, gradient: Tensor, entity: Tensor, relation: Tensor, inverse: bool
    ) -> tuple[Tensor, Tensor]:
        """Gradients of ``entity`` and ``relation`` from that of the queries."""

    @abstractmethod
    def pairwise(self, query: Tensor, entity: Tensor) -> Tensor:
        """Scores (n,) of queries (n, d), each for its own entity (n, d)."""

    @abstractmethod
    def compare(self, candidates: Tensor, query: Tensor, out: Tensor) -> Tensor:
        """Scores (m, n) of all candidates (m, d) for all queries (n, d), into ``out``."""

    @abstractmethod
    def compare_backward(
        self, gradient: Tensor, candidates: Tensor, query: Tensor, factor: Tensor, out: Tensor
    ) -> Tensor:
        """Gradient of the candidates into ``out``; returns that of the queries.

        ``gradient`` (m, n) is that of the scores up to ``factor`` (n,): the true one is
        ``gradient · factor``. It may be overwritten.
        """


class BilinearScoring(Scoring):
    """f(h, r, t) = Σ_(i,k,j,s) s ⟨h_i, r_k, t_j⟩ over the blocks of a symbol.

    The queries for tails are q_j = Σ s h_i ∘ r_k, those for heads p_i = Σ s t_j ∘ r_k; a score is
    the inner product with a candidate (``docs/methods/embeddings.md``, eqs. 1–3).

    Parameters
    ----------
    blocks
        (head chunk, relation chunk, tail chunk, sign), counted from 0.
    """

    CHUNKS = 4

    def __init__(self, blocks: tuple[Block, ...]) -> None:
        self.blocks = blocks

    def groups(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Entity chunks that blocks connect, and relation chunks that meet the same of them."""
        entity, relation = list(range(self.CHUNKS)), list(range(self.CHUNKS))

        def join(group: list[int], a: int, b: int) -> None:
            group[:] = [group[a] if of == group[b] else of for of in group]

        for i, _, j, _ in self.blocks:
            join(entity, i, j)
        for i, k, _, _ in self.blocks:
            for other, met, _, _ in self.blocks:
                if entity[i] == entity[other]:
                    join(relation, k, met)
        return tuple(entity), tuple(relation)

    def _directed(self, inverse: bool) -> tuple[Block, ...]:
        """Blocks as (chunk given, relation chunk, chunk asked, sign)."""
        return tuple((j, k, i, s) for i, k, j, s in self.blocks) if inverse else self.blocks

    def _cut(self, x: Tensor) -> Tensor:
        return x.view(len(x), self.CHUNKS, -1)

    def query(self, entity: Tensor, relation: Tensor, inverse: bool, out: Tensor) -> Tensor:
        """Sum the blocks: |A|₀ fused multiply-adds on quarter rows."""
        e, r, q = self._cut(entity), self._cut(relation), self._cut(out.zero_())
        for i, k, j, sign in self._directed(inverse):
            q[:, j].addcmul_(e[:, i], r[:, k], value=sign)
        return out

    def query_backward(
        self, gradient: Tensor, entity: Tensor, relation: Tensor, inverse: bool
    ) -> tuple[Tensor, Tensor]:
        """The same sums with one factor exchanged for the gradient."""
        e, r, g = self._cut(entity), self._cut(relation), self._cut(gradient)
        d_entity, d_relation = torch.zeros_like(entity), torch.zeros_like(relation)
        de, dr = self._cut(d_entity), self._cut(d_relation)
        for i, k, j, sign in self._directed(inverse):
            de[:, i].addcmul_(g[:, j], r[:, k], value=sign)
            dr[:, k].addcmul_(g[:, j], e[:, i], value=sign)
        return d_entity, d_relation

    def pairwise(self, query: Tensor, entity: Tensor) -> Tensor:
        """Row by row, the inner product."""
        return (query * entity).sum(1)

    def compare(self, candidates: Tensor, query: Tensor, out: Tensor) -> Tensor:
        """One product."""
        return torch.mm(candidates, query.T, out=out)

    def compare_backward(
        self, gradient: Tensor, candidates: Tensor, query: Tensor, factor: Tensor, out: Tensor
    ) -> Tensor:
        """Two products; the factor goes into the small matrices."""
        torch.mm(gradient, query * factor[:, None], out=out)
        return torch.mm(gradient.T, candidates).mul_(factor[:, None])

    @cached_property
    def _projection(self) -> Tensor:
        cells = np.zeros((self.CHUNKS, self.CHUNKS), np.int8)
        for i, k, j, sign in self.blocks:
            cells[i, j] = sign * (k + 1)
        return torch.from_numpy(symmetric_projection(cells)[0])

    def symmetrised(self, relation: Tensor) -> Tensor:
        """The nearest vectors (n, d) with G(r) = G(r)ᵀ; the projection is its own transpose."""
        p = self._projection.to(relation)
        return torch.einsum("ij,njd->nid", p, self._cut(relation)).reshape(relation.shape)

    # ---- asking for the relation -------------------------------------------------------------

    def relation_query(self, head: Tensor, tail: Tensor) -> Tensor:
        """g_k = Σ s h_i ∘ t_j (n, d): its inner product with a relation's vector is the score."""
        query = torch.zeros_like(head)
        h, t, q = self._cut(head), self._cut(tail), self._cut(query)
        for i, k, j, sign in self.blocks:
            q[:, k].addcmul_(h[:, i], t[:, j], value=sign)
        return query

    def relation_query_backward(
        self, gradient: Tensor, head: Tensor, tail: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Gradients of heads and tails."""
        h, t, g = self._cut(head), self._cut(tail), self._cut(gradient)
        d_head, d_tail = torch.zeros_like(head), torch.zeros_like(tail)
        dh, dt = self._cut(d_head), self._cut(d_tail)
        for i, k, j, sign in self.blocks:
            dh[:, i].addcmul_(g[:, k], t[:, j], value=sign)
            dt[:, j].addcmul_(g[:, k], h[:, i], value=sign)
        return d_head, d_tail
