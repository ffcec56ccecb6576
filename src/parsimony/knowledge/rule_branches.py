"""Rules about one entity: what they mean, and their exact counts.

The head of such a rule has one variable and one constant; its body is a chain that begins at the
variable and ends in a constant, or in a variable that stands for anything::

    speaks(X,French) <- born_in(X,France)
    speaks(X,French) <- born_in(X,A), in(A,France)
    retired(X,Yes) <- pension(X,A)
    capital(France,Y) <- seat_of(Y,France)

They are read under *object identity*: distinct variables stand for distinct entities, none of which
is a constant of the rule. (Path rules are not: their variables may be bound to the same entity, see
:mod:`parsimony.knowledge.rule_counts`.) For an entity x, bound to the head's variable,

    support    = entities for which head and body hold
    body count = entities for which the body holds
    PCA body   = those of them of which some fact of the head's relation is known, with the variable
                 on the same side: under the partial completeness assumption, the others say nothing

Object identity keeps a fact from being its own evidence: no chain may pass through the head's
constant. The one exception, ``h(X,c) <- h(X,c)``, has 0/0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter, UnknownEntity, UnknownRelation
from parsimony.graph.knowledge_graph import KnowledgeGraph
from parsimony.kernels.numerics import kernel
from parsimony.knowledge.rule_walks import WalkIndex, expand, first_at_least
from parsimony.knowledge.rules import Atom, Constant, Rule

__all__ = [
    "ANY",
    "Branch",
    "Branches",
    "count_branches",
    "encode_branch",
    "entity_ids",
    "entity_names",
    "find_branch",
    "from_branch",
    "has_branch",
    "holders",
    "step_nodes",
]

ANY = -1  # the end of a body that may end anywhere
MAX_LENGTH = 8
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


class Branch(NamedTuple):
    """A rule by numbers: x has ``step`` to ``constant`` if it has ``path`` to ``end``."""

    step: int
    constant: int
    path: tuple[int, ...]
    end: int


class Branches(NamedTuple):
    """Many of them: step, constant, end (n,), and path (n, longest), -1 behind the last step."""

    step: Ints
    constant: Ints
    path: Ints
    end: Ints

    @classmethod
    def of(cls, branches: Sequence[Branch]) -> Branches:
        """Arrange them as arrays."""
        longest = max((len(b.path) for b in branches), default=1)
        path = np.full((len(branches), longest), -1, np.int32)
        for row, branch in zip(path, branches, strict=True):
            row[: len(branch.path)] = branch.path
        step, constant, end = (
            np.array([getattr(b, name) for b in branches], np.int32)
            for name in ("step", "constant", "end")
        )
        return cls(step, constant, path, end)


def entity_names(graph: KnowledgeGraph) -> Sequence[str]:
    """Return the names of the entities, or their ids if the graph has no names."""
    if graph.entities is not None:
        return graph.entities.names
    return tuple(map(str, range(graph.n_entities)))


def entity_ids(graph: KnowledgeGraph) -> Mapping[str, int]:
    """Return the ids of the entities by the names that :func:`entity_names` gives them."""
    if graph.entities is not None:
        return graph.entities.ids
    return {name: i for i, name in enumerate(entity_names(graph))}


def encode_branch(rule: Rule, relations: Mapping[str, int], entities: Mapping[str, int]) -> Branch:
    """Return a rule with a constant in its head by numbers.

    Raises
    ------
    UnknownRelation, UnknownEntity
        The graph has no such relation or entity.
    InvalidParameter
        The body is not a chain, or has more than eight atoms.
    """
    walked, end = rule.branch
    if len(walked) > MAX_LENGTH:
        raise InvalidParameter(
            f"{len(walked)} body atoms in {rule.clause[:120]}", remedy=f"use at most {MAX_LENGTH}"
        )
    for atom in (rule.head, *rule.body):
        if atom.relation not in relations:
            raise UnknownRelation.of(atom.relation, relations)
        for term in atom.terms:
            if isinstance(term, Constant) and term.name not in entities:
                unknown = UnknownEntity.of(term.name, entities)
                if term.name[:1].isupper():
                    unknown.remedy = (
                        f"{unknown.remedy}; a variable is one capital letter, which digits may "
                        "follow"
                    )
                raise unknown
    n = len(relations)
    mirrored = isinstance(rule.head.subject, Constant)
    constant = rule.head.subject if mirrored else rule.head.object
    assert isinstance(constant, Constant)
    return Branch(
        relations[rule.head.relation] + n * mirrored,
        entities[constant.name],
        tuple(relations[name] + n * inverse for name, inverse in walked),
        entities[end.name] if isinstance(end, Constant) else ANY,
    )


def from_branch(branch: Branch, relations: Sequence[str], entities: Sequence[str]) -> Rule:
    """Return the rule that :func:`encode_branch` reads, with canonical variables."""
    n = len(relations)
    mirrored = branch.step >= n
    variable = "Y" if mirrored else "X"
    stops: list[str | Constant] = [variable, *(f"Z{i}" for i in range(len(branch.path)))]
    if branch.end != ANY:
        stops[-1] = Constant(entities[branch.end])
    body = tuple(
        Atom(relations[step % n], *((after, before) if step >= n else (before, after)))
        for step, before, after in zip(branch.path, stops[:-1], stops[1:], strict=True)
    )
    ends = variable, Constant(entities[branch.constant])
    head = Atom(relations[branch.step % n], *(ends[::-1] if mirrored else ends))
    return Rule(head, body).canonical()


@kernel
def find_branch(indptr, relation, neighbour, path, x, constant, end, gone, bit, at):  # type: ignore[no-untyped-def]
    """Return whether a chain of distinct entities leads from x along ``path`` to ``end``.

    IN  the WalkIndex; path (length,); end may be ANY; no entity between is the constant or the end
        gone (n_entries,): entries with ``bit`` are not walked; looked at where bit is not 0
    OUT at (≥ length,): the entries of the chain
    """
    length = len(path)
    if x in (constant, end):
        return False
    node = np.empty(length, np.int32)  # node[d]: the entity reached after d steps
    node[0] = x
    at[0] = first_at_least(relation, neighbour, indptr[x], indptr[x + 1], path[0], 0)
    d = 0
    while d >= 0:
        u = node[d]
        row_end = indptr[u + 1]
        if d == length - 1 and end >= 0:
            at[d] = first_at_least(relation, neighbour, indptr[u], row_end, path[d], end)
            last = at[d] < row_end and relation[at[d]] == path[d] and neighbour[at[d]] == end
            if last and (bit == 0 or gone[at[d]] & bit == 0):
                return True
            d -= 1
            if d >= 0:
                at[d] += 1
            continue
        if at[d] >= row_end or relation[at[d]] != path[d]:
            d -= 1
            if d >= 0:
                at[d] += 1
            continue
        v = neighbour[at[d]]
        taken = v in (constant, end) or (bit != 0 and gone[at[d]] & bit != 0)
        for k in range(d + 1):
            taken = taken or node[k] == v
        if taken:
            at[d] += 1
            continue
        if d == length - 1:
            return True
        d += 1
        node[d] = v
        at[d] = first_at_least(relation, neighbour, indptr[v], indptr[v + 1], path[d], 0)
    return False


@kernel
def has_branch(indptr, relation, neighbour, path, x, constant, end):  # type: ignore[no-untyped-def]
    """Return whether there is such a chain; see ``find_branch``."""
    at = np.empty(len(path), np.int64)
    return find_branch(indptr, relation, neighbour, path, x, constant, end, neighbour, 0, at)


def step_nodes(index: WalkIndex) -> tuple[Longs, Ints]:
    """List the entities that have each step: of step s those from ``ptr[s]`` to ``ptr[s + 1]``."""
    n_steps = 2 * index.n_relations
    node = np.repeat(np.arange(index.n_entities, dtype=np.int32), np.diff(index.indptr))
    new = np.ones(len(node), bool)
    new[1:] = (node[1:] != node[:-1]) | (index.relation[1:] != index.relation[:-1])
    step, node = index.relation[new], node[new]
    ptr = np.zeros(n_steps + 1, np.int64)
    np.cumsum(np.bincount(step, minlength=n_steps), out=ptr[1:])
    return ptr, node[np.argsort(step, kind="stable")]


@kernel
def holders(  # type: ignore[no-untyped-def]
    indptr, relation, neighbour, n_relations, step_ptr, step_node,
    path, constant, end, stamp, mark, levels,
):  # fmt: skip
    """Collect the entities for which a body holds in ``levels[0]``; return their number.

    IN  the WalkIndex; step_nodes; a body
        stamp (n_entities,), mark (1,), levels (2, n_entities): scratch
    """
    size = 0
    if end >= 0:  # backwards from the end, then checked one by one
        levels[0, 0] = end
        size = 1
        for d in range(len(path) - 1, -1, -1):
            back = path[d] - n_relations if path[d] >= n_relations else path[d] + n_relations
            mark[0] += 1
            size = expand(
                indptr, relation, neighbour, levels[0], size, back, stamp, mark[0], levels[1]
            )
            levels[0, :size] = levels[1, :size]
    else:
        for i in range(step_ptr[path[0]], step_ptr[path[0] + 1]):
            levels[0, size] = step_node[i]
            size += 1
    n = 0
    for i in range(size):
        x = levels[0, i]
        if len(path) == 1 and end >= 0:
            holds = x not in (constant, end)
        else:
            holds = has_branch(indptr, relation, neighbour, path, x, constant, end)
        if holds:
            levels[0, n] = x
            n += 1
    return n


@kernel
def _count(  # type: ignore[no-untyped-def]
    indptr, relation, neighbour, n_relations, step_ptr, step_node,
    step, constant, path, end, counts,
):  # fmt: skip
    """Count bodies.

    IN  the WalkIndex; step_nodes; Branches
    OUT counts (n, 3): support, body count, PCA body
    """
    n = len(indptr) - 1
    stamp = np.zeros(n, np.int64)
    mark = np.zeros(1, np.int64)
    levels = np.empty((2, n), np.int32)
    for i in range(len(step)):
        length = 0
        while length < path.shape[1] and path[i, length] >= 0:
            length += 1
        if length == 1 and path[i, 0] == step[i] and end[i] == constant[i]:
            continue
        size = holders(
            indptr, relation, neighbour, n_relations, step_ptr, step_node,
            path[i, :length], constant[i], end[i], stamp, mark, levels,
        )  # fmt: skip
        counts[i, 1] = size
        for k in range(size):
            x = levels[0, k]
            last = indptr[x + 1]
            at = first_at_least(relation, neighbour, indptr[x], last, step[i], 0)
            if at < last and relation[at] == step[i]:
                counts[i, 2] += 1
                at = first_at_least(relation, neighbour, at, last, step[i], constant[i])
                if at < last and relation[at] == step[i] and neighbour[at] == constant[i]:
                    counts[i, 0] += 1


def count_branches(index: WalkIndex, branches: Iterable[Branch]) -> Longs:
    """Count rules about one entity.

    Returns
    -------
    int64 array, shape (n, 3)
        Support, body count and PCA body.
    """
    arrays = Branches.of(list(branches))
    counts = np.zeros((len(arrays.step), 3), np.int64)
    _count(*index, *step_nodes(index), *arrays, counts)
    return counts
