"""The training step against the plain loss: values, gradients, updates, sampled candidates."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from parsimony.kernels.embeddings.adagrad import adagrad_rows, adagrad_rows_reference
from parsimony.kernels.embeddings.softmax import softmax_residual, softmax_residual_reference
from parsimony.knowledge.symbol import Symbol
from parsimony.link.embeddings.batches import GroupedQueries
from parsimony.link.embeddings.distance import RotatEScoring, TransEScoring
from parsimony.link.embeddings.objective import Objective, Penalties
from parsimony.link.embeddings.objective_torch import plain_loss, plain_score
from parsimony.link.embeddings.scoring import BilinearScoring
from parsimony.link.embeddings.tables import Regulariser, Table, ThreadPool

COMPLEX = tuple(
    (i, k, j, s)
    for i, k, j, s in [(0, 0, 0, 1), (1, 1, 1, 1), (2, 0, 2, 1), (3, 1, 3, 1),
                       (0, 2, 2, 1), (1, 3, 3, 1), (2, 2, 0, -1), (3, 3, 1, -1)]
)  # fmt: skip
LOPSIDED = ((0, 1, 3, 1), (1, 1, 3, -1), (2, 0, 0, 1), (3, 2, 1, -1), (3, 3, 2, 1))
SCORINGS = {
    "complex": BilinearScoring(COMPLEX),
    "lopsided": BilinearScoring(LOPSIDED),
    "transe": TransEScoring(),
    "rotate": RotatEScoring(),
}
N, R, D = 9, 3, 8


def facts(seed=0, n=25):
    rng = np.random.default_rng(seed)
    return rng.integers(0, (N, R, N), (n, 3)).astype(np.int32)  # some are stated twice


def objective(scoring, penalties=Penalties(), *, reciprocal=False, pool=None, seed=0):  # noqa: B008
    rng = torch.Generator().manual_seed(seed)
    rows = 2 * R if reciprocal else R
    width = scoring.relation_width(D)
    entity = torch.randn(N, D, generator=rng, dtype=torch.float64)
    relation = torch.randn(rows, width, generator=rng, dtype=torch.float64)
    return Objective(scoring, Table(entity), Table(relation), penalties, pool)


def asked(grouped, which):
    """The queries' facts one by one, as the plain loss takes them."""
    return [
        (int(grouped.entity[q]), int(grouped.relation[q]), int(a), bool(grouped.inverse[q]))
        for q in which
        for a in grouped.answer[grouped.ptr[q] : grouped.ptr[q + 1]]
    ]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("reciprocal", [False, True])
@pytest.mark.parametrize("name", SCORINGS)
def test_values_and_gradients_are_those_of_the_plain_loss(name, reciprocal, compiled):
    scoring = SCORINGS[name]
    weight = 0.3 if isinstance(scoring, BilinearScoring) else 0.0
    penalties = Penalties(n3=0.02, l2=0.05, relation_weight=weight, dura=weight / 3)
    pool = ThreadPool(2) if compiled else None
    ours = objective(scoring, penalties, reciprocal=reciprocal, pool=pool)
    grouped = GroupedQueries.of(facts(), N, R, reciprocal)
    which = np.arange(0, len(grouped), 2)
    found = ours.gradients(grouped.batch(which, 0))
    tables = [t.weight.clone().requires_grad_() for t in (ours.entity, ours.relation)]
    wanted = plain_loss(scoring, *tables, asked(grouped, which), penalties)
    wanted.backward()
    parts = ((found.entity, found.entity_mentions), (found.relation, found.relation_mentions))
    for (gradient, mentions), table in zip(parts, tables, strict=True):
        x = table.detach()
        whole = gradient + mentions[:, None] * (3 * 0.02 * x.abs() * x + 2 * 0.05 * x)
        torch.testing.assert_close(whole, table.grad, rtol=1e-8, atol=1e-8)
    bare = Penalties(relation_weight=0.0)
    wanted = plain_loss(scoring, *tables, asked(grouped, which), bare)
    assert found.loss / len(asked(grouped, which)) == pytest.approx(wanted.item(), abs=1e-8)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("name", "reciprocal"), [("complex", True), ("transe", False)])
