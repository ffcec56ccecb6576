"""What every method of drug–drug interactions can do once it gives types their probabilities."""

from __future__ import annotations

import time
from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.base import Estimator
from parsimony.datasets.ddi_data import DDIData
from parsimony.datasets.fingerprints import BITS, morgan_fingerprints
from parsimony.errors import CorruptRun, InvalidParameter, UsageError
from parsimony.measure import Ledger
from parsimony.measure.classification import (
    METRICS,
    classification_metrics,
    cluster_bootstrap,
)
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.tasks.ddi import DDITask

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.floating]


class PairEstimator(Estimator):
    """Evaluate, predict and persist over ``_probabilities``."""

    kind = "ddi"
    task_: DDITask
    resolved_: Any
    #: wall seconds of training
    seconds_: float
    #: whether the method reads the drugs' structures
    structural: bool = False
    #: whether the method reads the background graph
    graphical: bool = False

    @abstractmethod
    def _probabilities(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        """Probabilities of all types, (n, n_types), for ordered pairs (n, 2).

        ``facts`` are the interactions (drug1, type, drug2) known meanwhile.
        """

    @abstractmethod
    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Named arrays of the model, without the fingerprints."""

    @abstractmethod
    def _restore(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        """Become fitted from what ``_tensors`` gave."""

    # ---- fitting -----------------------------------------------------------------------------

    def prepare(self, task: DDITask, *, epochs: int | None = None) -> dict[str, Any]:
        """Resolve the parameters for a task; returns what config.toml will hold."""
        given = self.parameters.model_dump(include=self.parameters.model_fields_set)
        if epochs is not None and "epochs" in type(self.parameters).model_fields:
            given["epochs"] = epochs
        self.task_, self.resolved_ = task, self._validate(given)
        return self.config()

    def _begin(self, task: DDITask, parameters: int, epochs: int | None = None) -> None:
        """What every fit begins with: the task, the structures and the bill."""
        self.prepare(task, epochs=epochs)
        self.history_: list[dict[str, Any]] = []
        self.best_epoch_ = 0
        self.parameters_count_ = parameters
        self.ledger_ = Ledger(parameters=parameters, labels=task.n_labels)
        if self.structural:
            self.fingerprints_ = fingerprints_of(task.data)

    # ---- measuring ---------------------------------------------------------------------------

    def score(self, pairs: npt.NDArray[Any], split: str = "test") -> FloatArray:
        """Probabilities of all types for ordered pairs (n, 2) of drug numbers: (n, n_types).

        The interactions known meanwhile are those of ``split``.
        """
        self._require_fitted()
        rows = np.ascontiguousarray(np.asarray(pairs, np.int32).reshape(-1, 2))
        return self._probabilities(rows, self.task_.visible(split))

    def asked_alone(self, pairs: IntArray) -> FloatArray:
        """Probabilities (n, n_types) of pairs of the same two drugs, their interactions unseen."""
        facts = self.task_.visible("test")
        own = np.isin(facts[:, [0, 2]], pairs[0]).all(1)
        return self._probabilities(pairs, facts[~own])

    def evaluate(self, split: str = "test", *, seed: int = 0, quiet: bool = True) -> dict[str, Any]:
        """Classify the pairs of a split (design.md §3).

        Returns
        -------
        dict
            ``split, setting, metrics, interval, n_queries, strata`` and ``seconds``; the intervals
            are over draws of the emerging drugs.
        """
        self._require_fitted()
        if split not in ("valid", "test"):
            raise InvalidParameter(
                f"split must be 'valid' or 'test'. Got {split!r}", remedy="--split test"
            )
        rows = self.task_.pairs(split)
        n_types = self.task_.data.n_types
        begin = time.perf_counter()
        with Progress(len(rows), f"classifying {split}", quiet=quiet) as progress:
            guess = self.score(rows[:, [0, 2]], split).argmax(1)
            progress.advance(len(rows))
        seconds = time.perf_counter() - begin
        strata = {
            name: {"n": int(kept.sum())}
            | classification_metrics(rows[kept, 1], guess[kept], n_types)
            for name, kept in self.task_.strata(split).items()
        }
        return {
            "split": split,
            "setting": self.task_.setting,
            "metrics": classification_metrics(rows[:, 1], guess, n_types),
            "interval": cluster_bootstrap(
                rows[:, 1], guess, self.task_.emerging(split), n_types, seed=seed
            ),
            "n_queries": len(rows),
            "strata": strata,
            "seconds": seconds,
            "queries_per_second": len(rows) / seconds,
        }

    def knowledge(self, top: int | None = None, *, quiet: bool = True) -> list[Any]:
        """These methods have no rules to read out."""
        return []

    # ---- predicting --------------------------------------------------------------------------

    def predict(self, drug_a: str, drug_b: str, *, top: int = 5) -> dict[str, Any]:
        """The most probable interactions of two drugs, both orders.

        Parameters
        ----------
        drug_a, drug_b
            Ids, external ids or names, in any case.
        top
            How many answers.

        Returns
        -------
        dict
            ``{"query", "answers": [{"drug1", "drug2", "type", "probability", "text"}], "known":
            [{"split", "text"}]}``; each order's probabilities sum to 1, uncalibrated. ``known``
            lists what the data state of the pair; the method answers without it.

        Raises
        ------
        UnknownDrug
            With the closest name.
        UsageError
            The same drug twice, or top below 1.
        """
        self._require_fitted()
        if top < 1:
            raise UsageError(f"top must be at least 1. Got {top}", remedy="--top 5")
        data = self.task_.data
        a, b = data.drug(drug_a), data.drug(drug_b)
        if a == b:
            raise UsageError(f"{data.label(a)} with itself", remedy="name two drugs")
        table = self.asked_alone(np.array([[a, b], [b, a]], np.int32))
        best = np.argsort(-table.ravel(), kind="stable")[:top]
        answers = []
        for order, kind in zip(*np.unravel_index(best, table.shape), strict=True):
            first, second = ((a, b), (b, a))[int(order)]
            answers.append(
                {
                    "drug1": data.label(first),
                    "drug2": data.label(second),
                    "type": data.types.name(int(kind)),
                    "probability": float(table[order, kind]),
                    "text": data.sentence(first, int(kind), second),
                }
            )
        known = [
            {"split": split, "text": data.sentence(x, kind, y)}
            for split, rows in data.pairs.items()
            for x, kind, y in rows.tolist()
            if (x, y) in ((a, b), (b, a))
        ]
        query = {"drug_a": data.label(a), "drug_b": data.label(b)}
        return {"query": query, "answers": answers, "known": known}

    # ---- persistence -------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        """What config.toml holds of a fitted estimator."""
        data, options = self.task_.data, self.task_.options
        return {
            "method": self.method,
            "task": self.task_.name,
            "data": {"name": data.name, "source": data.source, "hash": data.content_hash},
            "options": options.model_dump(exclude_none=True),
            "parameters": self.resolved_.model_dump(exclude_none=True),
        }

    def save(self, path: Path | str) -> None:
        """Write a complete run folder: model, data, configuration.

        Raises
        ------
        RunExists
            The folder is not empty.
        """
        self._require_fitted()
        with RunFolder.create(Path(path), self.config()) as run:
            self.write(run)

    def write(self, run: RunFolder) -> None:
        """Write model and data into an open run folder."""
        self.task_.save(run.path / "data", graph=self.graphical)
        tensors = self._tensors()
        if self.structural:  # so that loading needs no RDKit
            tensors["fingerprints"] = np.packbits(self.fingerprints_, axis=1)
        run.save_model(tensors)

    @classmethod
    def load(cls, path: Path | str) -> PairEstimator:
        """Read a run folder.

        Raises
        ------
        MissingRun, CorruptRun, RunVersionError
            Not a run folder, a damaged one, or one of another version.
        """
        run = RunFolder.open(Path(path))
        self = cls(**run.config["parameters"])
        self.prepare(DDITask.load(run.path / "data", run.config["options"]))
        tensors = run.load_model()
        try:
            if self.structural:
                self.fingerprints_ = np.unpackbits(tensors["fingerprints"], axis=1)[:, :BITS]
            self._restore(tensors)
        except (KeyError, ValueError, RuntimeError) as error:
            raise CorruptRun(
                f"model.safetensors does not hold this model ({error})",
                remedy="fit again, or restore the run folder",
            ) from None
        return self


def fingerprints_of(data: DDIData) -> npt.NDArray[np.uint8]:
    """Fingerprints (n_drugs, 1,024) that came with the data, else those of its structures."""
    if data.fingerprints is not None:
        return np.unpackbits(data.fingerprints, axis=1)
    return morgan_fingerprints(data.smiles, data.names)


def select(
    estimator: PairEstimator, choices: list[dict[str, Any]], run: RunFolder | None, quiet: bool
) -> dict[str, Any]:
    """Return the choice of parameters with the best macro-F1 on the whole of validation.

    Each choice becomes ``resolved_`` in turn; what was measured goes to ``history_`` and the log.
    """
    task, given = estimator.task_, estimator.resolved_
    if len(choices) == 1 or not task.has("valid"):
        return choices[0]
    rows = task.pairs("valid")
    best: tuple[float, int] | None = None
    with Progress(len(choices), "selecting", quiet=quiet) as progress:
        for i, choice in enumerate(choices):
            estimator.resolved_ = given.model_copy(update=choice)
            guess = estimator.score(rows[:, [0, 2]], "valid").argmax(1)
            found = classification_metrics(rows[:, 1], guess, task.data.n_types)
            record = {"epoch": i + 1, **{f"valid_{m}": found[m] for m in METRICS}, **choice}
            estimator.history_.append(record)
            if run is not None:
                run.log(**record)
            if best is None or found["macro_f1"] > best[0]:
                best = (found["macro_f1"], i)
            progress.advance(1)
    assert best is not None
    estimator.best_epoch_ = best[1] + 1
    return choices[best[1]]
