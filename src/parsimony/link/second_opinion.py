"""A second opinion without a model: kinds of paths that degrees do not explain.

For each kind of path of up to three facts, the paths that join both ends are counted, beside what a
null model gives: the facts that the entity asked about has of the kind's first relation are dealt
anew among all entities that have that relation. Curveball trades (Strona et al. 2014, *Nature
Communications* 5:4114) keep how many facts every entity has in each relation and direction, and
lead to every such graph equally often (Carstens 2015, *Physical Review E* 91:042812); all other
facts stay. Himmelstein et al. (2023, *GigaScience* 12:giad047) ask
the same of whole permuted graphs; following one row of the relation is local, so that thousands of
draws take a moment.

The observed graph stands at a random place of the chain (Besag & Clifford 1989, *Biometrika*
76:633): under the null model it is one of the draws, so the p-value is exact however slowly the
chain mixes. All kinds that could join the ends count as tested, those without a path with p = 1
(Benjamini & Hochberg 1995).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph
from parsimony.kernels.numerics import kernel
from parsimony.link.question import Question
from parsimony.link.walk_kinds import Kind, kind_text
from parsimony.run.seeds import rng
from parsimony.run.steps import step_done

__all__ = ["Opinion", "SecondOpinion", "SurprisingKind", "by_names"]

Ints = npt.NDArray[np.int64]
Counts = npt.NDArray[np.float64]

DRAWS = 9_999
FEWEST = 199
_WORK = 100_000_000  # entries that the chain of one relation may look at
_MOST_WALKS = 4_000_000  # of two facts to the answer, beyond which kinds of three are left out


@dataclass(frozen=True)
class SurprisingKind:
    """A kind of path that joins both ends.

    Attributes
    ----------
    steps
        Relation ids, r + R from tail to head.
    paths, expected
        How many there are, and the mean of the null model's draws.
    p, q
        Probability of as many or more by the null model; after the correction for many kinds.
    draws
        Of the null model.
    """

    steps: tuple[int, ...]
    paths: int
    expected: float
    p: float
    q: float
    draws: int


@dataclass(frozen=True)
class Opinion:
    """Kinds of paths, the most surprising first, of ``tested`` that could join the ends."""

    kinds: tuple[SurprisingKind, ...]
    tested: int
    longest: int
    seed: int


class _Rows(NamedTuple):
    """The facts of a step by the entity that they start from: entities, where each begins, ends."""

    source: Ints
    ptr: Ints
    target: Ints


class _Rests(NamedTuple):
    """How paths go on to the answer after their first fact: from where, by which kind, how many."""

    entity: Ints
    code: Ints
    ways: Counts

    def those(self, which: npt.NDArray[np.bool_]) -> _Rests:
        """Some of them."""
        return _Rests(self.entity[which], self.code[which], self.ways[which])


class SecondOpinion:
    """A graph that is asked which kinds of paths join two entities.

    Parameters
    ----------
    graph
        Facts stated twice count once.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        self._graph, self._n = graph, graph.n_relations
        self._base = 2 * self._n + 1  # of codes of kinds: steps from 1 on, 0 for none
        self._rows: dict[int, _Rows] = {}

    def on(
        self, question: Question, *, longest: int = 3, draws: int = DRAWS, seed: int = 0
    ) -> Opinion:
        """Ask about an entity and an answer.

        Parameters
        ----------
        question
            The fact itself, where the graph states it, is left out.
        longest
            Facts of a path, 1 to 3.
        draws
            Of the null model, fewer where the entity has very many facts.
        seed
            Of the draws.
        """
        rests, longest = self._rests(question, longest)
        itself = {question.relation}  # steps of which the fact that is asked about is one
        if question.entity == question.answer:
            itself.add(self._inverse(question.relation))
        tested, found = 0, []
        for step in self._steps_of(question.entity):
            step_done()
            rows = self._of_step(step)
            own = int(np.searchsorted(rows.source, question.entity))
            if step in itself:
                rows = _without(rows, own, question.answer)
            may = np.zeros(self._graph.n_entities, bool)
            may[rows.target] = True
            going = rests.those(may[rests.entity])
            if step in itself:
                going = going.those(going.code > 0)
            mine = rows.target[rows.ptr[own] : rows.ptr[own + 1]]
            if not len(mine):
                continue
            tested += len(np.unique(going.code))
            with_paths = np.unique(going.code[np.isin(going.entity, mine)])
            codes, observed, drawn = null_counts(
                rows, own, going.those(np.isin(going.code, with_paths)),
                self._graph.n_entities, draws,
                seed=int(rng(seed, "second opinion", *question, step).integers(2**31)),
            )  # fmt: skip
            for k, code in enumerate(codes.tolist()):
                p = (1 + int((drawn[:, k] >= observed[k]).sum())) / (1 + len(drawn))
                found.append(
                    (self._decoded(step, code), int(observed[k]), float(drawn[:, k].mean()), p,
                     len(drawn))
                )  # fmt: skip
        corrected = np.ones(0)
        if found:
            from scipy.stats import false_discovery_control  # half a second to import

            of_all = np.ones(tested)  # those without a path have p = 1
            of_all[: len(found)] = [p for *_, p, _ in found]
            corrected = false_discovery_control(of_all)[: len(found)]
        kinds = [
            SurprisingKind(steps, paths, expected, p, float(q), n)
            for (steps, paths, expected, p, n), q in zip(found, corrected, strict=True)
        ]
        kinds.sort(key=lambda kind: (kind.p, kind.expected / kind.paths, kind.steps))
        return Opinion(tuple(kinds), tested, longest, seed)

    # ---- the facts ---------------------------------------------------------------------------

    def _inverse(self, step: Any) -> Any:
        return (step + self._n) % (2 * self._n)

    def _steps_of(self, entity: int) -> list[int]:
        digraph = self._graph.digraph
        own = digraph.relation[digraph.indptr[entity] : digraph.indptr[entity + 1]]
        return [int(step) for step in np.unique(own)]

    def _of_step(self, step: int) -> _Rows:
        if step not in self._rows:
            triples, n = self._graph.triples, self._graph.n_entities
            facts = triples[triples[:, 1] == step % self._n].astype(np.int64)
            head, tail = (2, 0) if step >= self._n else (0, 2)
            keys = np.unique(facts[:, head] * n + facts[:, tail])
            source, begin = np.unique(keys // n, return_index=True)
            ptr = np.append(begin, len(keys)).astype(np.int64)
            self._rows[step] = _Rows(source, ptr, keys % n)
        return self._rows[step]

    def _edges(self, entities: Ints) -> tuple[Ints, Ints, Ints]:
        """Edges from some entities: position of the entity, step, where to; each edge once."""
        digraph, n = self._graph.digraph, self._graph.n_entities
        begin, end = digraph.indptr[entities], digraph.indptr[entities + 1]
        size = (end - begin).astype(np.int64)
        place = np.repeat(np.arange(len(entities)), size)
        at = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size) + begin[place]
        step = place * (2 * self._n) + digraph.relation[at]
        keys = np.unique(step * n + digraph.neighbour[at])
        return keys // n // (2 * self._n), keys // n % (2 * self._n), keys % n

    def _rests(self, question: Question, longest: int) -> tuple[_Rests, int]:
        """All ways to go on to the answer, by nodes that are neither end."""
        ends = np.array([question.entity, question.answer])
        parts = [(np.array([question.answer]), np.array([0]))]
        if longest > 1:
            _, step, middle = self._edges(ends[1:])
            inner = ~np.isin(middle, ends)
            last, middle = self._inverse(step[inner]) + 1, middle[inner]
            parts.append((middle, last * self._base))
            degrees = np.diff(self._graph.digraph.indptr)
            if longest > 2 and degrees[middle].sum() > _MOST_WALKS:
                longest = 2
            if longest > 2:
                nodes, of = np.unique(middle, return_inverse=True)
                place, step, first = self._edges(nodes)
                inner = ~np.isin(first, ends)
                place, step, first = place[inner], self._inverse(step[inner]) + 1, first[inner]
                order = np.argsort(of.ravel(), kind="stable")
                ptr = np.searchsorted(of.ravel()[order], np.arange(len(nodes) + 1))
                many = np.diff(ptr)[place]
                each = np.repeat(np.arange(len(place)), many)
                turn = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
                then = last[order][ptr[place[each]] + turn]
                parts.append((first[each], step[each] * self._base + then))
        entity, code = (np.concatenate(column) for column in zip(*parts, strict=True))
        keys, count = np.unique(entity * self._base**2 + code, return_counts=True)
        return (
            _Rests(keys // self._base**2, keys % self._base**2, count.astype(np.float64)),
            longest,
        )

    def _decoded(self, step: int, code: int) -> tuple[int, ...]:
        return (step, *(each - 1 for each in divmod(code, self._base) if each))


def _without(rows: _Rows, own: int, target: int) -> _Rows:
    """The rows without one fact, if it is there; a row may be empty then."""
    at = np.arange(rows.ptr[own], rows.ptr[own + 1])
    gone = at[rows.target[at] == target]
    ptr = rows.ptr.copy()
    ptr[own + 1 :] -= len(gone)
    return _Rows(rows.source, ptr, np.delete(rows.target, gone))


def null_counts(
    rows: _Rows, own: int, rests: _Rests, n_entities: int, draws: int, *, seed: int
) -> tuple[Ints, Counts, Counts]:
    """Count the paths of every kind in ``rests`` as observed, and in draws of the null model.

    Parameters
    ----------
    rows, own
        The facts of the first step, and which row of them is the entity's.
    rests
        How paths go on.
    draws
        At most; fewer where rows are long.

    Returns
    -------
    codes, observed, drawn
        Kinds, (k,), how many paths, (k,), and in each draw, (n, k).
    """
    mine = rows.target[rows.ptr[own] : rows.ptr[own + 1]]
    codes, column = np.unique(rests.code, return_inverse=True)
    entity, count, column = rests.entity, rests.ways, column.ravel()
    nodes, begin = np.unique(entity, return_index=True)
    place = np.full(n_entities, -1)
    place[nodes] = np.arange(len(nodes))
    goes = place, np.append(begin, len(entity)), column, count
    observed = np.zeros(len(codes))
    _count(mine, *goes, observed)
    others = max(len(rows.source) - 1, 1)
    size = (len(rows.target) - len(mine)) / others
    between = int(np.clip(2 * len(mine) / max(size, 1.0), 1, 50))
    per_node = len(entity) / max(len(nodes), 1)
    work = len(mine) * (2 * between + 1 + per_node) + between * size
    n = int(np.clip(_WORK // max(work, 1), min(FEWEST, draws), draws)) if len(codes) else 0
    drawn = np.zeros((n, len(codes)))
    loops = bool((np.repeat(rows.source, np.diff(rows.ptr)) == rows.target).any())
    before = int(np.random.default_rng(seed).integers(n + 1))  # where the observed graph stands
    for part, start in ((drawn[:before], 0), (drawn[before:], 1)):
        if len(part) and len(rows.source) > 1:
            _chain(
                rows.source, rows.ptr, rows.target.copy(), own, loops, between,
                (seed + start) % 2**32, *goes, part,
            )  # fmt: skip
        else:
            part[:] = observed
    return codes, observed, drawn


@kernel
def _count(row, place, ptr, column, count, total):  # type: ignore[no-untyped-def]
    """Add up the ways to go on from the entities of a row: total (n_kinds,)."""
    for x in row:
        if place[x] >= 0:
            for j in range(ptr[place[x]], ptr[place[x] + 1]):
                total[column[j]] += count[j]


@kernel
def _trade(source, ptr, target, a, b, loops, stamp, tick, pool, where):  # type: ignore[no-untyped-def]
    """Deal what only one of two rows has among both, at random; no fact becomes a loop.

    IN  rows a and b of (source, ptr, target)
        stamp (n_entities,), tick: a number that was not stamped, nor its next
        pool, where: scratch, as long as both rows
    OUT target: the rows, as long as they were
    """
    n = 0
    for i in range(ptr[a], ptr[a + 1]):
        stamp[target[i]] = tick
    for i in range(ptr[b], ptr[b + 1]):
        x = target[i]
        if stamp[x] == tick:
            stamp[x] = tick + 1
        elif loops or x != source[a]:
            pool[n] = x
            where[n] = i
            n += 1
    for i in range(ptr[a], ptr[a + 1]):
        x = target[i]
        if stamp[x] == tick and (loops or x != source[b]):
            pool[n] = x
            where[n] = i
            n += 1
    for i in range(n - 1, 0, -1):
        j = np.random.randint(0, i + 1)
        pool[i], pool[j] = pool[j], pool[i]
    for i in range(n):
        target[where[i]] = pool[i]


@kernel
def _chain(  # type: ignore[no-untyped-def]
    source, ptr, target, own, loops, between, seed, place, ptr_of, column, count, out
):
    """Trade the own row with others, ``between`` times before each draw.

    IN  rows (source, ptr, target), of which target is overwritten
        how paths go on (place, ptr_of, column, count), as :func:`_count` takes it
    OUT out (n_draws, n_kinds)
    """
    np.random.seed(seed)
    longest = 0
    for i in range(len(source)):
        longest = max(longest, ptr[i + 1] - ptr[i])
    pool, where = np.empty(2 * longest, np.int64), np.empty(2 * longest, np.int64)
    stamp, tick = np.zeros(len(place), np.int64), 1
    for i in range(len(out)):
        for _ in range(between):
            other = np.random.randint(0, len(source) - 1)
            other += other >= own
            _trade(source, ptr, target, own, other, loops, stamp, tick, pool, where)
            tick += 2
        _count(target[ptr[own] : ptr[own + 1]], place, ptr_of, column, count, out[i])


def by_names(found: Opinion, graph: KnowledgeGraph, *, top: int = 20) -> dict[str, Any]:
    """Return an opinion by names, as the interfaces give it: the ``top`` first kinds."""
    relations, n = graph.relations, graph.n_relations
    assert relations is not None

    def named(steps: tuple[int, ...]) -> Kind:
        ways = ("forward", "inverse")
        return tuple((relations.name(step % n), ways[step >= n]) for step in steps)

    shown = found.kinds[:top]
    notes = []
    if len(found.kinds) > top:
        notes.append(f"the first {top:,} of {len(found.kinds):,} kinds with a path are given")
    if not found.kinds:
        notes.append(f"no path of up to {found.longest} facts joins them")
    if found.longest < 3:
        notes.append("kinds of three facts are left out: the answer has too many neighbours")
    draws = [kind.draws for kind in found.kinds]
    if draws and min(draws) < DRAWS:
        notes.append(f"{min(draws):,} draws instead of {DRAWS:,} where there are very many facts")
    return {
        "kinds": [
            {"steps": [list(step) for step in names], "text": kind_text(names), "paths": kind.paths,
             "expected": kind.expected, "p": kind.p, "q": kind.q, "draws": kind.draws}
            for names, kind in ((named(kind.steps), kind) for kind in shown)
        ],
        "tested": found.tested,
        "longest": found.longest,
        "method": (
            "No model: paths of each kind, beside a null model that deals the entity's facts of "
            "the kind's first relation anew among all that have it (curveball trades: every "
            "entity keeps its number of facts in each relation and direction; all other facts "
            f"stay). p: exact, of a chain of up to {DRAWS:,} draws, seed {found.seed}; q: after "
            f"Benjamini and Hochberg, over all {found.tested:,} kinds that could join them."
        ),
        "notes": notes,
    }  # fmt: skip