def test_impossible_answers_are_no_part_of_the_loss(name, reciprocal, compiled):
    ours = objective(
        SCORINGS[name], reciprocal=reciprocal, pool=ThreadPool(2) if compiled else None
    )
    drawn = np.random.default_rng(4).random((N, 2 * R, N)) < 0.4  # of entity, asked relation
    grouped = GroupedQueries.of(facts(), N, R, reciprocal, lambda e, of: drawn[e, of])
    which = np.arange(0, len(grouped), 2)
    found = ours.gradients(grouped.batch(which, 0))
    tables = [t.weight.clone().requires_grad_() for t in (ours.entity, ours.relation)]
    possible = []
    for q in which:
        answers = grouped.answer[grouped.ptr[q] : grouped.ptr[q + 1]]
        of = grouped.relation[q] + (R if grouped.inverse[q] else 0)
        row = drawn[grouped.entity[q], of] | np.isin(np.arange(N), answers)
        possible += [row] * len(answers)
    one_by_one = asked(grouped, which)
    wanted = plain_loss(
        ours.scoring, *tables, one_by_one, Penalties(), torch.from_numpy(np.array(possible))
    )
    wanted.backward()
    torch.testing.assert_close(found.entity, tables[0].grad, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(found.relation, tables[1].grad, rtol=1e-8, atol=1e-8)
    assert found.loss / len(one_by_one) == pytest.approx(wanted.item(), abs=1e-8)
    some = grouped.batch(which, 3, np.random.default_rng(0))  # a sample leaves the same ones out
    np.testing.assert_array_equal(some.impossible, grouped.batch(which, 0).impossible[:, some.row])


@pytest.mark.parametrize("compiled", [True, False])
def test_relations_kept_symmetric_have_the_gradient_of_the_projected_loss(compiled):
    scoring, rows = BilinearScoring(Symbol.parse("SimplE").blocks), [0, 2, R]
    penalties = Penalties(relation_weight=0.3)
    ours = objective(scoring, penalties, reciprocal=True, pool=ThreadPool(1) if compiled else None)
    ours = Objective(scoring, ours.entity, ours.relation, penalties, ours.pool, rows)
    grouped = GroupedQueries.of(facts(), N, R, True)
    which = np.arange(len(grouped))
    found = ours.gradients(grouped.batch(which, 0))
    tables = [t.weight.clone().requires_grad_() for t in (ours.entity, ours.relation)]
    kept = torch.isin(torch.arange(2 * R), torch.tensor(rows))[:, None]
    relation = torch.where(kept, scoring.symmetrised(tables[1]), tables[1])
    plain_loss(scoring, tables[0], relation, asked(grouped, which), penalties).backward()
    torch.testing.assert_close(found.entity, tables[0].grad, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(found.relation, tables[1].grad, rtol=1e-8, atol=1e-8)
    h, r, t = ours.entity.weight[:1], ours.relations(), ours.entity.weight[1:2]
    for k in range(2 * R):
        there, back = plain_score(scoring, h, r[k], t), plain_score(scoring, t, r[k], h)
        assert torch.allclose(there, back, atol=1e-12) == (k in rows)


def test_single_precision_agrees():
    double = objective(SCORINGS["complex"], pool=ThreadPool(1))
    tables = [Table(t.weight.float()) for t in (double.entity, double.relation)]
    single = Objective(SCORINGS["complex"], *tables, Penalties(), ThreadPool(1))
    batch = GroupedQueries.of(facts(), N, R, False).batch(np.arange(12), 0)
    exact, rounded = double.gradients(batch), single.gradients(batch)
    assert rounded.loss == pytest.approx(exact.loss, rel=1e-4)
    torch.testing.assert_close(rounded.entity.double(), exact.entity, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_softmax_kernel_and_its_twin(seed):
    rng = np.random.default_rng(seed)
    m, n = int(rng.integers(2, 400)), int(rng.integers(1, 20))
    ptr = np.concatenate([[0], np.cumsum(rng.integers(1, 5, n))])
    answer, bias = rng.integers(0, m, ptr[-1]), rng.normal(0, 1, m)
    scores = rng.normal(0, 30, (m, n))
    loss, gradient = softmax_residual_reference(scores, bias, ptr, answer)
    partial, highest, total, found = (np.empty(n) for _ in range(4))
    for low, high in ((0, n // 2), (n // 2, n)):  # queries may be shared out
        softmax_residual(scores, bias, ptr, answer, low, high, partial, highest, total, found)
    np.testing.assert_allclose(found, loss, rtol=1e-8)
    np.testing.assert_allclose(scores * np.diff(ptr) / total, gradient, rtol=1e-8, atol=1e-10)


GROUPS = [(0,), (0, 1, 0, 1), (0, 0, 0, 0), (0, 1, 2, 2)]


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("radius", [0.0, 1.0])
def test_adagrad_kernel_and_its_twins(radius, group):
    rng = np.random.default_rng(0)
    weight, state = rng.normal(0, 1, (7, 8)), rng.random((7, 8))
    gradient, mentions, row = rng.normal(0, 1, (3, 8)), rng.random(3), np.array([5, 0, 3])
    tables = [(weight.copy(), state.copy()) for _ in range(3)]
    numbers = 0.2, 0.1, 0.05, radius, np.array(group)
    adagrad_rows_reference(*tables[0], gradient, row, mentions, *numbers)
    adagrad_rows(*tables[1], gradient, row, mentions, *numbers, 0, 3)
    plain = Table(*map(torch.from_numpy, tables[2]))
    tensors = map(torch.from_numpy, (gradient, row, mentions))
    plain.update(*tensors, 0.2, Regulariser(0.1, 0.05, radius, group), None)
    for other in tables[1:]:
        np.testing.assert_allclose(other[0], tables[0][0], rtol=1e-10)
        np.testing.assert_allclose(other[1], tables[0][1], rtol=1e-10)
    assert (tables[0][0][1] == weight[1]).all()  # not in the batch
    if radius:
        assert (np.linalg.norm(tables[0][0][row], axis=1) <= radius + 1e-12).all()


@pytest.mark.parametrize("group", GROUPS)
def test_n3_pulls_along_the_gradient_of_the_cubed_norm(group):
    x = torch.randn(3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mentions = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    theirs = x.clone().requires_grad_()
    chunks = theirs.view(3, len(group), -1)
    for number in set(group):
        of_group = [i for i, other in enumerate(group) if other == number]
        length = chunks[:, of_group].square().sum(1).sqrt()
        (0.1 * mentions * length.pow(3).sum(1)).sum().backward(retain_graph=True)
    torch.optim.Adagrad([theirs], lr=0.3).step()
    table, still = Table(x), torch.zeros_like(x)
    table.update(
        still, torch.arange(3), mentions, 0.3, Regulariser(0.1, group=group), ThreadPool(1)
    )
    torch.testing.assert_close(table.weight, theirs.detach())


@pytest.mark.parametrize(
    ("name", "entity", "relation"),
    [
        ("DistMult", (0, 1, 2, 3), (0, 1, 2, 3)),
        ("ComplEx", (0, 1, 0, 1), (0, 1, 0, 1)),
        ("SimplE", (0, 1, 0, 1), (0, 1, 0, 1)),
        ("Analogy", (0, 1, 2, 2), (0, 1, 2, 2)),
        ("QuatE", (0, 0, 0, 0), (0, 0, 0, 0)),
        ("1 0 0 0; 0 2 0 1; 0 0 3 0; 0 1 0 4", (0, 1, 2, 1), (0, 0, 2, 0)),
    ],
)
def test_chunks_that_a_symbol_connects(name, entity, relation):
    found = BilinearScoring(Symbol.parse(name).blocks).groups()
    for groups, expected in zip(found, (entity, relation), strict=True):
        same, as_expected = np.equal.outer(groups, groups), np.equal.outer(expected, expected)
        np.testing.assert_array_equal(same, as_expected)


@pytest.mark.parametrize("name", ["complex", "lopsided"])
def test_a_step_with_joined_chunks_goes_down_the_plain_loss(name):
    scoring, penalties = SCORINGS[name], Penalties(n3=0.05, joined=True)
    ours = objective(scoring, penalties, pool=ThreadPool(1))
    tables = [t.weight.clone().requires_grad_() for t in (ours.entity, ours.relation)]
    grouped = GroupedQueries.of(facts(), N, R, False)
    plain_loss(scoring, *tables, asked(grouped, range(len(grouped))), penalties).backward()
    torch.optim.Adagrad(tables, lr=0.1).step()
    ours.step(grouped.batch(np.arange(len(grouped)), 0), 0.1)
    torch.testing.assert_close(ours.entity.weight, tables[0].detach(), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(ours.relation.weight, tables[1].detach(), rtol=1e-6, atol=1e-7)


def test_adagrad_is_torchs_own():
    table = Table(torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=torch.float64))
    theirs = table.weight.clone().requires_grad_()
    optimizer = torch.optim.Adagrad([theirs], lr=0.3)
    for step in range(3):
        gradient = torch.full((2, 2), 0.1 * (step + 1), dtype=torch.float64)
        theirs.grad = gradient.clone()
        optimizer.step()
        table.update(
            gradient, torch.arange(2), torch.ones(2).double(), 0.3, Regulariser(), ThreadPool(1)
        )
    torch.testing.assert_close(table.weight, theirs.detach())


def test_sampled_candidates_give_the_partition_sum_on_average():
    """The mean over many samples of Z is Z: neither the answers nor the rest is overweighted."""
    grouped = GroupedQueries.of(facts(n=4), 200, R, False)
    scores = np.random.default_rng(1).normal(0, 1, 200)
    rng = np.random.default_rng(2)
    sums = []
    for _ in range(4000):
        batch = grouped.batch(np.arange(2), 20, rng)
        assert len(set(batch.row.tolist())) == len(batch.row)
        sums.append(np.exp(scores[batch.row] + batch.bias).sum())
    error = np.std(sums) / np.sqrt(len(sums))
    assert abs(np.mean(sums) - np.exp(scores).sum()) < 4 * error
    batch, full = grouped.batch(np.arange(2), 20, rng), grouped.batch(np.arange(2), 0)
    np.testing.assert_array_equal(batch.row[batch.answer], full.answer)
    np.testing.assert_array_equal(batch.row[batch.entity], full.entity)


def test_a_sample_of_everything_is_the_exact_loss():
    ours = objective(SCORINGS["complex"], pool=ThreadPool(1))
    grouped = GroupedQueries.of(facts(), N, R, False)
    sampled = grouped.batch(np.arange(6), 1000, np.random.default_rng(0))
    assert ours.gradients(sampled).loss == ours.gradients(grouped.batch(np.arange(6), 0)).loss


def test_dropout_is_the_same_stream_and_keeps_the_mean():
    ours = objective(
        SCORINGS["complex"], Penalties(dropout=0.4, input_dropout=0.2), pool=ThreadPool(1)
    )
    batch = GroupedQueries.of(facts(), N, R, False).batch(np.arange(10), 0)
    losses = [ours.gradients(batch, torch.Generator().manual_seed(s)).loss for s in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]
    x = torch.ones(1000, 20)
    ours._drop(x, 0.4, torch.Generator().manual_seed(0))
    assert float(x.mean()) == pytest.approx(1, abs=0.02)
    assert x.unique().tolist() == pytest.approx([0.0, 1 / 0.6])


def test_dropped_numbers_have_no_gradient():
    """With dropout the gradient is that of the loss with the same mask: by differences."""
    penalties = Penalties(dropout=0.3, input_dropout=0.3, relation_weight=0.0)
    ours = objective(SCORINGS["complex"], penalties, pool=ThreadPool(1))
    batch = GroupedQueries.of(facts(), N, R, False).batch(np.arange(10), 0)

    def loss():
        return ours.gradients(batch, torch.Generator().manual_seed(5)).loss / len(batch.answer)

    found = ours.gradients(batch, torch.Generator().manual_seed(5))
    for table, gradient in ((ours.entity, found.entity), (ours.relation, found.relation)):
        gradient = gradient.clone()
        for at in ((0, 0), (1, 3), (2, 7)):
            before = float(table.weight[at])
            table.weight[at] = before + 1e-5
            above = loss()
            table.weight[at] = before - 1e-5
            below = loss()
            table.weight[at] = before
            assert (above - below) / 2e-5 == pytest.approx(float(gradient[at]), abs=1e-6)
