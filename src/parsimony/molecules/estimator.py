"""Base class of few-shot methods for molecules.

A subclass learns from the training tasks (``_fit``), computes features of molecules
(``_featurize``: once for all molecules of the data, or for those of a user) and adapts to a
labelled support (``_adapt``), which gives an :class:`~parsimony.molecules.adapted.Adapted` that
scores molecules. Episodes, measures, calibration, ``adapt`` for a user's own molecules and what run
folders hold besides the model are here.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from annotated_types import Gt
from pydantic import ConfigDict
from typing_extensions import TypedDict

from parsimony import base
from parsimony.answers import Answers, Measures
from parsimony.base import Estimator, ParametersT
from parsimony.errors import EmptySplit, InvalidParameter, UsageError
from parsimony.metrics.bootstrap import resampled_means
from parsimony.molecules.adapt import adapt_molecules
from parsimony.molecules.adapted import Adapted, IntArray, LabelArray
from parsimony.molecules.calibration import BalancedCalibration, nearest
from parsimony.molecules.evaluation import EpisodeScores, measure_episodes
from parsimony.molecules.task import MoleculeTask
from parsimony.run.folder import RunFolder
from parsimony.run.forms import Count
from parsimony.run.renamed import renamed

__all__ = ["FewShotEstimator"]

LEARNED = "few_shot.json"


class _Calibration(TypedDict):
    """One of the calibrations in few_shot.json."""

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")  # type: ignore[misc]
    slope: float
    offset: float
    centre: float
    scale: Annotated[float, Gt(0)]
    n_tasks: Count
    n_episodes: Count


class _Learned(TypedDict):
    """few_shot.json."""

    trained_parameters: Count
    chosen: dict[str, Any]
    calibration: dict[str, _Calibration]


#: what ``_featurize`` returns
FeaturesT = TypeVar("FeaturesT")


class FewShotEstimator(Estimator[MoleculeTask, ParametersT], Generic[ParametersT, FeaturesT]):
    """Measure, adapt and persist over ``_fit``, ``_featurize`` and ``_adapt``.

    Attributes
    ----------
    weighing
        What the method calls its weights of the supports, where it has them.
    """

    Task: ClassVar[type[base.Task]] = MoleculeTask
    headline = "roc_auc"
    weighing: ClassVar[str] = ""
    _calibration: dict[int, BalancedCalibration] | None = None
    _features: FeaturesT | None = None

    # ---- what a method implements ------------------------------------------------------------

    @abstractmethod
    def _featurize(self, smiles: Sequence[str]) -> FeaturesT:
        """Whatever ``_adapt`` needs of molecules, in their order, without any label."""

    @abstractmethod
    def _adapt(self, features: FeaturesT, support: IntArray, labels: LabelArray) -> Adapted:
        """Adapt to a support.

        Parameters
        ----------
        features
            What ``_featurize`` gave.
        support
            Rows of the support in it, (n,).
        labels
            0 or 1, (n,); both occur.
        """

    @abstractmethod
    def _rebuild(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        """Make the model of what ``_tensors`` gave, with ``task_`` and ``resolved_`` set."""

    def _setup(self) -> None:
        self._calibration, self._features = None, None

    # ---- measuring ---------------------------------------------------------------------------

    def _molecules(self) -> FeaturesT:
        """The features of all molecules of the data, computed once for a trained model."""
        if self._features is None:
            self._features = self._featurize(self.task_.data.smiles)
        return self._features

    def _features_for(self, split: str) -> FeaturesT:
        """The features that the episodes of a split may read."""
        return self._molecules()

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
        features = self._features_for(split)
        return measure_episodes(
            self.task_, split, shots,
            lambda support, labels: self._adapt(features, support, labels),
            episodes=episodes, seed=seed, quiet=quiet,
        )  # fmt: skip

    def _validate_roc_auc(self, *, episodes: int, seed: int) -> float:
        """Mean ROC-AUC over the validation tasks and all shots, for choosing while learning."""
        found = [
            self.scored("valid", shots, episodes=episodes, seed=seed).roc_auc
            for shots in self.task_.options.shots
            if len(self.task_.drawable("valid", shots))
        ]
        return float(np.mean(found))

    def resampled(
        self, split: str = "valid", *, units: int | None = None, seed: int = 0
    ) -> npt.NDArray[np.float64]:
        """Return the ROC-AUC of a split, then of resamples of its episodes and tasks."""
        self._require_fitted()
        shots = [k for k in self.task_.options.shots if len(self.task_.drawable(split, k))]
        if not shots:
            raise EmptySplit(f"no {split} task has enough molecules of either class")
        tables = [self.scored(split, k, seed=seed).table.ravel() for k in shots]
        found = np.mean([resampled_means(table, seed) for table in tables], axis=0)
        return np.asarray(found, np.float64)

    def evaluate(self, split: str = "test", *, seed: int = 0, quiet: bool = True) -> Measures:
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
            The split has no task that episodes can be drawn from.
        """
        self._require_fitted()
        if split not in ("valid", "test"):
            raise InvalidParameter(
                f"split must be 'valid' or 'test'. Got {split!r}", remedy="--split test"
            )
        if not self.task_.has(split):
            raise EmptySplit(
                f"no {split} task has enough molecules of either class",
                remedy="name tasks in task_splits.json, or set fewer shots",
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
                measured[str(shots)]["calibration"] = nearest(calibration, shots).measure(
                    part, self.task_.prevalence
                )
        return Measures(
            {
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
        )

    @property
    def calibration(self) -> dict[int, BalancedCalibration]:
        """Calibration of the scores by the number of shots; learned on the validation tasks."""
        if self._calibration is None:
            self._calibration = {
                shots: BalancedCalibration.learn(self.scored("valid", shots))
                for shots in self.task_.options.shots
                if len(self.task_.drawable("valid", shots))
            }
        return self._calibration

    @property
    def gives_reasons(self) -> bool:
        """False: the answers of :meth:`adapt` name them."""
        return False

    def explain(self, head: str, relation: str | None, tail: str, *, seed: int = 0) -> Any:
        """Refuse: the answers of :meth:`adapt` name their supports.

        Raises
        ------
        UsageError
            Says which command gives them.
        """
        self._require_fitted()
        raise UsageError(
            "molecules are explained by their supports",
            remedy="parsimony adapt RUN --support FILE --predict FILE --html FILE",
        )

    # ---- a user's own molecules --------------------------------------------------------------

    def adapt(
        self,
        support: Sequence[str],
        labels: Sequence[int],
        queries: Sequence[str],
        *,
        prevalence: float | None = None,
        top: int = 3,
        atoms: bool = False,
    ) -> Answers:
        """Adapt to labelled molecules and predict others.

        Parameters
        ----------
        support, labels
            SMILES and 0 (inactive) or 1 (active); both must occur.
        queries
            SMILES to be predicted.
        prevalence
            Expected fraction of active molecules among the queries, in (0, 1); by default the mean
            fraction in the training tasks.
        top
            How many supports each answer names.
        atoms
            Whether to say what each atom adds to the score: of methods on fingerprints all but
            a constant (``beside`` names what is on no atom), of ``multitask`` the part of its
            kernel that compares fingerprints, of ``ridge`` the one that compares embeddings, which
            are means over atoms (``spread`` says how shares are meant). A bit's part is split
            evenly between the fragments that set it, a fragment's between its atoms. Where a method
            has no such shares a note says why.

        Returns
        -------
        Answers
            ``{"predictions": [{"smiles", "probability", "score", "known", "reasons": [{"support",
            "smiles", "label", "similarity", "weight"}]}], "adapted_parameters", "seconds",
            "prevalence", "calibration", "weighing", "notes"}``. ``score`` is uncalibrated; a query
            that is in the support is answered by its measured label (``known``). The ``support`` of
            a reason is its row in the support that was given, from 0. With ``atoms``, predictions
            have ``atoms``: ``{"smiles", "shares", "rest"}``, the canonical SMILES, a share for each
            of its atoms in its order, and the rest, which sum to ``score``. Neither the order of
            rows nor the spelling of molecules changes an answer.

        Raises
        ------
        FormatError
            A SMILES that cannot be read, with its position; a label neither 0 nor 1; the same
            molecule with both labels.
        InvalidParameter
            A support of one class only, no query, or a prevalence outside (0, 1).
        """
        self._require_fitted()
        return adapt_molecules(
            lambda smiles, own: self._adapt(self._featurize(smiles), np.arange(len(own)), own),
            support,
            labels,
            queries,
            prevalence=self.task_.prevalence if prevalence is None else prevalence,
            calibrations=self.calibration,
            trained_on_all=self.parameters_count_ > 0 and not self.task_.options.unseen,
            weighing=self.weighing,
            top=top,
            atoms=atoms,
        )

    # ---- persistence -------------------------------------------------------------------------

    def write(self, run: RunFolder) -> None:
        """Write model, data and calibration into an open run folder."""
        super().write(run)
        found = {str(k): v.as_dict() for k, v in self.calibration.items()}
        learned = {
            "trained_parameters": self.parameters_count_,
            "chosen": self.resolved_.model_dump(exclude_none=True, mode="json"),
            "calibration": found,
        }
        run.write_json(LEARNED, learned)

    def _restore(self, run: RunFolder, tensors: dict[str, npt.NDArray[Any]]) -> None:
        kept = run.read_json(LEARNED, _Learned)
        if kept is None:
            raise ValueError(f"the run has no {LEARNED}")
        self.resolved_ = self._validate(renamed(kept["chosen"], self.Parameters.model_fields))
        self._rebuild(tensors)
        self.parameters_count_ = kept["trained_parameters"]
        self._calibration = {
            int(k): BalancedCalibration(**v) for k, v in kept["calibration"].items()
        }
