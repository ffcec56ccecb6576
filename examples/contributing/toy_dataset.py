"""A dataset of one's own: a folder with train.txt, valid.txt and test.txt, called by a name."""

import tempfile
from pathlib import Path

from parsimony import datasets

FACTS = {
    "train": [("ann", "parent", "bob"), ("bob", "parent", "cleo"), ("ann", "grandparent", "cleo"),
              ("dan", "parent", "eve"), ("eve", "parent", "finn"), ("gus", "parent", "hal"),
              ("hal", "parent", "ida"), ("gus", "grandparent", "ida")],
    "valid": [("dan", "grandparent", "finn")],
    "test": [("finn", "parent", "gus")],
}  # fmt: skip


def toy(folder: Path | None = None) -> str:
    """Write the folder, register it, and return its name."""
    folder = folder or Path(tempfile.mkdtemp())
    for split, facts in FACTS.items():
        lines = ["\t".join(fact) + "\n" for fact in facts]
        (folder / f"{split}.txt").write_text("".join(lines), encoding="utf-8")
    datasets.register("toy", folder, summary="three families", licence="CC0")
    return "toy"
