"""Method "ensemble": the mean of several methods' probabilities, every member's weights counted.

Networks that start from other random numbers err in other places; their mean errs less. Members are
trained here one after another, or are finished runs of the same pairs, put together by
:meth:`PairEnsemble.of_runs`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field

from parsimony.base import Fitting, Parameters, constructor
from parsimony.ddi.estimator import (
    AnyPairEstimator,
    FloatArray,
    IntArray,
    PairEstimator,
    Tensors,
)
from parsimony.ddi.explained_pair import ExplainedPair
from parsimony.ddi.task import DDITask
from parsimony.errors import UsageError
from parsimony.explain import Explanation
from parsimony.methods import load_run, resolve
from parsimony.run.cost import Cost
from parsimony.run.folder import RunFolder
from parsimony.run.renamed import renamed

Member = dict[str, Any]


class EnsembleParameters(Parameters):
    """Parameters of an ensemble."""

    members: tuple[Member, ...] = Field(
        tuple({"method": "emergnn", "seed": seed} for seed in range(3)),
        min_length=1,
        max_length=64,
        description='each member\'s method and parameters: [{"method": "emergnn", "seed": 0}, …]',
    )
    seed: int = Field(0, ge=0, lt=2**63, description="not used: every member has its own seed")


class PairEnsemble(PairEstimator[EnsembleParameters]):
    """Members' probabilities, averaged.

    Raises
    ------
    UnknownParameter, InvalidParameter
        A member without a known method, or with parameters that its method does not have.
    """

    method = "ensemble"
    paper = "Lakshminarayanan et al. 2017: deep ensembles"
    Parameters = EnsembleParameters
    __init__ = constructor(EnsembleParameters)
    structural = True
    multilabel = True
    _members: Sequence[AnyPairEstimator] = ()

    @classmethod
    def _validate(cls, values: Mapping[str, Any]) -> EnsembleParameters:
        parameters = super()._validate(values)
        for member in parameters.members:
            _member(member)
        return parameters

    @classmethod
    def of_runs(cls, runs: Iterable[Path | str]) -> Self:
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
        members: list[AnyPairEstimator] = []
        for folder in folders:
            member = load_run(folder)
            if not isinstance(member, PairEstimator):
                raise UsageError(f"{folder} is not a run of drug pairs", remedy="name ddi runs")
            for name in ("data", "options"):
                if members and member.config()[name] != members[0].config()[name]:
                    raise UsageError(
                        f"{folder} and {folders[0]} differ in their {name}",
                        remedy="members answer the same pairs on the same graph",
                    )
            members.append(member)
        self: Self = cls(members=[_described(member) for member in members])
        self.prepare(members[0].task_)
        self._begin()
        self._members, self.history_ = members, []
        opened = [RunFolder.open(folder) for folder in folders]
        self._add_up(
            [run.read_json("summary.json") or {} for run in opened],
            [run.read_json("ledger.json") or {} for run in opened],
        )
        return self

    # ---- fitting -----------------------------------------------------------------------------

    def prepare(self, task: DDITask, *, epochs: int | None = None) -> dict[str, Any]:
        """Resolve every member's parameters for a task."""
        super().prepare(task)
        described = []
        for given in self.resolved_.members:
            member = _member(given)
            member.prepare(task, epochs=epochs)
            described.append(_described(member))
        self.resolved_ = self.resolved_.model_copy(update={"members": tuple(described)})
        self._members = [_member(given) for given in described]
        self.graphical = any(member.graphical for member in self._members)
        self.relational = any(member.relational for member in self._members)
        for member in self._members:
            member.prepare(task)
        return self.config()

    def _learn(self, fitting: Fitting) -> None:
        """Train the members one after another, each with its own checkpoints.

        The time budget is shared: each member may use its part of what the ones before it left.
        """
        spent = 0.0
        summaries: list[dict[str, Any]] = []
        costs: list[dict[str, Any]] = []
        for k, member in enumerate(self._members):
            left, part = len(self._members) - k, None
            if fitting.time_budget is not None:
                part = max(fitting.time_budget - spent, 0.0) / left
            limits: dict[str, Any] = {
                "time_budget": part, "device": fitting.device, "quiet": fitting.quiet
            }  # fmt: skip
            if fitting.run is None:
                member.fit(self.task_, **limits)
            else:
                folder = fitting.run.path / "checkpoints" / f"member-{k}"
                with closing(RunFolder.create(folder, member.config(), resume=True)) as inner:
                    member.fit(self.task_, run=inner, **limits)
                    inner.write_json("ledger.json", member.cost_.as_dict())
            self.history_ += [{"member": k, **record} for record in member.history_]
            spent += member.seconds_
            summaries.append(
                {"parameters": member.parameters_count_, "best_epoch": member.best_epoch_,
                 "ended": member.ended_}
            )  # fmt: skip
            costs.append(member.cost_.as_dict())
        self._add_up(summaries, [self.cost_.as_dict()], costs)

    def _learned_seconds(self, run: RunFolder | None) -> float:
        ledger = None if run is None else run.read_json("ledger.json")
        return float((ledger or {}).get("wall_seconds", 0.0))

    def _add_up(self, summaries: list[dict[str, Any]], *costs: list[dict[str, Any]]) -> None:
        """Add the members up: their weights, how they ended, their costs.

        Of several ways to count the costs the largest holds, so that they grow over resumed parts.
        """
        self.parameters_count_ = sum(int(s.get("parameters", 0)) for s in summaries)
        whole: dict[str, Any] = {
            name: max(sum(cost.get(name, 0) for cost in way) for way in costs)
            for name in ("flops", "wall_seconds", "cpu_seconds")
        }
        every = [cost for way in costs for cost in way]
        whole["peak_memory_bytes"] = max(cost.get("peak_memory_bytes", 0) for cost in every)
        machines = [part for cost in every for part in cost.get("hardware", "").split(" + ")]
        whole["hardware"] = " + ".join(dict.fromkeys(machines))
        self.cost_ = Cost(self.parameters_count_, self.task_.n_labels, whole)
        self.seconds_ = float(whole["wall_seconds"])
        self.best_epoch_ = int(summaries[0].get("best_epoch", 0))
        late = any(s.get("ended") == "time budget" for s in summaries)
        self.ended_ = "time budget" if late else ""

    # ---- answering ---------------------------------------------------------------------------

    def _probabilities(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        tables = [member._probabilities(pairs, facts) for member in self._members]
        mean: FloatArray = np.mean(tables, axis=0)
        return mean

    def predict_proba_leave_pair_out(self, pairs: IntArray) -> FloatArray:
        """Probabilities (n, n_types) of pairs without the interactions of their own two drugs."""
        tables = [member.predict_proba_leave_pair_out(pairs) for member in self._members]
        mean: FloatArray = np.mean(tables, axis=0)
        return mean

    def reasons(self, rows: IntArray) -> list[str]:
        """Return the reasons of the first member that explains itself, else of the first."""
        return (self._able() or self._members)[0].reasons(rows)

    @property
    def gives_reasons(self) -> bool:
        """Whether a member explains."""
        return bool(self._able())

    def _able(self) -> Sequence[AnyPairEstimator]:
        """The members that give reasons."""
        return [member for member in self._members if member.gives_reasons]

    def explain(
        self, head: str, relation: str | None, tail: str, *, seed: int = 0, **choices: Any
    ) -> Explanation:
        """Why the first member that gives reasons answers so; the probability is the ensemble's.

        Raises
        ------
        UsageError
            No member gives reasons.
        """
        self._require_fitted()
        able = self._able()
        if not able:
            raise UsageError("no member of this ensemble gives reasons", remedy="add an emergnn")
        data, pair = self.task_.data, ExplainedPair.of(self, head, relation, tail)
        drug1, drug2 = (data.drug_names.address(drug) for drug in (pair.drug1, pair.drug2))
        found: Explanation = able[0].explain(
            drug1, data.types.name(pair.type), drug2, seed=seed, **choices
        )
        what = f"{able[0].method}, one of {len(self._members)} members"
        return replace(found, probability=pair.probability, model=what)

    # ---- persistence -------------------------------------------------------------------------

    def _tensors(self) -> Tensors:
        return {
            f"{k}.{name}": tensor
            for k, member in enumerate(self._members)
            for name, tensor in member._tensors().items()
        }

    def _rebuild(self, tensors: Tensors) -> None:
        self._members = [copy.copy(member) for member in self._members]
        for k, member in enumerate(self._members):
            member.task_ = self.task_
            if member.structural:
                member.fingerprints_ = self.fingerprints_
            start = f"{k}."
            own = {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
            member._rebuild(own)
        self.parameters_count_ = sum(member.parameters_count_ for member in self._members)


def _member(given: Member) -> AnyPairEstimator:
    """Make one member from its method and parameters."""
    settings = dict(given)
    cls = resolve(str(settings.pop("method", "")))
    if not issubclass(cls, PairEstimator) or issubclass(cls, PairEnsemble):
        raise UsageError(f"{cls.method!r} cannot be a member", remedy="members learn drug pairs")
    member: AnyPairEstimator = cls(**renamed(settings, cls.Parameters.model_fields))
    return member


def _described(member: AnyPairEstimator) -> Member:
    """Method and parameters, from which :func:`_member` makes it again."""
    return {"method": member.method, **member.resolved_.model_dump(exclude_none=True)}
