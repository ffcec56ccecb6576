"""The training loss in plain torch, fact by fact: the oracle of values and gradients.

Nothing is grouped or stacked and autograd derives the gradients; for small graphs only.
"""

from __future__ import annotations

import torch
from torch import Tensor

from parsimony.link.embeddings.distance import RotatEScoring, TransEScoring
from parsimony.link.embeddings.objective import Penalties
from parsimony.link.embeddings.scoring import BilinearScoring, Scoring


def plain_score(scoring: Scoring, head: Tensor, relation: Tensor, tail: Tensor) -> Tensor:
    """f(h, r, t) by its definition; vectors broadcast along all axes but the last."""
    if isinstance(scoring, BilinearScoring):
        h, r, t = (x.chunk(4, -1) for x in (head, relation, tail))
        terms = [s * (h[i] * r[k] * t[j]).sum(-1) for i, k, j, s in scoring.blocks]
        return torch.stack(terms).sum(0)
    if isinstance(scoring, TransEScoring):
        return -(head + relation - tail).square().sum(-1).sqrt()
    assert isinstance(scoring, RotatEScoring)
    complex_head, complex_tail = (torch.complex(*x.chunk(2, -1)) for x in (head, tail))
    turned = complex_head * torch.polar(torch.ones_like(relation), relation)
    return -(turned - complex_tail).abs().square().sum(-1).sqrt()


def plain_query(
    scoring: BilinearScoring, entity: Tensor, relation: Tensor, inverse: bool
) -> Tensor:
    """The vector (d,) whose inner product with the entity asked for is the score."""
    e, r = entity.chunk(4), relation.chunk(4)
    found = [torch.zeros_like(e[0]) for _ in range(4)]
    for i, k, j, s in scoring.blocks:
        given, sought = (j, i) if inverse else (i, j)
        found[sought] = found[sought] + s * e[given] * r[k]
    return torch.cat(found)


def lengths_of(x: Tensor, group: tuple[int, ...]) -> Tensor:
    """What N3 cubes of a vector (d,): numbers, or lengths over the chunks of a group."""
    if len(group) == 1:
        return x.abs()
    chunks = x.view(len(group), -1)
    members = [[i for i, of in enumerate(group) if of == number] for number in sorted(set(group))]
    return torch.cat([chunks[chosen].square().sum(0).sqrt() for chosen in members])


def plain_loss(
    scoring: Scoring,
    entity: Tensor,
    relation: Tensor,
    facts: list[tuple[int, int, int, bool]],
    penalties: Penalties,
    possible: Tensor | None = None,
) -> Tensor:
    """Mean loss of facts asked one by one among all entities.

    Parameters
    ----------
    facts
        (entity, relation, answer, inverse): an inverse one asks (?, relation, entity).
    possible
        (n_facts, n_entities) candidates that each is compared with; all where left out.
    """
    total = entity.new_zeros(())
    joined, joined_relation = scoring.groups() if penalties.joined else ((0,), (0,))
    for i, (e, r, a, inverse) in enumerate(facts):
        if inverse:
            scores = plain_score(scoring, entity, relation[r], entity[e])
        else:
            scores = plain_score(scoring, entity[e], relation[r], entity)
        if possible is not None:
            scores = scores.masked_fill(~possible[i], -torch.inf)
        total = total - scores.log_softmax(0)[a]
        vectors = (entity[e], relation[r], entity[a])
        groups = (joined, joined_relation, joined)
        lengths = [lengths_of(x, group) for x, group in zip(vectors, groups, strict=True)]
        total = total + penalties.n3 * sum(x.pow(3).sum() for x in lengths)
        total = total + penalties.l2 * sum(x.square().sum() for x in vectors)
        if penalties.dura:
            assert isinstance(scoring, BilinearScoring)
            query = plain_query(scoring, entity[e], relation[r], inverse)
            both = query.square().sum() + entity[a].square().sum()
            total = total + penalties.dura * both
        if penalties.relation_weight and not inverse:
            of_relation = plain_score(scoring, entity[e], relation, entity[a])
            total = total - penalties.relation_weight * of_relation.log_softmax(0)[r]
    return total / len(facts)
