"""What every method of drug–drug interactions can do once it gives types their probabilities."""

from __future__ import annotations

import time
from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.base import Estimator
from parsimony.chem.fingerprints import BITS, morgan_fingerprints
from parsimony.ddi.calibration import Confidence, measure_confidence
from parsimony.ddi.data import DDIData
from parsimony.ddi.leave_pair_out import own_interactions
from parsimony.ddi.subgroups import similarity_strata
from parsimony.ddi.targets import TypedPairs
from parsimony.ddi.task import DDITask
from parsimony.errors import CorruptRun, FormatError, InvalidParameter, MissingExtra
from parsimony.metrics.conformal import covered
from parsimony.run.cost import Cost
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.restoring import restoring

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.floating]
CONFIDENCE = "confidence.json"


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
    _confidence: Confidence | None = None
    _fitted_here: bool = False
    #: what all its answers rest on, where that is one thing
    because: str = ""
    #: whether the method can answer pairs with several labels
    multilabel: bool = False

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

    def _rebuild(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        """Become fitted for ``task_`` and ``fingerprints_`` as they are now."""
        self._restore(tensors)

    # ---- fitting -----------------------------------------------------------------------------

    def prepare(self, task: DDITask, *, epochs: int | None = None) -> dict[str, Any]:
        """Resolve the parameters for a task; returns what config.toml will hold."""
        if task.labelling.multi and not self.multilabel:
            raise InvalidParameter(
                f"method {self.method!r} learns one type a pair; here pairs have several labels",
                remedy="--method neighbours, mlp, emergnn or prior",
            )
        given = self.parameters.model_dump(include=self.parameters.model_fields_set)
        if epochs is not None and "epochs" in type(self.parameters).model_fields:
            given["epochs"] = epochs
        self.task_, self.resolved_ = task, self._validate(given)
        self._confidence, self._fitted_here = None, False
        return self.config()

    def _begin(self, task: DDITask, parameters: int, epochs: int | None = None) -> None:
        """What every fit begins with: the task, the structures and the bill."""
        self.prepare(task, epochs=epochs)
        self._fitted_here = True
        self.history_: list[dict[str, Any]] = []
        self.best_epoch_ = 0
        self.parameters_count_ = parameters
        self.cost_ = Cost(parameters=parameters, labels=task.n_labels)
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
        """Probabilities (n, n_types) of pairs, for each the interactions of its drugs unseen."""
        facts = self.task_.visible("test")
        row, own, of = own_interactions(facts, pairs, self.task_.data.n_drugs)
        known = np.isin(of, own)
        table = np.empty((len(pairs), self.task_.data.n_types), np.float64)
        if not known.all():
            table[~known] = self._probabilities(pairs[~known], facts)
        for pair in np.unique(own):
            rows = np.flatnonzero(of == pair)
            others = np.delete(facts, row[own == pair], 0)
            table[rows] = self._probabilities(pairs[rows], others)
        return table

    def reasons(self, rows: IntArray) -> list[str]:
        """Return why, in one line each, for asked (drug1, type, drug2)."""
        return [self.because] * len(rows)

    def evaluate(self, split: str = "test", *, seed: int = 0, quiet: bool = True) -> dict[str, Any]:
        """Classify the pairs of a split (docs/conventions.md).

        Returns
        -------
        dict
            ``split, setting, metrics, interval, n_queries, strata`` and ``seconds``; the intervals
            are over draws of the emerging drugs. Where pairs have one type, with validation also
            ``calibration, conformal`` and ``abstention``
            (:func:`parsimony.ddi.calibration.measure_confidence`), and in ``strata`` the coverage
            of sets at 90 %.
        """
        self._require_fitted()
        if split not in ("valid", "test"):
            raise InvalidParameter(
                f"split must be 'valid' or 'test'. Got {split!r}", remedy="--split test"
            )
        asked, cluster = self.task_.asked(split), self.task_.emerging(split)
        questions = asked.questions
        begin = time.perf_counter()
        with Progress(len(questions), f"classifying {split}", quiet=quiet) as progress:
            table = self.score(questions, split)
            progress.advance(len(questions))
        seconds = time.perf_counter() - begin
        confidence = self.learn_confidence(table if split == "valid" else None, quiet=quiet)
        kinds = self.strata(split)
        strata: dict[str, dict[str, Any]] = {
            name: {"n": int(kept.sum()), **asked.metrics(table, kept)}
            for name, kept in kinds.items()
        }
        result = {
            "split": split,
            "setting": self.task_.setting,
            "metrics": asked.metrics(table),
            "interval": asked.interval(table, cluster, seed),
            "n_queries": len(asked),
            "strata": strata,
            "seconds": seconds,
            "queries_per_second": len(questions) / seconds,
        }
        if confidence is not None and isinstance(asked, TypedPairs):
            held = covered(confidence.sets(confidence.calibrated(table)), asked.types)
            for name, kept in kinds.items():
                strata[name]["coverage"] = float(held[kept].mean())
            result |= measure_confidence(confidence, table, asked.types, cluster, seed=seed)
        return result

    def strata(self, split: str) -> dict[str, npt.NDArray[np.bool_]]:
        """Return which asked pairs are of which kind: those of the task, and by structure."""
        found = self.task_.strata(split)
        try:
            bits = self.fingerprints_ if self.structural else fingerprints_of(self.task_.data)
        except (MissingExtra, FormatError):  # a method without structures needs none to be measured
            return found
        return found | similarity_strata(self.task_, split, bits)

    # ---- confidence --------------------------------------------------------------------------

    @property
    def confidence(self) -> Confidence | None:
        """What it knows of its own probabilities; None where nothing was learned about them.

        Learned when first asked for after a fit; a run folder holds it, unless it was written by
        an older version or without validation pairs. ``evaluate`` and :meth:`learn_confidence` make
        up for that.
        """
        return self.learn_confidence() if self._fitted_here else self._confidence

    def learn_confidence(
        self, probabilities: FloatArray | None = None, *, quiet: bool = True
    ) -> Confidence | None:
        """Learn it on validation, where that has not happened.

        None without validation pairs, and where pairs have several labels.

        Parameters
        ----------
        probabilities
            Of the validation pairs, (n, n_types), where they are known.
        """
        if self._confidence is None and self.task_.has("valid"):
            asked = self.task_.asked("valid")
            if not isinstance(asked, TypedPairs):
                return None
            if probabilities is None:
                with Progress(len(asked), "calibrating on valid", quiet=quiet) as progress:
                    probabilities = self.score(asked.pairs, "valid")
                    progress.advance(len(asked))
            self._confidence = Confidence.learn(probabilities, asked.types, self.task_.setting)
        return self._confidence

    def calibrated(self, probabilities: FloatArray) -> FloatArray:
        """Return probabilities (n, n_types) as users see them: calibrated where they can be."""
        confidence = self.confidence
        return probabilities if confidence is None else confidence.calibrated(probabilities)

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
            ``{"query", "answers": [{"drug1", "drug2", "type", "probability", "uncalibrated",
            "text"}], "labels", "set", "setting", "calibration", "known": [{"split", "text"}],
            "notes"}``. Each order's
            probabilities sum to 1: they are of the type, given that the drugs interact in that
            order. Where ``labels`` is "several" rather than "one", a pair has no order, and each
            probability is by itself: that the label is of this pair and not of one that was never
            observed. ``set`` lists for each order the types that hold the true one at 90 %,
            ``calibration`` what they were calibrated on; both are None where the run is
            uncalibrated. ``setting`` is that of this pair. ``known`` lists what the data state of
            it; the method answers without that. ``notes`` say so where an answer rests on structure
            alone.

        Raises
        ------
        UnknownDrug
            With the closest name.
        UsageError
            The same drug twice, or top below 1.
        """
        from parsimony.ddi.predict import predict_pair

        self._require_fitted()
        return predict_pair(self, drug_a, drug_b, top)

    def structure_alone(self, drug: int) -> str:
        """Say so where neither graph nor interactions tell anything of a drug; "" elsewhere.

        "" as well for a method that reads no graph.
        """
        task = self.task_
        told = (task.background.triples, task.visible("test"))
        if not self.graphical or any((rows[:, [0, 2]] == drug).any() for rows in told):
            return ""
        return (
            f"{task.data.label(drug)} has no edge in the graph and no known interaction: the "
            "answer rests on structure alone"
        )

    # ---- persistence -------------------------------------------------------------------------

    def write(self, run: RunFolder) -> None:
        """Write model and data into an open run folder."""
        self.task_.save(run.path / "data", graph=self.graphical)
        tensors = self._tensors()
        if self.structural:  # so that loading needs no RDKit
            tensors["fingerprints"] = np.packbits(self.fingerprints_, axis=1)
        run.save_model(tensors)
        confidence = self.learn_confidence()
        if confidence is not None:
            run.write_json(CONFIDENCE, confidence.as_dict())

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
        with restoring(run):
            if self.structural:
                self.fingerprints_ = np.unpackbits(tensors["fingerprints"], axis=1)[:, :BITS]
            self._restore(tensors)
        self._confidence = _read_confidence(run)
        return self


def _read_confidence(run: RunFolder) -> Confidence | None:
    content = run.read_json(CONFIDENCE)
    try:
        return None if content is None else Confidence.from_dict(content)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise CorruptRun(
            f"{CONFIDENCE} does not hold a run's confidence ({error!r})",
            remedy="fit again, or restore the run folder",
            where=str(run.path / CONFIDENCE),
        ) from None


def fingerprints_of(data: DDIData) -> npt.NDArray[np.uint8]:
    """Fingerprints (n_drugs, 1,024) that came with the data, else those of its structures."""
    if data.fingerprints is not None:
        return np.unpackbits(data.fingerprints, axis=1)
    return morgan_fingerprints(data.smiles, data.names)


def select(
    estimator: PairEstimator, choices: list[dict[str, Any]], run: RunFolder | None, quiet: bool
) -> dict[str, Any]:
    """Return the choice of parameters with the best primary measure on the whole of validation.

    Each choice becomes ``resolved_`` in turn; what was measured goes to ``history_`` and the log.
    """
    task, given = estimator.task_, estimator.resolved_
    if len(choices) == 1 or not task.has("valid"):
        return choices[0]
    asked, primary = task.asked("valid"), task.labelling.primary
    best: tuple[float, int] | None = None
    with Progress(len(choices), "selecting", quiet=quiet) as progress:
        for i, choice in enumerate(choices):
            estimator.resolved_ = given.model_copy(update=choice)
            found = asked.metrics(estimator.score(asked.questions, "valid"))
            record = {"epoch": i + 1, **{f"valid_{m}": v for m, v in found.items()}, **choice}
            estimator.history_.append(record)
            if run is not None:
                run.log(**record)
            if best is None or found[primary] > best[0]:
                best = (found[primary], i)
            progress.advance(1)
    assert best is not None
    estimator.best_epoch_ = best[1] + 1
    return choices[best[1]]
