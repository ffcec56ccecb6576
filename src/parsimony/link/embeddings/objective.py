"""One training step: cross-entropy of every query over its candidates, gradients by hand, update.

The loss is equation 7 of docs/methods/embeddings.md, its penalties equations 8 to 11.

Three products of (n × d) by (d × m) are nearly all of it: scores, gradient of the queries, gradient
of the candidates. Everything between them happens in place in buffers that keep their pages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parsimony.kernels.embeddings.softmax import softmax_residual
from parsimony.link.embeddings.batches import Batch
from parsimony.link.embeddings.scoring import BilinearScoring, Scoring
from parsimony.link.embeddings.tables import Regulariser, Table, ThreadPool


@dataclass(frozen=True)
class Penalties:
    """What is added to the loss, and the noise in it.

    ``dropout`` falls on the queries, ``input_dropout`` on the vectors that make them;
    ``relation_weight`` is that of predicting the relation of every fact; with ``joined`` n3 cubes
    lengths over the chunks that the scoring function ties together; ``dura`` weighs ‖q‖² + ‖a‖² of
    every query and answer (duality-induced regulariser, Zhang et al., NeurIPS 2020): with it
    2⟨q, a⟩ becomes −‖q − a‖², so that queries come to lie near their answers.
    """

    n3: float = 0.0
    joined: bool = False
    l2: float = 0.0
    dropout: float = 0.0
    input_dropout: float = 0.0
    relation_weight: float = 0.0
    dura: float = 0.0
    unit_ball: bool = False

    @classmethod
    def of(cls, parameters: Any) -> Penalties:
        """Those of a method's parameters; what it does not declare stays off."""
        names = (field.name for field in fields(cls))
        return cls(**{n: getattr(parameters, n) for n in names if hasattr(parameters, n)})


class Buffers:
    """Named tensors that grow and are used again."""

    def __init__(self, like: Tensor) -> None:
        self._like = like
        self._kept: dict[str, Tensor] = {}

    def get(self, name: str, *shape: int) -> Tensor:
        """Return an uninitialised tensor of that shape."""
        size = math.prod(shape)
        kept = self._kept.get(name)
        if kept is None or kept.numel() < size:
            kept = self._kept[name] = self._like.new_empty(size)
        return kept[:size].view(shape)


@dataclass
class Gradients:
    """Of one batch: of the candidates' rows and of all relations, with the mentions of each."""

    loss: float
    entity: Tensor
    relation: Tensor
    entity_mentions: Tensor
    relation_mentions: Tensor


