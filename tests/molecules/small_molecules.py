"""Carbon chains with a group at either end; a task asks for one group."""

from __future__ import annotations

import csv
import itertools
import json

import numpy as np

from parsimony.molecules.data import MoleculeData

GROUPS = {"alcohol": "O", "amine": "N", "chloride": "Cl", "thiol": "S", "fluoride": "F",
          "nitrile": "N#C"}  # fmt: skip
LENGTHS = range(1, 7)


def chains() -> MoleculeData:
    """126 molecules, six tasks; every seventh label of a task was not measured."""
    smiles, labels = [], []
    for a, b in itertools.combinations_with_replacement(GROUPS, 2):
        for n in LENGTHS:
            end = {"nitrile": "C#N"}.get(b, GROUPS[b])
            smiles.append(GROUPS[a] + "C" * n + end)
            labels.append([int(group in (a, b)) for group in GROUPS])
    table = np.array(labels, np.int8)
    table.reshape(-1)[::7] = -1
    return MoleculeData(
        "chains", tuple(smiles), table, tuple(GROUPS), np.arange(4), np.array([4, 5])
    )  # fmt: skip


def write_csv(data: MoleculeData, folder, *, splits=True):
    """Write ``chains.csv`` and ``task_splits.json`` as a user would; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{data.name}.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["smiles", *data.task_names])
        for text, row in zip(data.smiles, data.labels.tolist(), strict=True):
            writer.writerow([text, *["" if label < 0 else label for label in row]])
    if splits:
        parts = {"train_tasks": data.train_tasks, "test_tasks": data.test_tasks}
        names = {k: [data.task_names[t] for t in tasks] for k, tasks in parts.items()}
        (folder / "task_splits.json").write_text(json.dumps(names))
    return path
