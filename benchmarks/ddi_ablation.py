"""What each part of EmerGNN is worth: trained without it, compared on validation.

    python benchmarks/ddi_ablation.py FOLDER [SETTING]

Every row changes one thing of ``form=extended`` on DrugBank: random split, seed 0, six epochs,
graph=hetionet+crc+layer. Finished runs in FOLDER are read again instead of trained. Only validation
is compared. Writes ``results/ddi-ablation-SETTING.json``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from common import record

from parsimony.pipeline import fit

GRAPH = "hetionet+crc+layer"
ROWS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "without the DrugBank layer": {"graph": "hetionet+crc"},
    "without any background graph": {"graph": "none"},
    "without label scores of similar drugs": {"neighbour_scores": []},
    "without the structure network": {"hidden": 0},
    "without edges between similar drugs": {"neighbour_edges": 0},
    "drugs drawn as new, not hidden": {"emergence": "simulated"},
    "messages divided by in-degree": {"normalise": "relation", "emergence": "simulated"},
    "more dropout (bits and states .5)": {"fingerprint_dropout": 0.5, "dropout": 0.5},
}


def main(folder: Path, setting: str) -> None:
    """Train what is missing, compare and record."""
    table = []
    for number, (name, changes) in enumerate(ROWS.items()):
        settings = {"setting": setting, "graph": GRAPH, "threads": 1, "validate_every": 1} | changes
        _, summary = fit(
            "drugbank-ddi", "emergnn", out=folder / f"{setting}-{number}", resume=True,
            parameters=settings, epochs=6,
        )  # fmt: skip
        row = {
            "row": name,
            "settings": changes,
            "parameters": summary["parameters"],
            "best_epoch": summary["best_epoch"],
            "valid": summary["valid"],
            "seconds": round(summary["seconds"]),
        }
        table.append(row)
    sys.argv[1] = folder.name  # not where it lies here
    record(f"ddi-ablation-{setting}", {"rows": table})


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "S2")
