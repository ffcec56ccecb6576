"""A part of a graph: the facts among walked entities, of all splits, the same for a seed."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony.errors import EmptySplit, InvalidParameter
from parsimony.graph.vocabulary import Vocabulary
from parsimony.link.data import LinkData
from parsimony.link.subgraph import walked_subgraph

pytestmark = pytest.mark.usefixtures("cache")


def data(n=200, facts=900, valid=100):
    random = np.random.default_rng(0)
    # Entities of low number have many facts; the last ten have none.
    ends = (random.random((facts + 2 * valid, 2)) ** 2 * (n - 10)).astype(np.int32)
    relation = random.integers(0, 5, len(ends), dtype=np.int32)
    rows = np.stack([ends[:, 0], relation, ends[:, 1]], axis=1)
    return LinkData(
        "made", Vocabulary([f"e{i}" for i in range(n)]), Vocabulary(list("abcde"), "relation"),
        rows[:facts], rows[facts : facts + valid], rows[facts + valid :],
        entity_names={"e1": "one"}, registered=True,
    )  # fmt: skip


def named(part, split):
    return {
        (part.entities.name(h), part.relations.name(r), part.entities.name(t))
        for h, r, t in part.triples(split).tolist()
    }


@pytest.mark.parametrize("share", [0.1, 0.4, 1.0])
def test_all_facts_among_the_entities_and_no_others(share):
    whole = data()
    part = walked_subgraph(whole, share, seed=3)
    with_facts = len(np.unique(whole.train[:, [0, 2]]))
    assert part.n_entities == np.ceil(share * with_facts)
    kept = set(part.entities)
    for split in ("train", "valid", "test"):
        among = {f for f in named(whole, split) if f[0] in kept and f[2] in kept}
        assert named(part, split) == among
    assert part.relations == whole.relations
    assert (part.name, part.registered) == (whole.name, True)  # its presets still hold
    assert part.content_hash != whole.content_hash


def test_a_walk_keeps_more_facts_than_a_uniform_sample():
    whole = data()
    kept = [len(walked_subgraph(whole, 0.2, seed=s).train) for s in range(5)]
    assert np.mean(kept) > 2 * 0.2**2 * len(whole.train)


def test_the_seed_is_the_walk():
    whole = data()
    first, again, other = (walked_subgraph(whole, 0.3, seed=s) for s in (1, 1, 2))
    assert first.content_hash == again.content_hash != other.content_hash


def test_a_walk_leaves_a_small_component():
    triples = np.array([[2 * i, 0, 2 * i + 1] for i in range(50)], np.int32)  # pairs
    names, relations = Vocabulary([f"e{i}" for i in range(100)]), Vocabulary(["r"], "relation")
    none = np.empty((0, 3), np.int32)
    whole = LinkData("pairs", names, relations, triples, none, none)
    assert walked_subgraph(whole, 1.0).n_entities == 100


def test_wrong_shares():
    for share in (0, -0.1, 1.1, float("nan")):
        with pytest.raises(InvalidParameter, match="fraction"):
            walked_subgraph(data(), share)
    with pytest.raises(EmptySplit, match="larger fraction"):
        walked_subgraph(data(valid=1), 0.01)
