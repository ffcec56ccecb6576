"""What drug pairs hold before anything is learned: counts, leaks, what drugs lack."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from parsimony.ddi.data import DDIData
from parsimony.ddi.leaks import find_leaks, molecules
from parsimony.ddi.task import SETTINGS, DDIOptions, DDITask
from parsimony.errors import DataError, EmptySplit

__all__ = ["audit", "render"]

_LISTED = 5  # names that a line of the report lists


def audit(data: DDIData) -> dict[str, Any]:
    """Describe drug pairs and what could make scores on them too good.

    Returns
    -------
    dict
        JSON-able: ``name``, ``source``, ``counts`` (drugs, types and the rows of every split),
        ``drugs`` (``without_structure``, ``shared_names``: names that several drugs go by,
        ``same_molecule``: drugs that are another one by structure or external id, ``unused``),
        ``conflicts`` (rows of one ordered pair with several types; 0 where pairs have several
        labels), ``leaks`` (a list, of every setting and split; ``refused`` where a fit refuses the
        setting), ``notes``.
    """
    bits = data.fingerprints
    bare = [
        drug
        for drug in range(data.n_drugs)
        if not (data.smiles[drug] if bits is None else bits[drug].any())
    ]
    rows = np.concatenate(list(data.pairs.values()))
    same = molecules(data)
    found, notes = [], list(data.notes)
    for setting in _settings(data):
        try:
            task = DDITask(data, DDIOptions(setting=setting))
        except EmptySplit:
            continue
        except DataError as error:
            found.append({"setting": setting, "refused": error.message})
            notes.append(f"{setting} is refused: {error.message}")
            continue
        for split in ("valid", "test"):
            if task.has(split):
                leaks = find_leaks(task, split)
                found.append({"setting": setting, **leaks.as_dict()})
                notes += leaks.notes()
    return {
        "name": data.name,
        "source": data.source,
        "counts": {
            "drugs": data.n_drugs,
            "types": data.n_types,
            **{split: len(part) for split, part in data.pairs.items()},
        },
        "drugs": {
            "without_structure": [data.label(drug) for drug in bare],
            "shared_names": {
                name: [data.drugs.name(drug) for drug in drugs]
                for name, drugs in data.drug_names.shared().items()
            },
            "same_molecule": [
                [data.label(int(same[drug])), data.label(drug)]
                for drug in np.flatnonzero(same != np.arange(data.n_drugs)).tolist()
            ],
            "unused": int(data.n_drugs - len(np.unique(rows[:, [0, 2]]))),
        },
        "conflicts": 0 if data.multilabel else _conflicts(rows),
        "leaks": found,
        "notes": notes,
    }


def _settings(data: DDIData) -> list[Any]:
    """The settings that the splits name; where they name none, the one that the pairs are of."""
    named = [s for s in SETTINGS if {f"valid_{s}", f"test_{s}"} & set(data.pairs)]
    return named or [DDITask(data).setting]


def _conflicts(rows: np.ndarray) -> int:
    """Count the ordered pairs that have several types."""
    distinct = np.unique(rows, axis=0)
    pairs = Counter(map(tuple, distinct[:, [0, 2]].tolist()))
    return sum(count > 1 for count in pairs.values())


def render(report: dict[str, Any]) -> str:
    """Return the report as text."""
    counts, drugs = report["counts"], report["drugs"]
    splits = [f"{split} {n:,}" for split, n in counts.items() if split not in ("drugs", "types")]
    lines = [
        f"{report['name']}: {counts['drugs']:,} drugs, {counts['types']:,} types, "
        f"{drugs['unused']:,} drugs without a pair",
        f"rows: {', '.join(splits)}",
        f"pairs with several types: {report['conflicts']:,}",
        _listed("drugs without a structure", drugs["without_structure"]),
        _listed("names that several drugs go by", drugs["shared_names"]),
        _listed("drugs that are another one", [" = ".join(p) for p in drugs["same_molecule"]]),
    ]
    lines += [
        f"{leak['split']}: {leak['rows']:,} rows, in train {leak['in_train']:,}, in validation "
        f"{leak['in_valid']:,}, repeated {leak['repeated']:,}"
        for leak in report["leaks"]
        if "rows" in leak
    ]
    return "\n".join([*lines, *(f"note: {n.removeprefix('warning: ')}" for n in report["notes"])])


def _listed(what: str, names: Any) -> str:
    first = ", ".join(list(names)[:_LISTED]) + ", …" * (len(names) > _LISTED)
    return f"{what}: {len(names):,}" + f" ({first})" * bool(names)
