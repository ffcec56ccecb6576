"""Drug–drug interactions: which pairs a split evaluates, and which interactions are visible then.

Settings (docs/methods/emergnn.md): in S0 both drugs have known interactions, in S1 one of them is
emerging (none is known), in S2 both are. Training pairs are those of ``train``; validation and test
are ``valid_S1``, ``test_S1`` and so on, or ``valid`` and ``test`` where a folder has only these.
While test pairs are evaluated, the interactions of train and of validation are known, as published,
or those of train alone (``test_graph="train"``).

Pairs have one type each, or several labels (:mod:`parsimony.ddi.labelling`); then each is compared
with a negative, drawn once for validation and test and anew for every epoch of training.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony.base import Data, Task, TaskOptions
from parsimony.ddi.background import Background, load_background
from parsimony.ddi.data import DDIData
from parsimony.ddi.folder import load_ddi
from parsimony.ddi.labelling import MultiLabel, SingleLabel
from parsimony.ddi.negatives import unordered
from parsimony.ddi.targets import PairTargets
from parsimony.decoding import load_array
from parsimony.errors import CorruptRun, DataError, EmptySplit, InvalidParameter
from parsimony.metrics.subgroups import buckets
from parsimony.run.seeds import rng

IntArray = npt.NDArray[np.int32]
Setting = Literal["S0", "S1", "S2"]
SETTINGS: tuple[Setting, ...] = ("S0", "S1", "S2")
NEGATIVES = 0  # seed of those of validation and test


class DDIOptions(TaskOptions):
    """Options of the task, given by ``--set`` beside the method's parameters."""

    setting: Setting | None = Field(
        None, description="S0, S1 or S2: none, one or both drugs emerging; by default S1, or what "
        "the pairs are where valid.txt and test.txt do not name a setting",
    )  # fmt: skip
    split: str | None = Field(
        None, description="random, cluster, sumgnn or time, of a set with several"
    )
    graph: str | None = Field(
        None,
        description="background: hetionet, crc, layer, substructures joined by +, none, "
        "or a folder",
    )
    test_graph: Literal["train+valid", "train"] = Field(
        "train+valid", description="interactions known while test pairs are evaluated"
    )


