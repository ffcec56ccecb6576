"""Rows of runs that were never made, whose errors follow laws that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from parsimony.frontier.row import Row, Side, Stratum

SIZES = tuple(4 * 2**k for k in range(8))


def planted_rows(
    folder: Path, *, knowledge: float = 0.03, seeds: int = 3, queries: int = 400, seed: int = 0,
    metric: str = "mrr",
) -> list[tuple[Row, Path]]:  # fmt: skip
    """Rows of a family that scales up by 0.1 + 1.2·N^(−0.4) and of one that has ``knowledge``.

    The latter is what a size of the former has, in units of its largest, and has a hundredth of it.
    """
    random = np.random.default_rng(seed)
    hard = random.normal(0, 0.15, queries)
    amounts = 100.0 * np.array(SIZES)
    found: list[tuple[Row, Path]] = []

    def law(amount: float) -> float:
        return float(0.1 + 1.2 * (amount / 100.0) ** -0.4)

    def add(family: str, side: Side, size: str, amount: float, error: float) -> None:
        for s in range(seeds):
            values = 1 - (error + hard + random.normal(0, 0.1, queries) + random.normal(0, 0.003))
            here = folder / f"{family}-{size}-{s}"
            here.mkdir(parents=True)
            np.save(here / "values.npy", values.astype(np.float32))
            value = float(values.astype(np.float32).mean())
            rare = queries // 4
            parts = {
                "relation: rare": Stratum(float(values[:rare].mean()), rare),
                "relation: common": Stratum(float(values[rare:].mean()), queries - rare),
            }
            found.append((
                Row(
                    family, side, size, "complex", {"dim": 4}, s, 1.0, metric, 1000, int(amount),
                    int(amount / 10), amount * 1e6, amount / 100, amount * 8, amount * 16, 0.0,
                    error * 3, value, 1 - error + float(random.normal(0, 0.003)), "values.npy",
                    parts, "done", "", 4, amount / 100,
                ),
                here,
            ))  # fmt: skip

    for k, amount in enumerate(amounts):
        add("ComplEx", "scaled", f"d = {SIZES[k]}", amount, law(amount))
    for k, share in enumerate((0.002, 0.004, 0.007, 0.01)):
        away = 0.15 * (3 - k) / 3
        add("RED-GNN", "knowledge", f"d = {2 ** (k + 2)}", share * amounts[-1],
            law(knowledge * amounts[-1]) + away)  # fmt: skip
    return found
