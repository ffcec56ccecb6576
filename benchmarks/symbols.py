"""What asking 10,000 candidate structures costs: canonical form, filter, features.

    python benchmarks/symbols.py

One thread; random cells of {−4 … 4}, as the evolutionary search mutates them.
"""

from __future__ import annotations

import numpy as np
from common import best_of, record

from parsimony.knowledge.symbol_canonical import canonical_keys
from parsimony.knowledge.symbol_patterns import degenerate, srf

CANDIDATES = 10_000


def main() -> None:
    rows = np.random.default_rng(0).integers(-4, 5, (CANDIDATES, 4, 4)).astype(np.int8)
    seconds = {
        "canonical form": best_of(lambda: canonical_keys(rows), 3),
        "filter by generic rank and idle chunks": best_of(lambda: degenerate(rows), 3),
        "features": best_of(lambda: srf(rows), 3),
    }
    record(
        "symbols",
        {
            "candidates": CANDIDATES,
            "seconds": seconds,
            "seconds in all": sum(seconds.values()),
            "orbits": len(np.unique(canonical_keys(rows))),
            "degenerate": int(degenerate(rows).sum()),
        },
    )


if __name__ == "__main__":
    main()
