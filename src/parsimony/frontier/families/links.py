"""Families of link prediction."""

from __future__ import annotations

from parsimony.frontier.families.family import POWERS, Family, Size, d, grown

__all__ = ["links"]

_REASONER = ("lr", "dropout", "weight_decay", "batch", "fact_ratio", "activation")
_EMBEDDING = ("lr", "dura", "n3", "relation_weight", "input_dropout", "batch")
_DISTANCE = ("lr", "n3", "dropout", "reciprocal", "batch")
_WIDTHS = (4, 8, 16, 32, 64, 128)


def links() -> list[Family]:
    """Families of link prediction."""
    deeper = ((8, 2), (16, 3), (32, 3), (64, 4), (128, 4), (256, 5))
    passing = tuple(
        Size(
            f"{layers} layers, d = {dim}", "redgnn",
            {
                "dim": dim, "n_layers": layers, "relative": False,
                "attention_dim": max(5, dim // 8),
            },
            layers * (100.0 * dim + dim * dim) + 6 * dim * dim, _REASONER,
        )
        for dim, layers in deeper
    )  # fmt: skip
    return [
        Family(
            "rules", "knowledge",
            grown(
                "rules", "per_relation", (1, 3, 10, 30, 100, 300, 1000),
                lambda n: f"{n:,} rule{'s' * (n != 1)} per relation",
                tuned=("max_length", "min_support", "min_confidence"),
            ),
            "path rules counted on the facts, so many of each relation at most", main=True,
        ),
        Family(
            "RED-GNN", "knowledge",
            grown("redgnn", "dim", _WIDTHS, d, tuned=_REASONER, each=1e3),
            "walks from the head, as many steps as the graph needs to join its facts again",
            main=True,
        ),
        Family(
            "AdaProp", "knowledge",
            grown("adaprop", "dim", _WIDTHS, d, tuned=_REASONER, each=1e3),
            "RED-GNN with learned pruning of the entities that a step goes on from",
        ),
        Family(
            "chosen symbol", "knowledge",
            grown(
                "bilinear", "dim", (4, 8, 16, 32, 64), d, tuned=("symbol", *_EMBEDDING), each=1e3,
                symbol="Analogy",
            ),
            "a small bilinear model whose structure is chosen among the named symbols",
            unseen=False,
        ),
        Family(
            "ComplEx", "scaled", grown("complex", "dim", POWERS, d, tuned=_EMBEDDING, each=1e3),
            "with DURA, N3 and relation prediction; reciprocal relations", main=True, unseen=False,
        ),
        Family(
            "RotatE", "scaled", grown("rotate", "dim", POWERS, d, tuned=_DISTANCE, each=1e3),
            "with N3, trained against all entities", unseen=False,
        ),
        Family(
            "DistMult", "scaled", grown("distmult", "dim", POWERS, d, tuned=_EMBEDDING, each=1e3),
            "with DURA, N3 and relation prediction; reciprocal relations", main=True, unseen=False,
        ),
        Family(
            "AutoSF's symbol", "scaled",
            grown(
                "bilinear", "dim", POWERS, d, tuned=_EMBEDDING, each=1e3, symbol="AutoSF-FB15k-237"
            ),
            "the symbol that AutoSF published for FB15k-237, with DURA, N3 and relation prediction",
            unseen=False,
        ),
        Family(
            "message passing", "scaled", passing,
            "no embedding of entities: RED-GNN's recursion over all entities that a walk reaches, "
            "widened and deepened together; no pruning, no depth chosen by the graph, no vectors "
            "of their own for edges of the relation that is asked for (in the manner of NBFNet, "
            "whose Bellman-Ford recursion it shares; NBFNet aggregates by PNA, this by attention)",
            main=True,
        ),
    ]  # fmt: skip
