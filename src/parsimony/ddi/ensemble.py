"""Method "ensemble": the mean of several methods' probabilities, every member's weights counted.

Networks that start from other random numbers err in other places; their mean errs less. Members are
trained here one after another, or are finished runs of the same pairs, put together by
:meth:`PairEnsemble.of_runs`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony import base
from parsimony.ddi.estimator import FloatArray, IntArray, PairEstimator
from parsimony.ddi.task import DDITask
from parsimony.errors import UsageError
from parsimony.explain import Explanation
from parsimony.run.cost import Cost
from parsimony.run.folder import RunFolder

Member = dict[str, Any]


class EnsembleParameters(base.Parameters):
    """Parameters of an ensemble."""

    members: tuple[Member, ...] = Field(
        tuple({"method": "emergnn", "seed": seed} for seed in range(3)),
        min_length=1,
        description='each member\'s method and parameters: [{"method": "emergnn", "seed": 0}, …]',
    )
    seed: int = Field(0, ge=0, description="not used: every member has its own seed")


class PairEnsemble(PairEstimator):
    """Members' probabilities, averaged.

    Raises
    ------
    UnknownParameter, InvalidParameter
        A member without a known method, or with parameters that its method does not have.
    """

    method: ClassVar[str] = "ensemble"
    Parameters: ClassVar[type[base.Parameters]] = EnsembleParameters
    structural = True
    multilabel = True

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self._members = [_member(given) for given in self.parameters.members]
        self.graphical = any(member.graphical for member in self._members)

    @classmethod
    def of_runs(cls, runs: Iterable[Path | str]) -> PairEnsemble:
        """Put finished runs of the same pairs together.

        Raises
        ------
        MissingRun, CorruptRun, RunVersionError
            Not a run folder, a damaged one, or one of another version.
        UsageError
            Fewer than two runs, or runs of other data, settings or tasks.
        """
        folders = [Path(run) for run in runs]
        if len(folders) < 2:
            raise UsageError("an ensemble needs two runs at least", remedy="name more runs")
        members = [base.load_run(folder) for folder in folders]
        for folder, member in zip(folders, members, strict=True):
            if not isinstance(member, PairEstimator):
                raise UsageError(f"{folder} is no run of drug pairs", remedy="name ddi runs")
            for name in ("data", "options"):
                if member.config()[name] != members[0].config()[name]:
                    raise UsageError(
                        f"{folder} and {folders[0]} differ in their {name}",
                        remedy="members answer the same pairs on the same graph",
                    )
        pairs: list[PairEstimator] = members  # type: ignore[assignment]
        self = cls(members=[_described(member) for member in pairs])
        task = pairs[0].task_
        self._begin(task, parameters=0)
        self._members = pairs
        opened = [RunFolder.open(folder) for folder in folders]
        self._ended(
            [run.read_json("summary.json") or {} for run in opened],
            [run.read_json("ledger.json") or {} for run in opened],
        )
        return self

    # ---- fitting -----------------------------------------------------------------------------

    def prepare(self, task: DDITask, *, epochs: int | None = None) -> dict[str, Any]:
        """Resolve every member's parameters for a task."""
        super().prepare(task)
        for member in self._members:
            member.prepare(task, epochs=epochs)
        described = tuple(_described(member) for member in self._members)
        self.resolved_ = self.resolved_.model_copy(update={"members": described})
        return self.config()

    def fit(
        self,
        task: DDITask,
        *,
        run: RunFolder | None = None,
        epochs: int | None = None,
        time_budget: float | None = None,
        quiet: bool = True,
        **options: Any,
    ) -> PairEnsemble:
        """Train the members one after another, each with its own checkpoints.

        The time budget is shared: each member may use its part of what the ones before it left.
        """
        self._begin(task, parameters=0, epochs=epochs)
        spent = 0.0
        summaries: list[dict[str, Any]] = []
        bills: list[dict[str, Any]] = []
        for k, member in enumerate(self._members):
            left = len(self._members) - k
            part = None if time_budget is None else max(time_budget - spent, 0.0) / left
            limits = {"epochs": epochs, "time_budget": part, "quiet": quiet, **options}
            if run is None:
                member.fit(task, **limits)
            else:
                folder = run.path / "checkpoints" / f"member-{k}"
                inner = RunFolder.create(folder, member.prepare(task, epochs=epochs), resume=True)
                try:
                    member.fit(task, run=inner, **limits)
                finally:
                    inner.close()
            self.history_ += [{"member": k, **record} for record in member.history_]
            spent += member.seconds_
            summaries.append(
                {"parameters": member.parameters_count_, "best_epoch": member.best_epoch_,
                 "seconds": member.seconds_, "ended": member.ended_}
            )  # fmt: skip
            bills.append(member.cost_.as_dict())
        self._ended(summaries, bills)
        return self

    def _ended(self, summaries: list[dict[str, Any]], bills: list[dict[str, Any]]) -> None:
        """Add the members up: their weights, their bills, how they ended."""
        self.parameters_count_ = sum(int(s.get("parameters", 0)) for s in summaries)
        whole: dict[str, Any] = {
            name: sum(bill.get(name, 0) for bill in bills)
            for name in ("flops", "wall_seconds", "cpu_seconds")
        }
        whole["peak_memory_bytes"] = max(bill.get("peak_memory_bytes", 0) for bill in bills)
        machines = [part for bill in bills for part in bill.get("hardware", "").split(" + ")]
        whole["hardware"] = " + ".join(dict.fromkeys(machines))
        self.cost_ = Cost(self.parameters_count_, self.task_.n_labels, whole)
        self.best_epoch_ = int(summaries[0].get("best_epoch", 0))
        self.seconds_ = float(sum(s.get("seconds", 0.0) for s in summaries))
        late = any(s.get("ended") == "time budget" for s in summaries)
        self.ended_ = "time budget" if late else ""

    # ---- answering ---------------------------------------------------------------------------

    def _probabilities(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        tables = [member._probabilities(pairs, facts) for member in self._members]
        mean: FloatArray = np.mean(tables, axis=0)
        return mean

    def predict_proba_leave_pair_out(self, pairs: IntArray) -> FloatArray:
        """Probabilities (n, n_types) of pairs, for each the interactions of its drugs unseen."""
        mean: FloatArray = np.mean([member.predict_proba_leave_pair_out(pairs) for member in self._members], axis=0)
        return mean

    def reasons(self, rows: IntArray) -> list[str]:
        """Return the reasons of the first member that explains itself, else of the first."""
        able = [member for member in self._members if hasattr(member, "explain")]
        return (able or self._members)[0].reasons(rows)

    def explain(
        self, drug1: str, drug2: str, kind: str | None = None, **choices: Any
    ) -> Explanation:
        """Why the first member that gives reasons answers so; the probability is the ensemble's.

        Raises
        ------
        UsageError
            No member gives reasons.
        """
        self._require_fitted()
        able: list[Any] = [member for member in self._members if hasattr(member, "explain")]
        if not able:
            raise UsageError("no member of this ensemble gives reasons", remedy="add an emergnn")
        data = self.task_.data
        a, b = data.drug(drug1), data.drug(drug2)
        if kind is None and a != b:
            table = self.calibrated(self.predict_proba_leave_pair_out(np.array([[a, b], [b, a]], np.int32)))
            order, t = (int(i) for i in np.unravel_index(table.argmax(), table.shape))
            drug1, drug2 = ((drug1, drug2), (drug2, drug1))[order]
            kind = data.types.name(t)
        found: Explanation = able[0].explain(drug1, drug2, kind, **choices)
        asked = np.array([[data.drug(drug1), data.drug(drug2)]], np.int32)
        row = self.calibrated(self.predict_proba_leave_pair_out(asked))[0]
        what = f"{able[0].method}, one of {len(self._members)} members"
        return replace(found, probability=float(row[data.types.index(str(kind))]), model=what)

    # ---- persistence -------------------------------------------------------------------------

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        return {
            f"{k}.{name}": tensor
            for k, member in enumerate(self._members)
            for name, tensor in member._tensors().items()
        }

    def _rebuild(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        self._members = [copy.copy(member) for member in self._members]
        for k, member in enumerate(self._members):
            member.task_ = self.task_
            if member.structural:
                member.fingerprints_ = self.fingerprints_
            start = f"{k}."
            own = {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
            member._rebuild(own)

    def _restore(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        for k, member in enumerate(self._members):
            if member.structural:
                member.fingerprints_ = self.fingerprints_
            start = f"{k}."
            member._restore(
                {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
            )


def _member(given: Member) -> PairEstimator:
    """Make one member from its method and parameters."""
    settings = dict(given)
    cls = base.resolve(str(settings.pop("method", "")))
    if not issubclass(cls, PairEstimator) or issubclass(cls, PairEnsemble):
        raise UsageError(f"{cls.method!r} cannot be a member", remedy="members learn drug pairs")
    return cls(**settings)


def _described(member: PairEstimator) -> Member:
    """Method and parameters, from which :func:`_member` makes it again."""
    return {"method": member.method, **member.resolved_.model_dump(exclude_none=True)}
