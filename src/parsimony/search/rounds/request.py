"""What a loop is asked to do, and how it spends its time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parsimony.base.estimate import Estimate
from parsimony.errors import InvalidParameter
from parsimony.knowledge.book import KnowledgeBook
from parsimony.link.estimator import LinkEstimator
from parsimony.link.guidance.guided import GuidedParameters
from parsimony.link.task import LinkTask
from parsimony.methods import resolve
from parsimony.run.duration import spell_duration

__all__ = ["DEFAULT_SECONDS", "LoopPlan", "LoopRequest", "plan_of"]

#: where no budget is given
DEFAULT_SECONDS = 1800.0
#: of the budget: mining, then training at most; of what is left in a round: learning what the rules
#: are worth, then distilling; and what the end may take at most
MINING, TRAINING, WEIGHING, DISTILLING, ENDING = 0.1, 0.4, 0.35, 0.7, 0.15
#: epochs that must fit for a reasoner to be the default
LEAST_EPOCHS = 5
_REASONER, _EMBEDDING = "redgnn", "complex"


@dataclass(frozen=True)
class LoopRequest:
    """One loop: what on, for how long, and where to.

    Attributes
    ----------
    data
        As :func:`parsimony.pipeline.fit` takes them; a graph.
    rounds
        At most, ≥ 1.
    seconds, began
        Of everything, over all resumed parts, counted from that moment of
        :func:`time.perf_counter`; from now on where left out.
    method
        Of link prediction, not made of rules itself; chosen by graph and budget where left out.
    settings
        Parameters of the method, and ``knowledge_as``, ``sure``, ``protocol`` of how a book is
        used.
    knowledge
        What is known before the first round; what a person states is never dropped.
    """

    data: Any
    out: Path
    rounds: int = 3
    seconds: float = DEFAULT_SECONDS
    began: float | None = None
    method: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    knowledge: KnowledgeBook | None = None
    device: str = "cpu"
    resume: bool = False
    mirror: str | None = None
    columns: tuple[str, str, str] | None = None
    seed: int = 0
    quiet: bool = True

    @property
    def of_book(self) -> dict[str, Any]:
        """The settings of how a book is used."""
        own = {*GuidedParameters.model_fields} - {"member"}
        return {"seed": self.seed} | {k: v for k, v in self.settings.items() if k in own}

    def member(self, method: str) -> dict[str, Any]:
        """The method and its settings.

        Raises
        ------
        InvalidParameter
            A method of another problem, or one made of rules.
        """
        cls = resolve(method)
        if not issubclass(cls, LinkEstimator) or cls.takes_knowledge or method == "blend":
            raise InvalidParameter(
                f"method {method!r} is no model that rules can be distilled from",
                remedy="for example --method redgnn",
            )
        both = {"protocol", "seed"} & set(cls.Parameters.model_fields)
        own = {*GuidedParameters.model_fields} - both
        found = {k: v for k, v in self.settings.items() if k not in own}
        if "seed" in both:
            found.setdefault("seed", self.seed)
        return {"method": method, **found}


@dataclass(frozen=True)
class LoopPlan:
    """The method, why, and what a training of it takes.

    Attributes
    ----------
    member
        The method with its settings.
    why
        Why that method, in a sentence; "" where it was named.
    """

    member: dict[str, Any]
    why: str
    estimate: Estimate
    seconds: float
    rounds: int

    def lines(self) -> list[str]:
        """Say it before the work."""
        parts = {"mining rules": MINING, "the first training": TRAINING, "the end": ENDING}
        told = ", ".join(f"{spell_duration(of * self.seconds)} for {n}" for n, of in parts.items())
        return [
            *[self.why] * bool(self.why),
            *self.estimate.lines(TRAINING * self.seconds),
            f"up to {self.rounds} rounds within {spell_duration(self.seconds)}: at most {told}; "
            "the rest for what rules are worth, distilling and checking",
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it, JSON-able."""
        return {
            "method": self.member["method"], "why": self.why, "budget": self.seconds,
            "rounds": self.rounds, "estimate": self.estimate.as_dict(),
        }  # fmt: skip


def plan_of(request: LoopRequest, task: LinkTask) -> LoopPlan:
    """Choose the method, and estimate its training by a few steps that teach nothing."""
    if request.rounds < 1:
        raise InvalidParameter(f"{request.rounds} rounds", remedy="rounds=1 or more")
    if request.method is not None:
        return _planned(request, task, request.method, "")
    found = _planned(request, task, _REASONER, "")
    epoch = found.estimate.epoch_seconds or 0.0
    fits = epoch * LEAST_EPOCHS <= TRAINING * request.seconds
    why = f"an epoch of {_REASONER} takes about {spell_duration(epoch)} on this graph"
    if fits or task.inductive:
        return _planned(request, task, _REASONER, f"{_REASONER}: {why}", found.estimate)
    return _planned(
        request, task, _EMBEDDING,
        f"{_EMBEDDING}: {why}, too long for {spell_duration(request.seconds)} (--method)",
    )  # fmt: skip


def _planned(
    request: LoopRequest, task: LinkTask, method: str, why: str, known: Estimate | None = None
) -> LoopPlan:
    member = request.member(method)
    given = {name: value for name, value in member.items() if name != "method"}
    estimate = known or resolve(method)(**given).estimate(task, device=request.device)
    return LoopPlan(member, why, estimate, request.seconds, request.rounds)
