"""Random multigraphs with all that breaks kernels, and the tolerances of docs/kernels.md."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from parsimony.graph import KnowledgeGraph

#: The only dimensions tests compile kernels for.
DIM, ATTENTION_DIM = 8, 3
DTYPES = (np.float64, np.float32)


class Case(NamedTuple):
    """A graph, the facts that may be walked, and a batch of queries."""

    graph: KnowledgeGraph
    active: np.ndarray
    heads: np.ndarray
    relations: np.ndarray
    rng: np.random.Generator


@st.composite
def cases(draw, min_queries=1, max_queries=5):
    """Isolated nodes, duplicate facts, self-loops, facts that are all inactive, equal queries."""
    n_entities = draw(st.integers(1, 12))
    used = draw(st.integers(1, n_entities))  # the others stay isolated
    n_relations = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(0, 25))
    triples = np.stack(
        [rng.integers(0, used, n), rng.integers(0, n_relations, n), rng.integers(0, used, n)], 1
    )
    if n:
        triples = np.concatenate([triples, triples[rng.integers(0, n, draw(st.integers(0, 4)))]])
        loops = triples[: draw(st.integers(0, 2))].copy()
        loops[:, 2] = loops[:, 0]
        triples = np.concatenate([triples, loops])
    share = draw(st.sampled_from([0.0, 0.5, 0.8, 1.0]))
    active = (rng.random(max(len(triples), 1)) < share).astype(np.uint8)
    queries = draw(st.integers(min_queries, max_queries))
    heads = rng.integers(0, n_entities, queries).astype(np.int32)
    relations = rng.integers(0, 2 * n_relations, queries).astype(np.int32)
    graph = KnowledgeGraph(triples.astype(np.int32), n_entities, n_relations)
    return Case(graph, active, heads, relations, rng)


def assert_close(actual, expected, dtype):
    """1e-8 in float64; in float32 1e-4 of the largest expected number."""
    expected = np.asarray(expected, np.float64)
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    tolerance = 1e-8 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * scale)
