"""What every few-shot method of molecules can do once it adapts to a support.

A subclass learns from the training tasks (``_learn``), represents molecules (``_represent``: once
for all molecules of the data, or for those of a user) and adapts to a labelled support
(``_adapt``), which gives an :class:`Adapted` that scores molecules. Everything else – episodes,
measures, calibration, ``adapt`` for a user's own molecules, run folders – is here.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from parsimony.base import Estimator
from parsimony.errors import EmptySplit, InvalidParameter
from parsimony.molecules.calibration import BalancedCalibration, nearest
from parsimony.molecules.evaluation import EpisodeScores, measure_episodes
from parsimony.molecules.task import MoleculeTask
from parsimony.run.cost import Cost
from parsimony.run.folder import RunFolder
from parsimony.run.restoring import restoring

__all__ = ["Adapted", "FewShotEstimator"]

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
LEARNED = "few_shot.json"


class Adapted(ABC):
    """A model that has adapted to one support.

    Attributes
    ----------
    parameters : int
        Numbers that were fitted to the support, or computed from it for this task alone.
    """

    parameters: int = 0

    @abstractmethod
    def score(self, molecules: IntArray) -> FloatArray:
        """Log-odds-like scores (n,) of molecules, by their rows in the representation."""

    def weights(self, molecules: IntArray) -> FloatArray | None:
        """Weights (n, n_support) that each molecule's answer gives the supports.

        None where the method has none: then the supports' similarity is the reason.
        """
        return None


class FewShotEstimator(Estimator):
    """Measure, adapt and persist over ``_learn``, ``_represent`` and ``_adapt``."""

    kind = "molecules"
    task_: MoleculeTask
    resolved_: Any
    #: wall seconds of training
    seconds_: float
    #: what the method calls the weights of the supports, where it has them
    weighing: str = ""
    _calibration: dict[int, BalancedCalibration] | None = None
    _represented: Any = None

    # ---- what a method implements ------------------------------------------------------------

    @abstractmethod
    def _learn(
        self,
        *,
        run: RunFolder | None,
        time_budget: float | None,
        device: str,
        quiet: bool,
    ) -> int:
        """Learn from the training tasks of ``task_``; return the number of trained parameters.

        Labels are those of ``task_.train_labels``; choices are made on ``task_.valid_tasks``, for
        which :meth:`validate` measures. Sets ``history_``, ``best_epoch_`` and ``ended_`` where it
        is iterated.
        """

    @abstractmethod
    def _represent(self, smiles: Sequence[str]) -> Any:
        """Whatever ``_adapt`` needs of molecules, in their order, without any label."""

    @abstractmethod
    def _adapt(self, represented: Any, support: IntArray, labels: npt.NDArray[np.int8]) -> Adapted:
        """Adapt to a support.

        Parameters
        ----------
        represented
            What ``_represent`` gave.
        support
            Rows of the support in it, (n,).
        labels
            0 or 1, (n,); both occur.
        """

    @abstractmethod
    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Named arrays of the trained model."""

    @abstractmethod
    def _restore(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        """Become fitted from what ``_tensors`` gave, with ``task_`` and ``resolved_`` set."""

    # ---- fitting -----------------------------------------------------------------------------

    def prepare(self, task: MoleculeTask, *, epochs: int | None = None) -> dict[str, Any]:
        """Resolve the parameters for a task; returns what config.toml will hold."""
        given = self.parameters.model_dump(include=self.parameters.model_fields_set)
        if epochs is not None and "epochs" in type(self.parameters).model_fields:
            given["epochs"] = epochs
        self.task_, self.resolved_ = task, self._validate(given)
        self._forget()
        return self.config()

    def _forget(self) -> None:
        """Drop what was computed with an earlier state of the model."""
        self._calibration, self._represented = None, None

    def fit(
        self,
        task: MoleculeTask,
        *,
        run: RunFolder | None = None,
        epochs: int | None = None,
        time_budget: float | None = None,
        device: str = "cpu",
        quiet: bool = True,
        **_: Any,
    ) -> Self:
        """Learn from the training tasks; with a run folder, checkpoints go there.

        Raises
        ------
        MissingExtra
            RDKit, or another library that the method needs, is not installed.
        """
        self.prepare(task, epochs=epochs)
        self.history_: list[dict[str, Any]] = []
        self.best_epoch_, self.ended_, self.parameters_count_ = 0, "", 0
        kept = None if run is None else run.load_checkpoint()
        previous = {} if kept is None else kept[0].get("ledger", {})
        self.cost_ = Cost(parameters=0, labels=task.n_labels, previous=previous)
        self.parameters_count_ = self._learn(
            run=run, time_budget=time_budget, device=device, quiet=quiet
        )
        self.cost_.parameters = self.parameters_count_
        self._forget()
        self.seconds_ = self.cost_.as_dict()["wall_seconds"]
        return self

    # ---- measuring ---------------------------------------------------------------------------

    def _molecules(self) -> Any:
        """The representation of all molecules of the data, computed once for a trained state."""
        if self._represented is None:
            self._represented = self._represent(self.task_.data.smiles)
        return self._represented

    def scored(
        self, split: str, shots: int, *, episodes: int | None = None, seed: int = 0,
        quiet: bool = True,
    ) -> EpisodeScores:  # fmt: skip
        """Score all queries of the episodes of a split.

        Raises
        ------
        EmptySplit
            No task of the split has more than ``shots`` molecules of either class.
        """
        self._require_fitted()
        represented = self._molecules()
        return measure_episodes(
            self.task_, split, shots,
            lambda support, labels: self._adapt(represented, support, labels),
            episodes=episodes, seed=seed, quiet=quiet,
        )  # fmt: skip

    def validate(self, *, episodes: int | None = None, seed: int = 0, fresh: bool = True) -> float:
        """Mean ROC-AUC over the validation tasks and all shots, for choosing while learning.

        Parameters
        ----------
        episodes, seed
            Of the supports; by default those of :meth:`evaluate`.
        fresh
            Represent the molecules anew, as is needed when weights have changed.
        """
        if fresh:
            self._represented = None
        found = [
            self.scored("valid", shots, episodes=episodes, seed=seed).roc_auc
            for shots in self.task_.options.shots
            if len(self.task_.drawable("valid", shots))
        ]
        return float(np.mean(found)) if found else 0.0

    def evaluate(self, split: str = "test", *, seed: int = 0, quiet: bool = True) -> dict[str, Any]:
        """Measure over the seeded episodes of a split, for every number of shots.

        Returns
        -------
        dict
            ``split``; ``metrics``: ``roc_auc`` (the mean over the shots) and ``roc_auc@K`` for K
            shots, each the mean over tasks and episodes of the ROC-AUC over all remaining
            molecules; ``std``: the same names, standard deviation over episodes of the mean over
            tasks; ``shots``: for every K ``per_task`` and the table ``roc_auc`` (episodes, tasks)
            that paired tests need; ``episodes, n_queries, adapted_parameters, trained_parameters,
            seconds_per_task`` and ``seconds``.

        Raises
        ------
        EmptySplit
            The split has no task that episodes can be drawn of.
        """
        self._require_fitted()
        if split not in ("valid", "test"):
            raise InvalidParameter(
                f"split must be 'valid' or 'test'. Got {split!r}", remedy="--split test"
            )
        if not self.task_.has(split):
            raise EmptySplit(
                f"no {split} task has enough molecules of either class",
                remedy="name tasks in task_splits.json, or ask with fewer shots",
            )
        begin = time.perf_counter()
        parts = {
            shots: self.scored(split, shots, seed=seed, quiet=quiet)
            for shots in self.task_.options.shots
            if len(self.task_.drawable(split, shots))
        }
        if split == "valid":
            self._calibration = {k: BalancedCalibration.learn(part) for k, part in parts.items()}
        calibration = self.calibration
        metrics = {f"roc_auc@{shots}": part.roc_auc for shots, part in parts.items()}
        measured = {}
        for shots, part in parts.items():
            measured[str(shots)] = part.as_dict(self.task_.data.task_names)
            if calibration:
                measured[str(shots)]["calibration"] = part.calibration(
                    nearest(calibration, shots), self.task_.prevalence
                )
        return {
            "split": split,
            "metrics": {"roc_auc": float(np.mean(list(metrics.values()))), **metrics},
            "std": {f"roc_auc@{shots}": part.std for shots, part in parts.items()},
            "shots": measured,
            "episodes": self.task_.options.episodes,
            "n_queries": sum(part.n_queries for part in parts.values()),
            "adapted_parameters": max(part.adapted_parameters for part in parts.values()),
            "trained_parameters": self.parameters_count_,
            "seconds_per_task": max(part.seconds_per_task for part in parts.values()),
            "seconds": time.perf_counter() - begin,
        }

    @property
    def calibration(self) -> dict[int, BalancedCalibration]:
        """What turns scores into probabilities, by shots; learned on the validation tasks."""
        if self._calibration is None:
            self._calibration = {
                shots: BalancedCalibration.learn(self.scored("valid", shots))
                for shots in self.task_.options.shots
                if len(self.task_.drawable("valid", shots))
            }
        return self._calibration

    def knowledge(self, top: int | None = None, *, quiet: bool = True) -> list[Any]:
        """These methods have no rules to read out."""
        return []

    # ---- a user's own molecules --------------------------------------------------------------

    def adapt(
        self,
        support: Sequence[str],
        labels: Sequence[int],
        queries: Sequence[str],
        *,
        prevalence: float | None = None,
        top: int = 3,
    ) -> dict[str, Any]:
        """Adapt to labelled molecules and predict others.

        Parameters
        ----------
        support, labels
            SMILES and 0 (inactive) or 1 (active); both must occur.
        queries
            SMILES to be predicted.
        prevalence
            Expected share of active molecules among the queries, in (0, 1); by default the mean
            share in the training tasks.
        top
            How many supports each answer names.

        Returns
        -------
        dict
            ``{"predictions": [{"smiles", "probability", "score", "known", "reasons": [{"support",
            "smiles", "label", "similarity", "weight"}]}], "adapted_parameters", "seconds",
            "prevalence", "calibration", "weighing", "notes"}``. ``score`` is uncalibrated; a query
            that is in the support is answered by its measured label (``known``).

        Raises
        ------
        FormatError
            A SMILES that cannot be read, with its position; a label neither 0 nor 1; the same
            molecule with both labels.
        InvalidParameter
            A support of one class only, no query, or a prevalence outside (0, 1).
        """
        from parsimony.molecules.adapt import adapt_molecules

        self._require_fitted()
        return adapt_molecules(self, support, labels, queries, prevalence, top)

    # ---- persistence -------------------------------------------------------------------------

    def write(self, run: RunFolder) -> None:
        """Write model, data and calibration into an open run folder."""
        self.task_.save(run.path / "data")
        run.save_model(self._tensors())
        found = {str(k): v.as_dict() for k, v in self.calibration.items()}
        learned = {
            "trained_parameters": self.parameters_count_,
            "chosen": self.resolved_.model_dump(exclude_none=True, mode="json"),
            "calibration": found,
        }
        run.write_json(LEARNED, learned)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a run folder.

        Raises
        ------
        MissingRun, CorruptRun, RunVersionError
            Not a run folder, a damaged one, or one of another version.
        """
        run = RunFolder.open(Path(path))
        self = cls(**run.config["parameters"])
        self.prepare(MoleculeTask.load(run.path / "data", run.config["options"]))
        tensors = run.load_model()
        kept = run.read_json(LEARNED)
        with restoring(run):
            self.resolved_ = self._validate(kept["chosen"])
            self._restore(tensors)
            self._forget()
            self.parameters_count_ = int(kept["trained_parameters"])
            self._calibration = {
                int(k): BalancedCalibration(**v) for k, v in kept["calibration"].items()
            }
        return self
