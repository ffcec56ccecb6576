"""Score drop after deleting the named evidence, against random edges of the same sub-digraph.

    python benchmarks/faithfulness.py RUN [answers] [contribution|attention]

"contribution" (default) names, among the walks of largest attention, those whose facts add most to
the score by its gradient; "attention" names the walks of largest attention alone. Neither looks at
a deletion.

Correct answers (filtered rank 1) of the test split in seeded order; 20 random draws each, as many
edges of the same layers as the evidence has; answers with too little other evidence for that are
counted apart. Reported: the medians over answers and their ratio.
"""

from __future__ import annotations

import sys

import numpy as np
from common import record

from parsimony.base import load_run


def main() -> None:
    run, wanted = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200
    choose = sys.argv[3] if len(sys.argv) > 3 else "contribution"
    estimator = load_run(run)
    data = estimator.task_.test_data
    deleted, random, edges, alone = [], [], [], 0
    for row in np.random.default_rng(0).permutation(len(data.test)):
        if len(deleted) == wanted:
            break
        h, r, t = (int(x) for x in data.test[row])
        found = estimator.explain(
            data.entities.name(h), data.relations.name(r), data.entities.name(t), choose=choose
        )
        measured = found.faithfulness
        if found.rank != 1 or measured is None:
            continue
        if measured.random_drop is None:
            alone += 1
            continue
        deleted.append(measured.deleted_drop)
        random.append(measured.random_drop)
        edges.append(measured.n_deleted)
    drop, other = np.array(deleted), np.array(random)
    sys.argv[1] = "RUN"
    record(
        f"faithfulness-{data.name}-{estimator.method}" + "-attention" * (choose == "attention"),
        {
            "answers": len(drop),
            "answers_not_compared": alone,
            "median_drop_evidence": float(np.median(drop)),
            "median_drop_random": float(np.median(other)),
            "ratio_of_medians": float(np.median(drop) / np.median(other)),
            "share_with_evidence_drop_at_least_5_times_random": float(np.mean(drop >= 5 * other)),
            "share_with_positive_evidence_drop": float(np.mean(drop > 0)),
            "median_edges_deleted": float(np.median(edges)),
        },
    )


if __name__ == "__main__":
    main()
