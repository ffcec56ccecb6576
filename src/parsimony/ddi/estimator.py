"""Base class of the methods for drug–drug interactions: all but the probabilities themselves."""

from __future__ import annotations

import time
from abc import abstractmethod
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from parsimony.answers import Answers, Measures
from parsimony.base import Estimator, Fitting, Parameters
from parsimony.chem.fingerprints import BITS, morgan_fingerprints
from parsimony.ddi.calibration import (
    Calibration,
    calibrations_of,
    measure_calibration,
)
from parsimony.ddi.caution import CAUTION
from parsimony.ddi.data import DDIData
from parsimony.ddi.grounds import Grounds
from parsimony.ddi.leaks import find_leaks
from parsimony.ddi.leave_pair_out import leave_pair_out, own_interactions
from parsimony.ddi.predict import PairQuestion
from parsimony.ddi.subgroups import similarity_subgroups
from parsimony.ddi.targets import MulticlassPairs
from parsimony.ddi.task import SETTINGS, DDITask
from parsimony.errors import FormatError, InvalidParameter, MissingExtra, UsageError
from parsimony.explain import Explanation
from parsimony.metrics.conformal import covered
from parsimony.metrics.guard import require_scores
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.restoring import require_tensors
from parsimony.run.seeds import rng
from parsimony.run.steps import step_done

__all__ = ["CALIBRATION", "AnyPairEstimator", "PairEstimator", "chosen", "fingerprints_of"]

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.floating]
Tensors = dict[str, npt.NDArray[Any]]
ParametersT = TypeVar("ParametersT", bound=Parameters)
T = TypeVar("T")
CALIBRATION = "confidence.json"
CALIBRATED = 4000  # most validation pairs of each setting that is not the run's own


