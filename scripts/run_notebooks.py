"""Run the notebooks of docs/notebooks as they stand, and keep what they show: ``make notebooks``.

What is kept is made small and equal from run to run: of an output with a table or a page, that
alone; no times of execution, no path of the machine.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "docs" / "notebooks"
# The kernel is to find this source tree, not what else is installed.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
)


def executed(path: Path, folder: Path | str) -> Any:
    """Return a notebook with the outputs of a fresh run in ``folder``; a cell's error is raised."""
    book = nbformat.read(path, as_version=4)
    client = NotebookClient(
        book, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return book


def tidy(book: Any) -> Any:
    """Drop what differs from run to run, and plain texts beside a table."""
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(book.cells):
        cell.id, cell.metadata = f"cell-{number}", {}
        outputs = [o for o in cell.get("outputs", []) if o.get("data", {}).get("text/html") != ""]
        if "outputs" in cell:  # without what a bar has left
            cell.outputs = outputs
        for output in outputs:
            if "text/html" in output.get("data", {}):
                output.data = {"text/html": output.data["text/html"]}
                output.metadata = {}
    return book


if __name__ == "__main__":
    for notebook in sorted(NOTEBOOKS.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as place:
            nbformat.write(tidy(executed(notebook, place)), notebook)
        sys.stdout.write(f"{notebook.name}: {notebook.stat().st_size / 1000:.0f} kB\n")
