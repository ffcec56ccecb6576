"""What reporting the best test point of a training is worth: the leak of the published codes.

    python benchmarks/best_test_point.py [--data tox21 sider] [--methods par pacia]
        [--episodes 3] [--name NAME] [--set KEY=VALUE …]

PAR's and PACIA's published codes measure the test tasks every few steps and report the best of
these points. Here a training is watched in the same way: at every point its validation tasks are
measured, as always, and its test tasks beside them, which nothing else looks at. Three numbers
follow, in ROC-AUC:

* *chosen*: test at the point that validation chose, which is what this library reports;
* *best point*: the greatest mean over all supports, at whichever point that is;
* *best point of each*: every support takes its own best point, as every run of the published codes
  does.

Early stopping is off, so that all see the same points. Writes results/molecules-leak.json, or
molecules-leak-NAME.json.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from common import record

from parsimony.cli.options import parse_settings
from parsimony.methods import resolve
from parsimony.molecules.meta.meta_training import MetaTrained
from parsimony.molecules.task import MoleculeOptions
from parsimony.problems import open_task

POINTS = {"steps": 1000, "validate_every": 100, "patience": 1000}


def watched(data: str, method: str, settings: dict[str, Any], episodes: int) -> dict[str, Any]:
    """Train once; test ROC-AUC (points, episodes, tasks) of every number of shots."""
    begin = time.process_time()
    settings = POINTS | settings
    task: Any = open_task("molecules", data, settings)
    own = {k: v for k, v in settings.items() if k not in MoleculeOptions.model_fields}
    estimator: Any = resolve(method)(**own)
    tables: dict[int, list[Any]] = {shots: [] for shots in task.options.shots}

    def measure(trained: MetaTrained[Any], point: Mapping[str, Any]) -> None:
        for shots, points in tables.items():
            points.append(trained.scored("test", shots, episodes=episodes).table)
        test = {shots: round(float(points[-1].mean()), 4) for shots, points in tables.items()}
        print(data, method, point["epoch"], round(point["valid_roc_auc"], 4), test, flush=True)

    estimator.on_look = measure
    estimator.fit(task)
    steps = [point["epoch"] for point in estimator.history_]
    chosen = steps.index(estimator.best_epoch_)
    return {
        "data": data,
        "method": method,
        "settings": settings,
        "steps": steps,
        "valid": [point["valid_roc_auc"] for point in estimator.history_],
        "chosen_step": steps[chosen],
        "shots": {
            str(shots): compared(np.array(points), steps, chosen)
            for shots, points in tables.items()
        },
        "cpu_seconds": time.process_time() - begin,
    }


def compared(table: Any, steps: list[int], chosen: int) -> dict[str, Any]:
    """The three numbers of a table (points, episodes, tasks)."""
    each = table.mean(2)
    means = each.mean(1)
    found = {
        "chosen": means[chosen],
        "best_point": means.max(),
        "best_point_of_each": each.max(0).mean(),
    }
    return {
        **{name: float(value) for name, value in found.items()},
        "leak": float(found["best_point"] - found["chosen"]),
        "leak_of_each": float(found["best_point_of_each"] - found["chosen"]),
        "best_step": steps[int(means.argmax())],
        "test": means.tolist(),
    }


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["tox21", "sider"])
    parser.add_argument("--methods", nargs="+", default=["par", "pacia"])
    parser.add_argument("--episodes", type=int, default=3, help="supports of every test task")
    parser.add_argument("--name", default="", help="added to the name of the record")
    parser.add_argument("--set", action="append", dest="settings", metavar="KEY=VALUE")
    given = parser.parse_args()
    settings = parse_settings(given.settings)
    trainings = []
    for data in given.data:
        for method in given.methods:
            trainings.append(watched(data, method, settings, given.episodes))
            result = {"episodes": given.episodes, "trainings": trainings}
            record("-".join(filter(None, ["molecules-leak", given.name])), result)


if __name__ == "__main__":
    main()
