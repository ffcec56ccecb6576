"""Rules mined in shards: what mining counts is counted ahead, on any engine, and then looked up.

Four kinds of shards, all pure functions of the facts: the paths between the ends of a range of a
relation's facts; the walks along some paths; the pairs that some of them connect, from a part of
the entities where a hub makes one path expensive; and the rules about some entities. The shards are
cut by the facts alone, counts are exact and sums of counts are, too, so that
:mod:`parsimony.knowledge.rule_mining`, which looks them up, mines the same rules with the same
counts and notes as without them.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from parsimony.graph.distinct import distinct_keys
from parsimony.knowledge import rule_paths
from parsimony.knowledge.rule_bodies import Bodies
from parsimony.knowledge.rule_branch_mining import BranchMiner
from parsimony.knowledge.rule_paths import Counted, Facts, Range
from parsimony.knowledge.rule_plan import MiningPlan
from parsimony.run.deadline import Deadline
from parsimony.run.engine import Engine
from parsimony.run.progress import Progress
from parsimony.run.shards import Shards

__all__ = ["MiningShards"]

# In a shard, about; seconds: edges gone over to count walks, and walks followed to count pairs.
EDGES, SHARD = 5e8, 2e7
_PARTS = 64  # of the entities that an expensive path starts from, at most

Array = npt.NDArray[Any]
Job = Mapping[str, Any]


@dataclass(frozen=True)
class _Paths:
    """Counts what mining of path rules asks for."""

    facts: Facts
    bodies: Bodies

    def __call__(self, kind: str, **job: Any) -> bytes:
        found: dict[str, Array] = getattr(self, kind)(**job)
        return save({name: np.ascontiguousarray(array) for name, array in found.items()})

    def paths(self, ranges: Sequence[Sequence[Any]]) -> dict[str, Array]:
        parts = [self.facts.part(Range(*each)) for each in ranges]
        return {
            "codes": np.concatenate([part.codes for part in parts]),
            "counts": np.concatenate([part.counts for part in parts]),
            "sizes": np.array([len(part.codes) for part in parts]),
            "dropped": np.array([part.dropped for part in parts]),
        }

    def walks(self, codes: Array) -> dict[str, Array]:
        return {"found": self.bodies.count_walks(codes)}

    def pairs(self, codes: Array, part: int, parts: int) -> dict[str, Array]:
        return {"found": self.bodies.count_pairs(codes, part, parts)}


@dataclass(frozen=True)
class _Branches:
    """Mines rules about the entities of a block."""

    miner: BranchMiner

    def __call__(self, kind: str, block: int) -> bytes:
        rows, left_out = self.miner.mine(block)
        return save({"rows": np.ascontiguousarray(rows), "left_out": np.array([left_out])})


class MiningShards:
    """Counts ahead on an engine; the shards are kept where a folder is given.

    Parameters
    ----------
    engine
        Where shards are counted.
    shards
        Where finished ones lie; identified by the facts and the parameters of mining.
    deadline
        When to leave the rest to the caller.
    stop
        Asked before every shard: whether to leave the rest.
    quiet
        Show no progress.
    """

    def __init__(
        self,
        engine: Engine,
        shards: Shards | None = None,
        *,
        deadline: Deadline | None = None,
        stop: Callable[[], bool] = bool,
        quiet: bool = True,
    ) -> None:
        self.engine, self.shards, self.quiet = engine, shards or Shards(), quiet
        self.deadline, self.stop = deadline or Deadline(), stop

    def paths(self, plan: MiningPlan) -> None:
        """Count what a plan will ask for."""
        facts, bodies = plan.facts, plan.bodies
        sent = copy.copy(facts)
        sent.known = {}  # what is found stays here
        function = _Paths(sent, copy.copy(bodies))
        first, whole = self.deadline.part(0.5), self.deadline.part(0.8)
        keys = plan.keys(timed=self.deadline.limited)
        self._count_paths(function, facts, keys, first)
        order = [(r, longest) for r, longest in keys if (r, longest) in facts.known]
        codes = distinct_keys(
            np.concatenate([np.zeros(0, np.int64), *(facts.known[key].codes for key in order)])
        )
        if bodies.budgeted:
            codes = distinct_keys(np.concatenate([codes, bodies.reversed(codes)]))
            bodies.known_walks = self._count_walks(function, bodies, codes, whole)
        wanted = self._wanted(plan, [key for key in order if key[1] == plan.lengths[key[0]]])
        bodies.known_pairs = self._count_pairs(function, bodies, wanted, whole)

    def branches(self, miner: BranchMiner) -> dict[int, tuple[Array, int]]:
        """Mine blocks of entities; by the number of the block."""
        jobs = [{"kind": "branches", "block": k} for k in range(len(miner.blocks))]
        names = [f"branches-{_digest(block)}" for block in miner.blocks]
        found = {}
        for k, part in self._run(_Branches(miner), jobs, names, "rules about", self.deadline):
            found[k] = part["rows"], int(part["left_out"][0])
        return found

    def _count_paths(
        self, function: _Paths, facts: Facts, keys: list[tuple[int, int]], until: Deadline
    ) -> None:
        ranges = [each for key in keys for each in facts.ranges(*key)]
        groups = _cut(np.array([each.cost for each in ranges]), rule_paths.RANGE)
        own_ranges = [[tuple(ranges[i]) for i in own] for own in groups]
        jobs = [{"kind": "paths", "ranges": own} for own in own_ranges]
        names = [f"paths-{_digest(np.array(own, float))}" for own in own_ranges]
        parts: dict[int, Counted] = {}
        for k, part in self._run(function, jobs, names, "paths of facts", until):
            ends = np.cumsum(part["sizes"])[:-1]
            split = zip(
                np.split(part["codes"], ends), np.split(part["counts"], ends), part["dropped"],
                strict=True,
            )  # fmt: skip
            for i, (codes, counts, dropped) in zip(groups[k], split, strict=True):
                parts[i] = Counted(codes, counts, int(dropped))
        of: dict[tuple[int, int], list[int]] = {}
        for i, each in enumerate(ranges):
            of.setdefault((each.relation, each.longest), []).append(i)
        for key, own in of.items():
            if all(i in parts for i in own):
                facts.known[key] = facts.joined([parts.pop(i) for i in own])

    def _count_walks(
        self, function: _Paths, bodies: Bodies, codes: Array, until: Deadline
    ) -> tuple[Array, Array]:
        groups = _cut(bodies.cost(codes)[0], EDGES)
        jobs = [{"kind": "walks", "codes": codes[own]} for own in groups]
        names = [f"walks-{_digest(codes[own])}" for own in groups]
        found = dict(self._run(function, jobs, names, "walks along bodies", until))
        done = sorted(found)
        none = np.zeros(0, np.int64), np.zeros(0)
        keys = np.concatenate([none[0], *(jobs[k]["codes"] for k in done)])
        return keys, np.concatenate([none[1], *(found[k]["found"] for k in done)])

    def _wanted(self, plan: MiningPlan, order: list[tuple[int, int]]) -> Array:
        """What will be counted, which depends on walks and budget alone, not on the counts."""
        planning = plan.bodies.planning()
        if all(key in plan.facts.known for key in plan.keys(timed=False)):
            plan.count_short(planning)
        for r, longest in order:
            known = plan.facts.known[r, longest]
            plan.count(planning, known.codes, known.counts[:, 0], plan.n - r)
        plan.facts.dropped = 0
        return planning.wanted

    def _count_pairs(
        self, function: _Paths, bodies: Bodies, codes: Array, until: Deadline
    ) -> tuple[Array, Array]:
        walks = bodies.cost(codes)[1]
        if bodies.budgeted:
            keys, counted = bodies.known_walks
            at = np.minimum(np.searchsorted(keys, codes), max(len(keys) - 1, 0))
            if len(keys):
                walks = np.where(keys[at] == codes, counted[at], walks)
        groups, jobs = [], list[dict[str, Any]]()
        for own in _cut(walks, SHARD):
            parts = int(min(max(walks[own].sum() // SHARD, 1), _PARTS)) if len(own) == 1 else 1
            for part in range(parts):
                groups.append(own)
                jobs.append({"kind": "pairs", "codes": codes[own], "part": part, "parts": parts})
        names = [f"pairs-{_digest(j['codes'])}-{j['part']}-{j['parts']}" for j in jobs]
        pairs, left = np.zeros(len(codes), np.int64), np.zeros(len(codes), np.int64)
        for own, job in zip(groups, jobs, strict=True):
            left[own] = job["parts"]
        for k, found in self._run(function, jobs, names, "pairs of bodies", until):
            pairs[groups[k]] += found["found"]
            left[groups[k]] -= 1
        return codes[left == 0], pairs[left == 0]

    def _run(
        self, function: Callable[..., bytes], jobs: Sequence[Job], names: Sequence[str],
        what: str, until: Deadline,
    ) -> Iterator[tuple[int, dict[str, Array]]]:  # fmt: skip
        def go_on() -> bool:
            return not (until.passed() or self.stop())

        with Progress(len(jobs), what, quiet=self.quiet) as progress:
            for k, content, _ in self.shards.run(
                self.engine, function, jobs, names, _is_whole, go_on
            ):
                yield k, load(content)
                progress.advance()


def _cut(costs: Array, most: float) -> list[Array]:
    """Cut consecutive items into shards; those that cost more than one by themselves are alone."""
    if not len(costs):
        return []
    heavy = costs > most
    number = np.cumsum(np.where(heavy, 0, costs)) // most + 2 * np.cumsum(heavy)
    number = number + np.r_[0, np.cumsum(heavy)[:-1]]
    return np.split(np.arange(len(costs)), np.flatnonzero(np.diff(number)) + 1)


def _digest(job: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(job).tobytes()).hexdigest()[:24]


def _is_whole(content: bytes, job: Job) -> bool:
    try:
        load(content)
    except (SafetensorError, ValueError):
        return False
    return True
