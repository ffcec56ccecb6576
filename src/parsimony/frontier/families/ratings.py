"""Families of ratings of new users."""

from __future__ import annotations

from parsimony.frontier.families.family import Family, Size, d, grown, hidden_units

__all__ = ["ratings"]

_FACTORS = ("lr", "weight_decay", "dropout", "batch")


def ratings() -> list[Family]:
    """Families of ratings of new users."""
    tuned = ("lr", "weight_decay", "dropout", "item_dropout", "batch")
    nets = ((2, 4), (4, 8), (8, 16), (16, 64), (32, 128), (64, 256))
    return [
        Family(
            "closed forms", "knowledge",
            (
                Size("means", "means", {}, 1.0),
                Size("popularity", "popularity", {}, 2.0),
                Size("evidence", "evidence", {}, 9.0),
            ),
            "what others' ratings say of an item: at most nine numbers", main=True,
        ),
        Family(
            "ridge per user", "knowledge",
            grown(
                "ridge-head", "dim", (2, 4, 8, 16, 32, 64, 128),
                lambda n: f"{n} singular vectors", each=1e3,
            ),
            "singular vectors of the ratings, and a ridge regression for each new user", main=True,
        ),
        Family(
            "ColdNAS", "knowledge",
            tuple(
                Size(
                    f"{d(dim)}, {hidden_units(h)}", "coldnas",
                    {"dim": dim, "hidden": (h, max(h // 2, 1), max(h // 4, 1)), "context": dim * 2},
                    1e3 * dim + 10 * h * dim, tuned,
                )
                for dim, h in nets
            ),
            "a network whose layers a user's ratings modulate by a searched formula", main=True,
        ),
        Family(
            "factorisation machine", "scaled",
            grown("fm", "dim", tuple(2**i for i in range(10)), d, tuned=_FACTORS, each=1e3),
            "vectors of the item and of the rated ones, all pairs of features", main=True,
        ),
        Family(
            "MLP", "scaled",
            tuple(
                Size(f"{d(dim)}, {hidden_units(4 * dim)}", "rating-mlp",
                     {"dim": dim, "units": 4 * dim}, 1e3 * dim, _FACTORS)
                for dim in (1, 2, 4, 8, 16, 32, 64, 128, 256)
            ),
            "the same vectors through two hidden layers that grow with them", main=True,
        ),
    ]  # fmt: skip
