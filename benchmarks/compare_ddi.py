"""Compare runs of drug–drug interactions on their test pairs: one table, paired bootstrap.

    python benchmarks/compare_ddi.py NAME RUN RUN…

The first run is held against each of the others over the same draws of emerging drugs. Beside the
whole split stand the pairs whose drugs all have graph edges, and, for the first run, the test with
the interactions of train alone in the graph. Pairs with several labels are measured by PR-AUC and
ROC-AUC against their negatives. Writes ``results/ddi-NAME.json``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from common import record

from parsimony.ddi.calibration import measure_calibration
from parsimony.ddi.emergnn.parameters import EXTENDED, PUBLISHED
from parsimony.ddi.estimator import AnyPairEstimator, PairEstimator
from parsimony.ddi.targets import MulticlassPairs
from parsimony.ddi.task import DDITask
from parsimony.errors import UsageError
from parsimony.methods import load_run, resolve
from parsimony.run import RunFolder
from parsimony.run.renamed import renamed

LINKED = "both drugs have graph edges"


def command(config: dict[str, Any]) -> str:
    """The command of a run, from what differs from the defaults."""
    cls = resolve(config["method"])
    default = cls().parameters.model_dump()
    form = {"form": config["parameters"]["form"]} if "form" in config["parameters"] else {}
    if form:  # what a form fills in is no setting
        default |= PUBLISHED if form["form"] == "published" else EXTENDED
    parameters = renamed(config["parameters"], default)
    given = {k: v for k, v in parameters.items() if _plain(default.get(k)) != _plain(v)}
    chosen = {"power", "smoothing", "embedding"}  # by the fit itself
    settings = config["options"] | {k: v for k, v in given.items() if k not in chosen}
    words = [f"--set {k}={v}" for k, v in settings.items() if v != DEFAULT_OPTIONS.get(k)]
    return (
        f"parsimony fit {config['data']['name'].split('/')[0]} --method {config['method']} "
        + " ".join(words)
    )


DEFAULT_OPTIONS = {"test_graph": "train+valid"}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def scores(estimator: AnyPairEstimator) -> np.ndarray:
    """Probabilities of all types of every test question."""
    return estimator.predict_proba(estimator.task_.targets("test").queries, "test")


def calibration(estimator: AnyPairEstimator, table: np.ndarray) -> dict[str, Any]:
    """What became on the test of what was learned on validation, the diagram's bins left out."""
    learned, targets = estimator.learn_calibration(), estimator.task_.targets("test")
    if learned is None or not isinstance(targets, MulticlassPairs):
        return {}
    found = measure_calibration(learned, table, targets.types, estimator.task_.emerging("test"))
    for name in ("reliability", "reliability_uncalibrated"):
        del found["calibration"][name]
    return found


def main(name: str, folders: list[Path]) -> None:
    """Measure, print and record."""
    table, tables = [], []
    first: AnyPairEstimator | None = None
    for folder in folders:
        estimator = load_run(folder)
        assert isinstance(estimator, PairEstimator)
        targets, cluster = estimator.task_.targets("test"), estimator.task_.emerging("test")
        if first is None:
            first = estimator
        elif not np.array_equal(
            estimator.task_.pairs("test"), first.task_.pairs("test")
        ) or not np.array_equal(targets.queries, first.task_.targets("test").queries):
            raise UsageError("runs of different test pairs", remedy="one split and one setting")
        probabilities = scores(estimator)
        tables.append(probabilities)
        run = RunFolder.open(folder)
        summary, ledger = run.read_json("summary.json"), run.read_json("ledger.json")
        entry: dict[str, Any] = {
            "command": command(run.config),
            "method": estimator.method,
            "parameters": summary["parameters"],
            "fit_seconds": round(summary["seconds"], 1),
            "peak_memory_mib": round(ledger["peak_memory_bytes"] / 2**20),
            "valid": summary["valid"],
            "test": targets.metrics(probabilities),
            "interval": targets.interval(probabilities, cluster),
        } | calibration(estimator, probabilities)
        linked = first.task_.subgroups("test").get(LINKED)
        if linked is not None:
            entry["test_linked"] = {"n": int(linked.sum())} | targets.metrics(probabilities, linked)
        if len(tables) > 1:
            entry["first_is_better_by"] = targets.better_by(tables[0], probabilities, cluster)
        else:
            entry["test_train_only"] = _train_only(estimator)
        table.append(entry)
        shown = {k: round(v, 3) for k, v in entry["test"].items()}
        print(entry["command"], entry["parameters"], shown, entry["fit_seconds"], flush=True)
    sys.argv[2:] = [f"runs/{folder.name}" for folder in folders]  # not where they lie here
    record(f"ddi-{name}", {"runs": table})


def _train_only(estimator: AnyPairEstimator) -> dict[str, float]:
    """The test with the interactions of train alone known meanwhile."""
    task = estimator.task_
    options = task.options.model_copy(update={"test_graph": "train"})
    estimator.task_ = DDITask(
        task.data,
        options,
        task.background,
        linked=task.linked,
        degree=task.degree,
    )
    found = estimator.task_.targets("test").metrics(scores(estimator))
    estimator.task_ = task
    return found


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], [Path(folder) for folder in sys.argv[2:]])
