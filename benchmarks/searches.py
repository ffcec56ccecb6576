"""Record finished searches: what each found, against the named symbols, and what it cost.

    python benchmarks/searches.py NAME RUN RUN…

RUN is a folder that ``parsimony search`` wrote; several are one search with several seeds. Writes
``results/search-NAME.json``: the best symbol of each, the comparison at equal size with intervals
and paired differences, the evidence for rungs and predictor, and the search's cost in trainings of
one model. The drawing of the first run's symbols goes to ``results/search-NAME.png``.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from common import RESULTS, record

from parsimony.errors import UsageError

KEPT = ("best", "trials", "algorithm", "ladder", "comparison", "named", "predictor", "rungs")


def described(run: Path) -> dict[str, Any]:
    """What a search folder says, without where it lies."""
    found = run / "search.json"
    if not found.exists():
        raise UsageError(f"{run} holds no finished search", remedy="parsimony search DATA")
    summary = json.loads(found.read_text(encoding="utf-8"))
    head = json.loads((run / "search" / "trials.jsonl").read_text(encoding="utf-8").split("\n")[0])
    table = {name: summary[name] for name in KEPT}
    for row in table["comparison"]:
        del row["run"]
    one = max(row["seconds"] for row in table["comparison"])
    seconds = summary["seconds"]
    return {
        "subject": head,
        **table,
        "seconds": seconds,
        "search_in_trainings": seconds["search"] / one,
    }


def main(name: str, runs: list[Path]) -> None:
    """Collect and record."""
    result = {"runs": [described(run) for run in runs]}
    sys.argv[2:] = [f"runs/{run.name}" for run in runs]  # not where they lie here
    record(f"search-{name}", result)
    shutil.copy(runs[0] / "symbols.png", RESULTS / f"search-{name}.png")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], [Path(word) for word in sys.argv[2:]])