class Objective:
    """Loss and gradients of batches, and the updates they make.

    Parameters
    ----------
    scoring
        How vectors make a score.
    entity, relation
        The tables, updated in place.
    penalties
        Regularisers and dropout.
    pool
        Threads of the compiled kernels; None runs the same formulas by torch's own operations, on
        any device.
    symmetric
        Rows of the relations whose G(r) is kept symmetric, of a bilinear score. Their vectors are
        projected where they are read, and so is their gradient: the table may hold more.
    """

    def __init__(
        self,
        scoring: Scoring,
        entity: Table,
        relation: Table,
        penalties: Penalties,
        pool: ThreadPool | None,
        symmetric: Sequence[int] = (),
    ) -> None:
        self.scoring, self.entity, self.relation = scoring, entity, relation
        self.penalties, self.pool = penalties, pool
        self.buffers = Buffers(entity.weight)
        self.flops = 0.0
        self._symmetric = torch.tensor(symmetric, device=relation.weight.device).long()
        self._all = torch.arange(len(relation.weight), device=relation.weight.device)

    def relations(self) -> Tensor:
        """The relations' vectors as the scoring function reads them."""
        return self._symmetrised(self.relation.weight)

    def _symmetrised(self, vectors: Tensor) -> Tensor:
        """Vectors, or gradients, of all relations: the rows that are kept symmetric projected."""
        if not len(self._symmetric):
            return vectors
        assert isinstance(self.scoring, BilinearScoring)
        found = vectors.clone()
        found[self._symmetric] = self.scoring.symmetrised(found[self._symmetric])
        return found

    def step(self, batch: Batch, lr: float, generator: torch.Generator | None = None) -> float:
        """Update both tables; returns the summed cross-entropy of the batch's answers."""
        found = self.gradients(batch, generator)
        self.update_entities(found, batch, lr)
        self.update_relations(found.relation, found.relation_mentions, lr)
        return found.loss

    def update_entities(self, found: Gradients, batch: Batch, lr: float) -> None:
        """Move the candidates of a batch."""
        p = self.penalties
        group = self.scoring.groups()[0] if p.joined else (0,)
        self.entity.update(
            found.entity, self._on(batch.row), found.entity_mentions, lr,
            Regulariser(p.n3, p.l2, float(p.unit_ball), group), self.pool,
        )  # fmt: skip

    def update_relations(self, gradient: Tensor, mentions: Tensor, lr: float) -> None:
        """Move all relations."""
        p = self.penalties
        group = self.scoring.groups()[1] if p.joined else (0,)
        self.relation.update(
            gradient, self._all, mentions, lr, Regulariser(p.n3, p.l2, group=group), self.pool
        )

    def gradients(self, batch: Batch, generator: torch.Generator | None = None) -> Gradients:
        """Gradients of the mean loss per answer, without the regularisers.

        The regularisers' part follows from the mentions; :meth:`Table.update` adds it.
        """
        n, m = len(batch.entity), len(batch.row)
        whole = m == len(self.entity.weight)
        table = self.entity.weight
        entity, relation = self._on(batch.entity), self._on(batch.relation)
        candidates = table if whole else torch.index_select(
            table, 0, self._on(batch.row), out=self.buffers.get("candidates", m, table.shape[1])
        )  # fmt: skip
        relations = self.relations()
        e, r = candidates[entity], relations[relation]
        drops = [self._drop(x, self.penalties.input_dropout, generator) for x in (e, r)]
        query = self._queries(batch, e, r)
        drop = self._drop(query, self.penalties.dropout, generator)

        scores = self.scoring.compare(candidates, query, self.buffers.get("scores", m, n))
        if batch.impossible is not None:
            scores.masked_fill_(self._on(batch.impossible).T, -torch.inf)
        loss, factor = self._residual(scores, batch)
        factor /= len(batch.answer)
        d_candidates = self.buffers.get("d_candidates", m, table.shape[1])
        d_query = self.scoring.compare_backward(scores, candidates, query, factor, d_candidates)
        self.flops += 6.0 * n * m * table.shape[1]

        if self.penalties.dura > 0:
            self._duality(batch, candidates, query, d_candidates, d_query)
        if drop is not None:
            d_query.mul_(drop)
        d_relation = torch.zeros_like(self.relation.weight)
        for part, inverse in self._directions(batch):
            de, dr = self.scoring.query_backward(d_query[part], e[part], r[part], inverse)
            for gradient, mask in zip((de, dr), drops, strict=True):
                if mask is not None:
                    gradient.mul_(mask[part])
            d_candidates.index_add_(0, entity[part], de)
            d_relation.index_add_(0, relation[part], dr)
        if self.penalties.relation_weight > 0:
            self._predict_relations(batch, candidates, relations, d_candidates, d_relation)
        d_relation = self._symmetrised(d_relation)
        return Gradients(loss, d_candidates, d_relation, *self._mentions(batch, m))

    # ---- parts -------------------------------------------------------------------------------

    def _on(self, index: np.ndarray) -> Tensor:
        return torch.from_numpy(index).to(self.entity.weight.device)

    @staticmethod
    def _directions(batch: Batch) -> list[tuple[slice, bool]]:
        n = len(batch.entity)
        parts = [(slice(0, batch.n_forward), False), (slice(batch.n_forward, n), True)]
        return [(part, inverse) for part, inverse in parts if part.stop > part.start]

    def _queries(self, batch: Batch, e: Tensor, r: Tensor) -> Tensor:
        query = self.buffers.get("query", *e.shape)
        for part, inverse in self._directions(batch):
            self.scoring.query(e[part], r[part], inverse, query[part])
        return query

    @staticmethod
    def _drop(x: Tensor, rate: float, generator: torch.Generator | None) -> Tensor | None:
        """Drop numbers in place; returns the mask, scaled so that the mean stays."""
        if rate == 0 or generator is None:
            return None
        mask = torch.empty_like(x).bernoulli_(1 - rate, generator=generator).div_(1 - rate)
        x.mul_(mask)
        return mask

    def _residual(self, scores: Tensor, batch: Batch) -> tuple[float, Tensor]:
        """Loss, and the scores' gradient in place up to the factor (n,) returned with it."""
        if self.pool is None:
            return residual_plain(
                scores, self._on(batch.bias), self._on(batch.count), self._on(batch.answer)
            )
        n, array = scores.shape[1], scores.numpy()
        bias = batch.bias.astype(array.dtype, copy=False)
        partial, highest = np.empty(n, array.dtype), np.empty(n, array.dtype)
        total, loss = np.empty(n), np.empty(n)
        self.pool.run(
            softmax_residual, n, (array, bias, batch.ptr, batch.answer),
            (partial, highest, total, loss),
        )  # fmt: skip
        factor = (batch.count / total).astype(array.dtype)
        return float(loss.sum()), torch.from_numpy(factor)

    def _duality(
        self, batch: Batch, candidates: Tensor, query: Tensor, d_candidates: Tensor, d_query: Tensor
    ) -> None:
        """Add the gradient of ‖q‖² + ‖a‖² for every query q and each of its answers a."""
        weight = 2 * self.penalties.dura / len(batch.answer)
        asked = self._on(batch.count).to(query.dtype)
        d_query.addcmul_(query, asked[:, None], value=weight)
        answer = self._on(batch.answer)
        d_candidates.index_add_(0, answer, candidates[answer], alpha=weight)

    def _mentions(self, batch: Batch, m: int) -> tuple[Tensor, Tensor]:
        """Mentions of candidates and relations by the facts of the batch, per answer."""
        entity = np.bincount(batch.entity, batch.count, m)
        entity += np.bincount(batch.answer, minlength=m)
        relation = np.bincount(batch.relation, batch.count, len(self.relation.weight))
        weight = self.entity.weight
        tensors = (torch.from_numpy(x / len(batch.answer)) for x in (entity, relation))
        first, second = (x.to(weight.device, weight.dtype) for x in tensors)
        return first, second

    def _predict_relations(
        self,
        batch: Batch,
        candidates: Tensor,
        relations: Tensor,
        d_candidates: Tensor,
        d_relation: Tensor,
    ) -> None:
        """Add the gradient of predicting the relation of every forward fact among all."""
        scoring = self.scoring
        assert isinstance(scoring, BilinearScoring)
        n = int(batch.ptr[batch.n_forward])
        if not n:
            return
        count = batch.count[: batch.n_forward]
        head = self._on(np.repeat(batch.entity[: batch.n_forward], count))
        tail = self._on(batch.answer[:n])
        asked = np.repeat(batch.relation[: batch.n_forward], count)
        h, t = candidates[head], candidates[tail]
        query = scoring.relation_query(h, t)
        scores = torch.mm(relations, query.T)
        facts = Batch(
            asked, asked, n, np.arange(n + 1), asked, np.arange(len(relations)),
            np.zeros(len(relations), np.float32),
        )  # fmt: skip
        _, factor = self._residual(scores, facts)
        factor *= self.penalties.relation_weight / len(batch.answer)
        d_relation.addmm_(scores, query * factor[:, None])
        d_query = torch.mm(scores.T, relations).mul_(factor[:, None])
        dh, dt = scoring.relation_query_backward(d_query, h, t)
        d_candidates.index_add_(0, head, dh).index_add_(0, tail, dt)


def residual_plain(
    scores: Tensor, bias: Tensor, count: Tensor, answer: Tensor
) -> tuple[float, Tensor]:
    """What :func:`softmax_residual` does, by torch's own operations, on any device."""
    column = torch.repeat_interleave(torch.arange(len(count), device=scores.device), count)
    scores.add_(bias.to(scores.dtype)[:, None])
    highest = scores.amax(0)
    stated = scores[answer, column].sum(dtype=torch.float64)
    scores.sub_(highest).exp_()
    total = scores.sum(0, dtype=torch.float64)
    loss = (count * (total.log() + highest)).sum() - stated
    weight = (total / count).to(scores.dtype)
    scores.index_put_((answer, column), -weight[column], accumulate=True)
    return float(loss), (count / total).to(scores.dtype)