class DDITask(Task):
    """Data and protocol of drug–drug interaction prediction.

    Parameters
    ----------
    data
        Drugs and pairs.
    options
        Setting and what is known meanwhile.
    background
        Facts about the drugs beside their pairs.
    linked
        Whether a drug has facts in the background graph, (n_drugs,), where that is not given.
    degree
        How many, where that is known; then ``linked`` follows from it.

    Raises
    ------
    EmptySplit
        No validation and no test pairs of the setting.
    DataError
        A pair of the setting S1 or S2 whose drugs are not as new as the setting requires.
    """

    kind = "ddi"
    Options = DDIOptions

    def __init__(
        self,
        data: DDIData,
        options: DDIOptions | None = None,
        background: Background | None = None,
        *,
        linked: npt.NDArray[np.bool_] | None = None,
        degree: npt.NDArray[np.integer] | None = None,
    ) -> None:
        self.data, self.options = data, options or DDIOptions()
        self.background = background or Background.of_drugs(data)
        if background is not None and len(background.triples):
            degree = background.degree[: data.n_drugs]
        self.degree = degree
        self.linked = linked if degree is None else degree > 0
        self._visible: dict[str, IntArray] = {}
        self._targets: dict[str, PairTargets] = {}
        self.labelling = (MultiLabel if data.multilabel else SingleLabel)(data)
        self.setting: Setting = self.options.setting or "S1"
        if self.options.setting is None:
            self.setting = self._inferred()
        if not any(self.name_of(split) in data.pairs for split in ("valid", "test")):
            raise EmptySplit(
                f"{data.name} has no pairs of the setting {self.setting}",
                remedy=f"it has {', '.join(data.pairs)}; --set setting=…",
            )
        self._check_emergence()

    def _inferred(self) -> Setting:
        """Infer the setting from the names of the splits, else from the pairs."""
        named: tuple[Setting, ...] = ("S1", "S0", "S2")
        for setting in named:
            if {f"valid_{setting}", f"test_{setting}"} & set(self.data.pairs):
                return setting
        new = [
            int(self.new(self.data.pairs[split], split).sum(1).min())
            for split in ("valid", "test")
            if len(self.data.pairs.get(split, ()))
        ]
        return named[(1, 0, 2)[min(new, default=1)]]

    def new(self, rows: IntArray, split: str) -> npt.NDArray[np.bool_]:
        """Return whether the drugs of pairs have no interaction known in a split, (n, 2)."""
        seen = np.zeros(self.data.n_drugs, bool)
        seen[self.known(split)[:, [0, 2]]] = True
        return ~seen[rows[:, [0, 2]]]

    def name_of(self, split: str) -> str:
        """Return the name of a split's pairs in the data."""
        whole = f"{split}_{self.setting}"
        only = split in self.data.pairs and whole not in self.data.pairs
        return split if split == "train" or only else whole

    def has(self, split: str) -> bool:
        """Whether a split has pairs."""
        return bool(len(self.data.pairs.get(self.name_of(split), ())))

    @property
    def n_labels(self) -> int:
        """How many labelled pairs training sees."""
        return len(self.data.pairs["train"])

    def pairs(self, split: str) -> IntArray:
        """Return the interactions of a split, int32 rows (drug1, type, drug2).

        Raises
        ------
        InvalidParameter
            No such split.
        EmptySplit
            It has no pairs.
        """
        if split not in ("train", "valid", "test"):
            raise InvalidParameter(f"split must be 'valid' or 'test'. Got {split!r}")
        rows: IntArray = self.data.pairs.get(self.name_of(split), np.empty((0, 3), np.int32))
        if not len(rows):
            raise EmptySplit(
                f"the {split} split of {self.data.name} is empty",
                remedy=f"add pairs to {self.name_of(split)}.txt, or use the other split",
            )
        return rows

    def targets(self, split: str) -> PairTargets:
        """Return the pairs of a split as they are scored and measured.

        Those with several labels have a negative each: seeded, of the same roles, and observed in
        no split.

        Raises
        ------
        InvalidParameter, EmptySplit
            As :meth:`pairs`.
        DataError
            A pair without a possible negative.
        """
        if split not in self._targets:
            observed = np.concatenate([rows[:, [0, 2]] for rows in self.data.pairs.values()])
            generator = rng(NEGATIVES, "corruptions", self.name_of(split))
            self._targets[split] = self.labelling.targets(
                self.pairs(split), self.roles, observed, generator
            )
        return self._targets[split]

    def training(
        self,
        drawn: np.random.Generator,
        chosen: npt.NDArray[np.int64] | None = None,
        new: npt.NDArray[np.bool_] | None = None,
    ) -> PairTargets:
        """Return training pairs as the targets of one epoch.

        Parameters
        ----------
        drawn
            Draws negatives from the training drugs; none is an observed training pair.
        chosen
            Numbers of pairs, as the labelling's ``pair_rows`` has them; all by default.
        new
            (n_drugs,) which drugs are treated as new, where some are: only these replace these.
        """
        known = self.data.pairs["train"]
        role = np.where(self.trained, 0, -1)
        if new is not None:
            role[new & self.trained] = 1
        rows = known if chosen is None else self.labelling.rows_of(known, chosen)
        return self.labelling.targets(rows, role, known[:, [0, 2]], drawn, training=True)

    @cached_property
    def roles(self) -> npt.NDArray[np.int64]:
        """Which drugs may replace which in a negative, (n_drugs,).

        0 with training pairs, 1 with none but validation pairs, 2 with none but test pairs, −1
        without any.
        """
        role = np.full(self.data.n_drugs, -1)
        for number, part in ((2, "test"), (1, "valid"), (0, "train")):
            for split, rows in self.data.pairs.items():
                if split.split("_")[0] == part:
                    role[rows[:, [0, 2]]] = number
        return role

    def visible(self, split: str) -> IntArray:
        """Return the interactions (drug1, type, drug2) that are known while a split is evaluated.

        No pair of the split is among them, in either order.
        """
        if split not in self._visible:
            facts = self.known(split)
            evaluated = self._unordered(self.data.pairs.get(self.name_of(split), facts[:0]))
            found = facts[~np.isin(self._unordered(facts), evaluated)]
            found.setflags(write=False)
            self._visible[split] = found
        return self._visible[split]

    def all_facts(self) -> IntArray:
        """Return every interaction that is visible in one split or another, once."""
        rows = np.concatenate([self.visible(s) for s in ("valid", "test")])
        found: IntArray = np.unique(rows, axis=0)
        return found

    def among(self, rows: IntArray, facts: IntArray) -> npt.NDArray[np.bool_]:
        """Whether each of the rows is one of the facts."""
        sizes = np.array([self.data.n_drugs, self.data.n_types, self.data.n_drugs], np.int64)
        weights = np.array([sizes[1] * sizes[2], sizes[2], 1])
        return np.isin(rows.astype(np.int64) @ weights, facts.astype(np.int64) @ weights)

    def known(self, split: str) -> IntArray:
        """Return the interactions of the splits before this one; its own pairs if the data leak."""
        known = [self.data.pairs["train"]]
        if split == "test" and self.options.test_graph == "train+valid":
            known.append(self.data.pairs.get(self.name_of("valid"), known[0][:0]))
        return np.concatenate(known)

    def _unordered(self, rows: IntArray) -> npt.NDArray[np.int64]:
        return unordered(rows[:, [0, 2]], self.data.n_drugs)

    @cached_property
    def trained(self) -> npt.NDArray[np.bool_]:
        """Whether a drug has a training interaction, (n_drugs,)."""
        known = np.zeros(self.data.n_drugs, bool)
        known[self.data.pairs["train"][:, [0, 2]]] = True
        return known

    def _check_emergence(self) -> None:
        """In S1 one drug, in S2 both drugs of every evaluated pair must have no known interaction.

        Known, not trained: while test pairs are evaluated, those of validation are known too. Nor
        visible: that leaves out the split's own pairs, and with them the leak of a pair that is
        also in train.
        """
        required = int(self.setting[1])
        for split in ("valid", "test"):
            rows = self.data.pairs.get(self.name_of(split), np.empty((0, 3), np.int32))
            wrong = np.flatnonzero(self.new(rows, split).sum(1) < required)
            if len(wrong):
                a, _, b = rows[wrong[0]]
                raise DataError(
                    f"{len(wrong):,} pairs of {self.name_of(split)} leak: their drugs have "
                    f"interactions that are known meanwhile, first {self.data.label(a)} and "
                    f"{self.data.label(b)}",
                    remedy=f"in {self.setting} {required} drug{'s' * (required > 1)} of a pair "
                    "must be new",
                )

    def emerging(self, split: str) -> IntArray:
        """Return, for every pair of a split, its new drug; drug1 where both or neither are new."""
        pairs = self.targets(split).pairs
        new = ~self.trained[pairs]
        return np.where(new[:, 0] | ~new[:, 1], pairs[:, 0], pairs[:, 1]).astype(np.int32)

    def subgroups(self, split: str) -> dict[str, npt.NDArray[np.bool_]]:
        """Return the subgroups of a split's pairs as masks (n,), by name.

        By graph edges and facts (where there is a background), by known interactions of the
        partner, and by the support of the type in training where a pair has one type.
        """
        pairs = self.targets(split).pairs
        found: dict[str, npt.NDArray[np.bool_]] = {}
        if self.linked is not None:
            linked: npt.NDArray[np.bool_] = np.all(self.linked[pairs], axis=1)
            found |= {"both drugs have graph edges": linked, "one has none": ~linked}
        if self.degree is not None:
            fewer = self.degree[pairs].min(1)
            found |= buckets("{} graph facts of the drug with fewer", fewer, (1, 50, 200))
        ends = self.labelling.pair_rows(self.visible(split))[0][:, [0, 2]].ravel()
        interactions = np.bincount(ends, minlength=self.data.n_drugs)
        known = np.where(self.trained, interactions, len(ends))[pairs].min(1)
        known[~self.trained[pairs].any(1)] = -1
        which = "less known" if self.setting == "S0" else "known"
        found |= buckets(f"{{}} interactions of the {which} drug", known, (0, 100, 300))
        if not self.labelling.multi:
            found |= self._support(self.pairs(split)[:, 1])
        return {name: kept for name, kept in found.items() if kept.any()}

    def _support(self, types: IntArray) -> dict[str, npt.NDArray[np.bool_]]:
        """Subgroups by how common the types (n,) are in training."""
        support = np.bincount(self.data.pairs["train"][:, 1], minlength=self.data.n_types)
        rare, common = (support < 50)[types], (support >= 1000)[types]
        return {
            "type with under 50 training pairs": rare,
            "type with 50 to 999": ~rare & ~common,
            "type with 1,000 and more": common,
        }

    # ---- persistence -------------------------------------------------------------------------

    @classmethod
    def open(
        cls,
        data: str | os.PathLike[str] | Data,
        settings: Mapping[str, Any],
        *,
        mirror: str | None = None,
        columns: tuple[str, str, str] | None = None,
        seed: int = 0,
    ) -> Self:
        """Load drug pairs with the background graph that belongs to them.

        Parameters
        ----------
        data
            A registered name, a folder, or loaded pairs.
        settings
            The fields of :class:`DDIOptions`, among others.
        mirror
            A folder or web address with a ``manifest.json``.
        columns, seed
            Not used: the files name their columns, and nothing is drawn.

        Raises
        ------
        InvalidParameter
            Data of another kind, or an option outside its limits.
        DataError
            The data are wrong.
        """
        options = DDIOptions.taken_from(settings)
        if isinstance(data, str | os.PathLike):
            data = load_ddi(data, split=options.split, mirror=mirror)
        if not isinstance(data, DDIData):
            raise InvalidParameter(f"these are no drug pairs: {data!r}")
        graph = options.graph or data.graph
        return cls(data, options, load_background(data, graph, mirror=mirror))

    def count(self, split: str) -> int:
        """Pairs of a split."""
        return len(self.targets(split)) if self.has(split) else 0

    def config(self) -> dict[str, Any]:
        """Return what config.toml holds of the task: its options."""
        return {"options": self.options.model_dump(exclude_none=True, mode="json")}

    def save(self, folder: Path, *, graph: bool = False) -> None:
        """Write the data of the task into a run folder's ``data/``, with the graph on request."""
        self.data.save(folder)
        if graph:
            self.background.save(folder)
        for name, known in (("linked", self.linked), ("degree", self.degree)):
            if known is not None:
                np.save(folder / f"{name}.npy", known)

    @classmethod
    def load(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        """Read what :meth:`save` wrote, with the options of a run's config.toml."""
        data = DDIData.load(folder)
        known = {
            name: load_array(path, kind=kind, ndim=1, error=CorruptRun, remedy="fit again")
            for name, kind in (("linked", "b"), ("degree", "iu"))
            if (path := folder / f"{name}.npy").exists()
        }
        for name, array in known.items():
            if len(array) != data.n_drugs:
                raise CorruptRun(
                    f"{len(array)} values of {data.n_drugs} drugs", remedy="fit again",
                    where=str(folder / f"{name}.npy"),
                )  # fmt: skip
        graph = (folder / "background.json").exists()
        background = Background.load(folder, data) if graph else None
        return cls(data, DDIOptions.of(config["options"], "the task"), background, **known)