class PairEstimator(Estimator[DDITask, ParametersT]):
    """Evaluate, predict and persist over ``_probabilities``.

    Attributes
    ----------
    structural, graphical, multilabel
        Whether the method reads the drugs' structures and the background graph, and whether it can
        learn pairs with several labels.
    relational
        Whether it reads the known interactions of the pair's drugs.
    fingerprints_ : uint8 array, shape (n_drugs, 1024)
        Of a structural method.
    notes_ : list of str
        What a user should know of the fit.
    """

    Task = DDITask
    headline = "macro_f1"
    structural: bool = False
    graphical: bool = False
    relational: bool = True
    multilabel: bool = False
    fingerprints_: npt.NDArray[np.uint8]
    _calibrations: dict[str, Calibration]
    _fitted_here: bool = False
    _began: float

    @abstractmethod
    def _learn(self, fitting: Fitting) -> None:
        """Learn from ``task_`` and ``fingerprints_``; set ``parameters_count_``."""

    @abstractmethod
    def _probabilities(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        """Probabilities of all types, (n, n_types), for ordered pairs (n, 2).

        ``facts`` are the interactions (drug1, type, drug2) known meanwhile.
        """

    @abstractmethod
    def _rebuild(self, tensors: Tensors) -> None:
        """Become fitted for ``task_`` and ``fingerprints_`` from what ``_tensors`` gave."""

    # ---- fitting -----------------------------------------------------------------------------

    def _setup(self) -> None:
        if self.task_.labelling.multi and not self.multilabel:
            raise InvalidParameter(
                f"method {self.method!r} learns one type per pair; here pairs have several labels",
                remedy="--method neighbours, mlp, emergnn or prior",
            )
        self._calibrations, self._fitted_here = {}, False

    def _fit(self, fitting: Fitting) -> None:
        self._begin()
        self._learn(fitting)

    def _begin(self) -> None:
        self._fitted_here, self._began = True, time.perf_counter()
        if self.structural:
            self.fingerprints_ = fingerprints_of(self.task_.data)

    def _choose(self, choices: list[dict[str, Any]], fitting: Fitting) -> None:
        """Fill ``resolved_`` with the choice that has the best primary measure on validation.

        What was measured goes to ``history_`` and the log. The time budget ends it after the
        choice that it is at.
        """
        task, given = self.task_, self.resolved_
        if len(choices) == 1 or not task.has("valid"):
            self.resolved_ = given.model_copy(update=choices[0])
            return
        targets, best = task.targets("valid"), -np.inf
        winner = given
        with Progress(len(choices), "selecting", quiet=fitting.quiet) as progress:
            for i, choice in enumerate(choices, start=1):
                self.resolved_ = given.model_copy(update=choice)
                found = targets.metrics(self.predict_proba(targets.queries, "valid"))
                record = {"epoch": i, **{f"valid_{m}": v for m, v in found.items()}, **choice}
                self.history_.append(record)
                if fitting.run is not None:
                    fitting.run.log(**record)
                if found[task.labelling.primary] > best:
                    best, winner = found[task.labelling.primary], self.resolved_
                    self.best_epoch_ = i
                progress.advance(1)
                if self._late(fitting) and i < len(choices):
                    self.ended_ = "time budget"
                    break
        self.resolved_ = winner

    def _late(self, fitting: Fitting) -> bool:
        """Whether this fit has used up its time budget."""
        budget = fitting.time_budget
        return budget is not None and time.perf_counter() - self._began > budget

    # ---- measuring ---------------------------------------------------------------------------

    def predict_proba(self, pairs: npt.ArrayLike, split: str = "test") -> FloatArray:
        """Probabilities of all types for ordered pairs of drugs.

        Parameters
        ----------
        pairs : int array, shape (n, 2)
            Numbers of drugs.
        split
            The interactions known meanwhile are those of this split.

        Returns
        -------
        float array, shape (n, n_types)
            Rows sum to 1; where pairs have several labels, each entry is by itself.

        Raises
        ------
        TrainingDiverged
            A probability is NaN.
        """
        self._require_fitted()
        rows = np.ascontiguousarray(np.asarray(pairs, np.int32).reshape(-1, 2))
        table = self._probabilities(rows, self.task_.visible(split))
        require_scores(table, "probability")
        return table

    def predict_proba_leave_pair_out(self, pairs: IntArray) -> FloatArray:
        """Probabilities of pairs, each computed without the known interactions of its own drugs.

        Parameters
        ----------
        pairs : int32 array, shape (n, 2)

        Returns
        -------
        float array, shape (n, n_types)
            What :meth:`predict_proba` would give if no interaction between the two drugs, in either
            order, were known.
        """
        facts = self.task_.visible("test")
        row, own, of = own_interactions(facts, pairs, self.task_.data.n_drugs)
        known = np.isin(of, own)
        table = np.empty((len(pairs), self.task_.data.n_types), np.float64)
        if not known.all():
            table[~known] = self._probabilities(pairs[~known], facts)
        for pair in np.unique(own):
            step_done()
            rows = np.flatnonzero(of == pair)
            others = np.delete(facts, row[own == pair], 0)
            table[rows] = self._probabilities(pairs[rows], others)
        require_scores(table, "probability")
        return table

    def reasons(self, rows: IntArray) -> list[str]:
        """Return why, in one line each, for interactions (drug1, type, drug2): of each its own."""
        return [""] * len(rows)

    def score(self, split: str = "test") -> float:
        """Return macro-F1 of a split, or PR-AUC where pairs have several labels; in [0, 1]."""
        self._require_fitted()
        targets = self.task_.targets(split)
        found = targets.metrics(self.predict_proba(targets.queries, split))
        return found[self.task_.labelling.primary]

    @property
    def selected_by(self) -> str:
        """The primary measure of the labelling."""
        return self.task_.labelling.primary

    @property
    def compared_by(self) -> str:
        """The primary measure of the labelling."""
        return self.task_.labelling.primary

    def resampled(
        self, split: str = "valid", *, units: int | None = None, seed: int = 0
    ) -> npt.NDArray[np.float64]:
        """Return the first measure of a split, then of resamples of its emerging drugs."""
        self._require_fitted()
        targets = self.task_.targets(split)
        table = self.predict_proba(targets.queries, split)
        return np.asarray(targets.draws(table, self.task_.emerging(split), seed), np.float64)

    def evaluate(self, split: str = "test", *, seed: int = 0, quiet: bool = True) -> Measures:
        """Classify the pairs of a split.

        Returns
        -------
        dict
            ``split, notes, setting, metrics, interval, n_queries, strata`` and ``seconds``; the
            intervals are over draws of the emerging drugs. Where pairs have one type, with
            validation also ``calibration, conformal`` and ``abstention``
            (:func:`parsimony.ddi.calibration.measure_calibration`), and in ``strata`` the coverage
            of sets at 90 %.

        Raises
        ------
        InvalidParameter
            No such split.
        EmptySplit
            It has no pairs.
        """
        self._require_fitted()
        if split not in ("valid", "test"):
            raise InvalidParameter(
                f"split must be 'valid' or 'test'. Got {split!r}", remedy="--split test"
            )
        targets, cluster = self.task_.targets(split), self.task_.emerging(split)
        queries = targets.queries
        begin = time.perf_counter()
        with Progress(len(queries), f"classifying {split}", quiet=quiet) as progress:
            table = self.predict_proba(queries, split)
            progress.advance(len(queries))
        seconds = time.perf_counter() - begin
        calibration = self.calibration
        if calibration is None:
            calibration = self.learn_calibration(table if split == "valid" else None, quiet=quiet)
        kinds = self.subgroups(split)
        subgroups: dict[str, dict[str, Any]] = {
            name: {"n": int(kept.sum()), **targets.metrics(table, kept)}
            for name, kept in kinds.items()
        }
        result: dict[str, Any] = {
            "split": split,
            "notes": self.leak_notes(split),
            "setting": self.task_.setting,
            "metrics": targets.metrics(table),
            "interval": targets.interval(table, cluster, seed),
            "n_queries": len(targets),
            "strata": subgroups,
            "seconds": seconds,
            "queries_per_second": len(queries) / seconds,
        }
        if calibration is not None and isinstance(targets, MulticlassPairs):
            held = covered(calibration.sets(calibration.calibrated(table)), targets.types)
            for name, kept in kinds.items():
                subgroups[name]["coverage"] = float(held[kept].mean())
            result |= measure_calibration(calibration, table, targets.types, cluster, seed=seed)
        return Measures(result)

    def subgroups(self, split: str) -> dict[str, npt.NDArray[np.bool_]]:
        """Return the subgroups of a split's pairs as masks (n,): the task's, and by structure."""
        found = self.task_.subgroups(split)
        try:
            bits = self.fingerprints_ if self.structural else fingerprints_of(self.task_.data)
        except (MissingExtra, FormatError):  # a method without structures is measured without them
            return found
        return found | similarity_subgroups(self.task_, split, bits)

    # ---- calibration -------------------------------------------------------------------------

    @property
    def calibration(self) -> Calibration | None:
        """Temperature and thresholds of the run's setting; None where they were not learned.

        Learned on validation when first asked for after a fit. A run folder holds it, unless it was
        written by an older version or without validation pairs; :meth:`evaluate` and
        :meth:`learn_calibration` make up for that.
        """
        found = self._calibrations.get(self.task_.setting)
        return self.learn_calibration() if found is None and self._fitted_here else found

    def calibration_of(self, setting: str) -> Calibration | None:
        """Return what calibrates pairs of a setting; None where nothing does.

        Its own calibration; else that of the run, where the pair has fewer emerging drugs.
        """
        own = self.calibration
        if own is None or setting in self._calibrations:
            return self._calibrations.get(setting)
        return own if setting < own.setting else None

    @property
    def uncalibrated(self) -> list[str]:
        """The settings with validation pairs that have no calibration."""
        return [setting for setting in self._validation if setting not in self._calibrations]

    def learn_calibration(
        self, probabilities: FloatArray | None = None, *, quiet: bool = True
    ) -> Calibration | None:
        """Learn it on validation for every setting that has pairs there, where it is missing.

        Parameters
        ----------
        probabilities
            Of the validation pairs of the run's setting, (n, n_types), where they are known.

        Returns
        -------
        Calibration or None
            That of the run's setting; None without validation pairs, and where pairs have several
            labels.
        """
        for setting in self.uncalibrated:
            rows = self._validation[setting]
            pairs, own = np.ascontiguousarray(rows[:, [0, 2]]), setting == self.task_.setting
            found = probabilities if own else None
            if found is None:
                what = f"calibrating on valid, {setting}"
                with Progress(len(pairs), what, quiet=quiet) as progress:
                    found = self.predict_proba(pairs, "valid")
                    progress.advance(len(pairs))
            self._calibrations[setting] = Calibration.learn(found, rows[:, 1], setting)
        return self._calibrations.get(self.task_.setting)

    @property
    def _validation(self) -> dict[str, IntArray]:
        """Validation rows by setting: all of the run's own, some of the others'."""
        task = self.task_
        if task.labelling.multi or not task.has("valid"):
            return {}
        found: dict[str, IntArray] = {task.setting: task.pairs("valid")}
        for setting in SETTINGS:
            rows = task.data.pairs.get(f"valid_{setting}", np.empty((0, 3), np.int32))
            rows = rows[task.new(rows, "valid").sum(1) == int(setting[1])]
            if setting != task.setting and len(rows):
                drawn = rng(0, "calibration", setting).permutation(len(rows))[:CALIBRATED]
                found[setting] = rows[np.sort(drawn)]
        return found

    def calibrated(self, probabilities: FloatArray, pairs: IntArray) -> FloatArray:
        """Return probabilities (n, n_types) of pairs (n, 2) as users see them.

        Calibrated for the setting of each pair, where they can be; the interactions between its two
        drugs do not count.
        """
        if self.task_.labelling.multi:
            return probabilities
        data, facts = self.task_.data, self.task_.visible("test")
        emerging = leave_pair_out(facts, pairs, data.n_drugs, data.n_types).new.sum(1)
        found = np.array(probabilities, np.float64)
        for number in np.unique(emerging).tolist():
            calibration = self.calibration_of(f"S{number}")
            if calibration is not None:
                rows = emerging == number
                found[rows] = calibration.calibrated(found[rows])
        return found

    # ---- what a user should know ----------------------------------------------------------------

    @property
    def notes_(self) -> list[str]:
        """What was found in the data that a fit learned from: drugs without structure, leaks."""
        self._require_fitted()
        splits = [split for split in ("valid", "test") if self.task_.has(split)]
        leaks = [note for split in splits for note in self.leak_notes(split)]
        several = self.task_.labelling.notes(self.task_.data.pairs["train"])
        named = self.task_.data.drug_names.notes()
        return [*several, *self._structure_notes(), *named, *leaks]

    def noted(self, explanation: Explanation, *drugs: int) -> Explanation:
        """Return an explanation of two drugs with what a user should know of the answer."""
        return replace(explanation, notes=(*self.ground_notes(*drugs), CAUTION))

    def leak_notes(self, split: str) -> list[str]:
        """Say how many rows of a split training or the selection has seen."""
        return find_leaks(self.task_, split).notes()

    def _structure_notes(self) -> list[str]:
        """Say how many drugs have no structure, where the method reads structures."""
        if not self.structural or self.fingerprints_.any(1).all():
            return []
        bare = np.flatnonzero(~self.fingerprints_.any(1))
        rest = [f"{what}s" for what in self.grounds(int(bare[0])).others]
        named = ", ".join(self.task_.data.label(drug) for drug in bare[:3].tolist())
        return [
            f"warning: {len(bare):,} of {len(self.fingerprints_):,} drugs have no structure "
            f"({named}{', …' * (len(bare) > 3)}), which method {self.method} reads: answers about "
            f"them rest on {' and '.join(rest) or 'nothing'} alone"
        ]

    # ---- predicting --------------------------------------------------------------------------

    def predict(self, drug_a: str, drug_b: str, *, top: int = 5) -> Answers:
        """The most probable interactions of two drugs, both orders.

        Parameters
        ----------
        drug_a, drug_b
            Ids, external ids or names, in any case.
        top
            How many answers.

        Returns
        -------
        Answers
            ``{"query", "answers": [{"drug1", "drug2", "type", "probability", "uncalibrated",
            "text", "acting"}], "labels", "set", "setting", "calibration", "known": [{"split",
            "text", "acting"}], "notes"}``. ``drug1`` and ``drug2`` are the order in which a row of
            the data has them; which of them acts is said by ``text`` and by ``acting``, None where
            the sentence claims no direction. Each order's probabilities sum to 1: they are of the
            type, given that the drugs interact in that order. Where ``labels`` is "several" rather
            than "one", a pair has no order, and each probability is by itself: that the label is of
            this pair and not of one that was never observed. ``set`` lists for each order the types
            that hold the true one at 90 %; where none has the ``least`` probability for that, the
            list is empty and the order ``abstains``. ``calibration`` is what they were calibrated
            on; both are None where the run is uncalibrated. ``setting`` is that of this pair.
            ``known`` lists what the data state of it; the method answers without that. ``notes``
            say so where less is known of a drug than the method reads.

        Raises
        ------
        UnknownDrug
            With the closest name.
        FormatError
            A name that several drugs have.
        UsageError
            The same drug twice, or top below 1.
        """
        self._require_fitted()
        question = PairQuestion.of(self.task_, drug_a, drug_b, top)
        raw = self.predict_proba_leave_pair_out(np.array(question.orders, np.int32))
        a, b = question.orders[0]
        unknown = self.grounds(a, b).nothing or self.grounds(b, a).nothing
        calibration, notes = self.calibration_of(question.setting), self.ground_notes(a, b)
        if calibration is None and not self.task_.labelling.multi:
            notes.append(f"uncalibrated: the run has no calibration for {question.setting}")
        answers = question.answers(raw, calibration, notes)
        if unknown:  # a set would promise what holds for drugs of which something is known
            answers["set"] = None
        return answers

    def grounds(self, drug: int, partner: int | None = None) -> Grounds:
        """Return what is known of a drug that this method reads; not what is between the two."""
        task, facts = self.task_, self.task_.visible("test")
        own = facts[(facts[:, [0, 2]] == drug).any(1)]
        if partner is not None:
            own = own[~(own[:, [0, 2]] == partner).any(1)]
        edges = int((task.background.triples[:, [0, 2]] == drug).any(1).sum())
        return Grounds(
            task.data.label(drug),
            bool(self.fingerprints_[drug].any()) if self.structural else None,
            len(own) if self.relational else None,
            edges if self.graphical else None,
        )

    def ground_notes(self, *drugs: int) -> list[str]:
        """Say of each drug what an answer rests on, where that is less than the method reads."""
        pairs = zip(drugs, reversed(drugs), strict=True) if len(drugs) == 2 else ((drugs[0], None),)
        notes = (self.grounds(*pair).sentence(self.method) for pair in pairs)
        return list(filter(None, notes))

    # ---- persistence -------------------------------------------------------------------------

    def write(self, run: RunFolder) -> None:
        """Write model, data and calibration into an open run folder."""
        self._require_fitted()
        with run.replaced("data") as folder:
            self.task_.save(folder, graph=self.graphical)
        tensors = self._tensors()
        if self.structural:  # so that loading needs no RDKit
            tensors["fingerprints"] = np.packbits(self.fingerprints_, axis=1)
        run.save_model(tensors)
        if self.learn_calibration() is not None:
            run.write_json(CALIBRATION, self.calibration_dict())

    def calibration_dict(self) -> dict[str, Any]:
        """Return what confidence.json holds."""
        first, *others = sorted(
            self._calibrations.values(), key=lambda one: one.setting != self.task_.setting
        )
        return first.as_dict() | {"others": [other.as_dict() for other in others]}

    def _restore(self, run: RunFolder, tensors: Tensors) -> None:
        if self.structural:
            shape = (self.task_.data.n_drugs, BITS // 8)
            require_tensors(tensors, {"fingerprints": shape}, "u")
            self.fingerprints_ = np.unpackbits(tensors["fingerprints"], axis=1)[:, :BITS]
        self._rebuild(tensors)
        content = run.read_json(CALIBRATION)
        if content is not None:
            self._calibrations = calibrations_of(content, str(run.path / CALIBRATION))


AnyPairEstimator = PairEstimator[Any]


def chosen(value: T | None) -> T:
    """Return a parameter that the fit has filled in where the user left it out."""
    if value is None:
        raise UsageError("a parameter is still open", remedy="call fit(task) first")
    return value


def fingerprints_of(data: DDIData) -> npt.NDArray[np.uint8]:
    """Fingerprints (n_drugs, 1,024) that came with the data, else those of its structures.

    Raises
    ------
    FormatError
        A SMILES that cannot be read.
    MissingExtra
        RDKit is not installed.
    """
    if data.fingerprints is not None:
        return np.unpackbits(data.fingerprints, axis=1)
    return morgan_fingerprints(data.smiles, data.names)
