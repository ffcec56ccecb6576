"""Families of drug–drug interactions."""

from __future__ import annotations

from parsimony.frontier.families.family import Family, Size, d, grown, hidden_units

__all__ = ["pairs"]


def pairs() -> list[Family]:
    """Families of drug–drug interactions."""
    flow = ((4, 0), (8, 0), (16, 0), (32, 0), (32, 16), (64, 128))
    tuned = ("lr", "dropout", "fingerprint_dropout", "neighbour_edges", "batch")
    mlp = ("lr", "weight_decay", "dropout", "input_dropout", "batch")
    hidden = (1, 4, 16, 64, 256, 1024, 4096)
    return [
        Family(
            "similar drugs", "knowledge", (Size("nearest neighbours", "neighbours", {}, 1.0),),
            "what drugs of similar structure interact with: nothing is trained", main=True,
        ),
        Family(
            "walks", "knowledge",
            grown(
                "walks", "max_metapaths", (10, 30, 100, 300, 1000, 3000),
                lambda n: f"{n:,} metapaths", tuned=("neighbour_edges", "balance"),
            ),
            "a sparse logistic model on counts of walks between the two drugs", main=True,
        ),
        Family(
            "EmerGNN", "knowledge",
            tuple(
                Size(
                    ", ".join([d(dim), hidden_units(units)][: 1 + bool(units)]), "emergnn",
                    {"dim": dim, "hidden": units}, 1e3 * dim + 2e3 * units, tuned,
                )
                for dim, units in flow
            ),
            "flows along the paths between the two drugs in the background graph", main=True,
        ),
        Family(
            "MLP", "scaled",
            grown("mlp", "hidden", hidden, hidden_units, tuned=mlp, drug_vectors=False),
            "the fingerprints of both drugs through a hidden layer that grows", main=True,
        ),
        Family(
            "MLP and vectors", "scaled",
            grown("mlp", "hidden", hidden, hidden_units, tuned=mlp, drug_vectors=True),
            "the same with a free vector of each drug that grows with the layer; of a drug without "
            "training pairs it stays zero",
        ),
    ]  # fmt: skip
