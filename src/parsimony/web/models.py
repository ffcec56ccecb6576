"""What the HTTP interface takes and gives (docs/http.md), as the OpenAPI document shows it.

An answer is the object that the verb prints with ``--json``; what a page needs beside it stands
under ``about``, so that a program that reads ``--json`` reads this as well.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

__all__ = [
    "Adapt", "Answered", "Asked", "Batch", "BookEntry", "BookShown", "BringIn", "Candidate", "Card",
    "Comparison", "Counterfactual", "CounterfactualFound", "Entities", "Entity", "EntryText",
    "Explain", "Explained", "Fact", "Failure", "FitAsked", "FitShown", "FitsListed",
    "FrontierShown", "FrontiersListed", "Item",
    "JobAsked", "JobShown", "Kind", "Measured", "Molecule", "NewDrug", "Pair", "PathShown",
    "Problem", "QueryShown", "Question", "RelationShown", "Relations", "RuleShown", "Rules",
    "RunShown", "Runs", "SecondOpinion", "SecondOpinionFound", "Side", "Similar", "SimilarEntity",
    "Strike", "StrikeFound", "Struck", "StructuredStep", "SurprisingKind", "WhatElse",
    "WhatElseFound",
]  # fmt: skip

MOST_TOP = 1000
MOST_CANDIDATES = 10_000
MOST_QUESTIONS = 1000
MOST_FACTS = 1000

Name = Annotated[str, StringConstraints(max_length=2000)]
Top = Annotated[int, Field(ge=1, le=MOST_TOP, description="Most answers.")]
Side = Literal["head", "tail"]


class Asked(BaseModel):
    """What is asked; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class Shown(BaseModel):
    """What is answered; keys that a method adds are kept."""

    model_config = ConfigDict(extra="allow")


# ---- errors ----------------------------------------------------------------------------------


class Problem(Shown):
    """An error: what is wrong, what to do, and where the input is wrong, if it is."""

    type: str
    message: str
    remedy: str
    where: str | None = None


class Failure(Shown):
    """The body of every answer with a status of 400 or more."""

    error: Problem


# ---- runs ------------------------------------------------------------------------------------


class RunShown(Shown):
    """A run that is served.

    ``can`` lists what it can be asked: of predict, explain, strike, what-else, counterfactual,
    bring-in, second-opinion, similar, rules, book, pair, partners, add-drug, adapt.
    """

    id: str = Field(description="Its name in addresses.")
    kind: Literal["link", "ddi", "molecules", "coldstart"]
    method: str
    data: str
    hash: str = Field(description="Of the sealed folder: changes when the run does; the ETag.")
    can: list[str]
    caution: str = Field("", description="A sentence to stand on every page and export.")


class Runs(Shown):
    """All runs served."""

    runs: list[RunShown]
    version: str


class Card(RunShown):
    """What is known of a run.

    ``data_info`` has the counts and the source, ``metrics`` what ``evaluate`` measured on each
    split, ``ledger`` the cost, ``config`` the parameters.
    """

    data_info: dict[str, Any]
    metrics: dict[str, Any]
    ledger: dict[str, Any]
    config: dict[str, Any]
    calibration: str
    notes: list[str]


class Comparison(Shown):
    """What ``parsimony compare --json`` prints."""

    runs: list[dict[str, Any]]


# ---- entities --------------------------------------------------------------------------------


class Entity(Shown):
    """An entity, a drug, or an item."""

    name: str = Field(description="As it is asked about: the id in the data.")
    label: str
    types: list[str] = []
    degree: int = Field(0, description="Facts, known interactions or ratings that it has.")
    match: str = Field("", description="exact, start, word, inside or near: how it was found.")


class Entities(Shown):
    """Entities that a search found, the best first."""

    query: str
    entities: list[Entity]
    total: int = Field(description="How many there are in all, without a limit; 'near' not counted")
    notes: list[str] = []


class RelationShown(Shown):
    """A relation; ``as_head`` and ``as_tail`` count the entity's own facts."""

    name: str
    facts: int
    as_head: int | None = None
    as_tail: int | None = None


class Relations(Shown):
    """Relations; those that an entity has come first where one was named."""

    relations: list[RelationShown]


# ---- answers ---------------------------------------------------------------------------------


class Question(Asked):
    """(head, relation, ?) or (?, relation, tail); give one of the ends."""

    head: Name | None = None
    relation: Name
    tail: Name | None = None
    top: Top = 10
    candidates: Annotated[list[Name], Field(max_length=MOST_CANDIDATES)] | None = None
    drop_known: bool = False
    type: Name | None = Field(None, description="Only answers of this type.")


class Candidate(Shown):
    """An answer."""

    entity: str
    score: float
    probability: float


class About(Shown):
    """Beside an answer: what a page shows of an entity, by its name."""

    label: str
    types: list[str]
    known: Literal["train", "valid", "test", "no"] = "no"


class QueryShown(Shown):
    """A question by names: a relation, and the end that is known; of an explanation both."""

    head: str | None = None
    relation: str
    tail: str | None = None

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if self.head is None and self.tail is None:
            raise ValueError("neither a head nor a tail")
        return self


class Answered(Shown):
    """What ``parsimony predict --json`` prints, and ``about``: entity → label, types, known."""

    query: QueryShown
    answers: list[Candidate]
    notes: list[str]
    about: dict[str, About] = {}


class Batch(Asked):
    """Many questions: an NDJSON line is streamed for each, in their order."""

    questions: Annotated[list[Question], Field(min_length=1, max_length=MOST_QUESTIONS)]


class Explain(Asked):
    """The answer to be explained; of drugs the relation may be left out."""

    head: Name
    relation: Name | None = None
    tail: Name
    side: Side | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    full: bool = Field(True, description="With the sub-digraph and the labels.")


class Kind(Shown):
    """A kind of path: its steps as (relation, direction), in words, and the paths that are of it.

    ``paths`` are positions among the explanation's paths. ``rule`` is the rule of that body, with
    the evidence counted on the training facts, where one was counted.
    """

    steps: list[tuple[str, Literal["forward", "inverse"]]]
    text: str
    paths: list[int]
    rule: str | None = None
    support: int | None = None
    confidence: float | None = None


class StructuredStep(Shown):
    """An edge of a path with where it comes from: the split that states it."""

    fact: tuple[str, str, str]
    stated: str


class PathShown(Shown):
    """A path: each step a fact as stated, and whether it is walked "forward" or "inverse"."""

    weight: float | None
    steps: list[tuple[str, str, str, Literal["forward", "inverse"]]]


class RuleShown(Shown):
    """A rule as text, with its counts where it was counted."""

    text: str
    support: int | None = None
    confidence: float | None = None


class Explained(Shown):
    """What ``parsimony explain --json`` prints, and ``kinds``, ``edges``.

    ``view`` is there with ``full``: the figures, sentences and the picture that a page shows.
    """

    query: QueryShown
    score: float | None
    paths: list[PathShown]
    rules: list[RuleShown]
    notes: list[str]
    kinds: list[Kind] = []
    edges: list[StructuredStep] = []
    view: dict[str, Any] = {}


# ---- striking out ----------------------------------------------------------------------------

Fact = tuple[Name, Name, Name]


class Strike(Asked):
    """A question, and the evidence to be struck out.

    Of a run of pairs ``head`` and ``tail`` are the two drugs, and ``facts`` are struck out.
    ``kinds`` are steps as in an explanation's ``kinds``; every fact on a walk of that kind from
    the entity asked about to ``answer`` goes. ``rules`` are rules as text, of a run of rules.
    """

    head: Name | None = None
    relation: Name | None = None
    tail: Name | None = None
    top: Top = 10
    answer: Name | None = Field(None, description="The answer whose rank is followed.")
    facts: Annotated[list[Fact], Field(max_length=MOST_FACTS)] = []
    nodes: Annotated[list[Name], Field(max_length=100)] = []
    relations: Annotated[list[Name], Field(max_length=100)] = []
    kinds: Annotated[
        list[
            Annotated[
                list[tuple[Name, Literal["forward", "inverse"]]], Field(min_length=1, max_length=6)
            ]
        ],
        Field(max_length=20),
    ] = []
    rules: Annotated[list[Name], Field(max_length=100)] = []


class Standing(Shown):
    """Where an answer stands: rank 1 is best, known answers other than it are left out."""

    score: float | None
    probability: float | None
    rank: float


class Struck(Shown):
    """An answer before and after."""

    entity: str
    before: Standing
    after: Standing


class StrikeFound(Shown):
    """The answers before and after; ``struck`` lists the facts that were taken out."""

    before: dict[str, Any] = Field(description="Answered, or what pair gives.")
    after: dict[str, Any]
    answer: Struck | None
    struck: list[Fact]
    n_struck: int
    method: str
    notes: list[str]


class WhatElse(Asked):
    """What else a kind of path leads to: other answers, and others that have this answer."""

    head: Name
    relation: Name
    tail: Name
    side: Side = "tail"
    steps: Annotated[
        list[tuple[Name, Literal["forward", "inverse"]]], Field(min_length=1, max_length=6)
    ]
    top: Top = 20


class Item(Shown):
    """An entity that the kind of path leads to, how often, and whether the fact is known."""

    entity: str
    label: str
    walks: int
    known: Literal["train", "valid", "test", "no"]


class WhatElseFound(Shown):
    """``answers``: of the same entity; ``entities``: others with the same answer."""

    text: str
    answers: list[Item]
    entities: list[Item]
    notes: list[str]


class Counterfactual(Asked):
    """Which few facts hold up an answer: without them it is no longer among the first ``beyond``.

    ``among`` restricts the facts to some relations.
    """

    head: Name
    relation: Name
    tail: Name
    side: Side = "tail"
    beyond: Annotated[int, Field(ge=1, le=MOST_TOP)] = 10
    most: Annotated[int, Field(ge=1, le=50, description="Most facts taken out.")] = 10
    among: Annotated[list[Name], Field(max_length=100)] | None = None


class Removal(Shown):
    """A fact taken out, or added, and where the answer stands then."""

    fact: Fact
    score: float | None
    rank: float


class CounterfactualFound(Shown):
    """``facts``: none of them can be left out (each was tried alone); empty if none were found."""

    found: bool
    facts: list[Fact]
    before: Standing
    after: Standing
    steps: list[Removal]
    method: str
    notes: list[str]


class BringIn(Asked):
    """Which few facts would bring an answer among the first ``within``.

    ``among`` restricts the facts to some relations.
    """

    head: Name
    relation: Name
    tail: Name
    side: Side = "tail"
    within: Annotated[int, Field(ge=1, le=MOST_TOP)] = 10
    most: Annotated[int, Field(ge=1, le=20, description="Most facts added.")] = 5
    among: Annotated[list[Name], Field(max_length=100)] | None = None


# ---- without the model -----------------------------------------------------------------------


class SecondOpinion(Asked):
    """Kinds of paths between both ends that degrees do not explain."""

    head: Name
    relation: Name
    tail: Name
    side: Side = "tail"
    top: Top = 20
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


class SurprisingKind(Shown):
    """A kind of path: how many there are and would be by chance; ``q`` is p after correction."""

    steps: list[tuple[str, Literal["forward", "inverse"]]]
    text: str
    paths: int
    expected: float
    p: float
    q: float
    draws: int


class SecondOpinionFound(Shown):
    """Kinds, the most surprising first, of ``tested`` that could join the ends."""

    kinds: list[SurprisingKind]
    tested: int
    longest: int
    method: str
    notes: list[str]


class SimilarEntity(Shown):
    """An entity and how similar it is, at most 1."""

    name: str
    label: str
    types: list[str] = []
    similarity: float


class Similar(Shown):
    """Entities like another one, the most similar first; ``measure`` says by what."""

    entity: str
    similar: list[SimilarEntity]
    measure: str
    notes: list[str]


# ---- rules and the book ----------------------------------------------------------------------


class Rules(Shown):
    """What ``parsimony rules --json`` prints."""

    rules: list[dict[str, Any]]
    notes: list[str]


class EntryText(Asked):
    """A rule or an axiom as text."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class BookEntry(Shown):
    """An entry of the book; ``id`` is its own as long as the server knows it."""

    id: str
    kind: Literal["rule", "axiom"]
    text: str
    clause: str
    relation: str
    support: int
    of: int
    confidence: float
    origin: str
    edited: bool = Field(False, description="Whether the person wrote or changed it.")


class BookShown(Shown):
    """The book of a run with a person's edits."""

    entries: list[BookEntry]
    total: int
    edits: int
    forgotten: list[BookEntry]
    symbol: str | None = None
    formula: str | None = None
    notes: list[str] = []


class Measured(Shown):
    """An entry measured on the training facts."""

    text: str
    measured: str
    support: int
    of: int
    confidence: float
    verdict: str


# ---- drugs, molecules, ratings ---------------------------------------------------------------


class Pair(Asked):
    """Two drugs, by id, external id or name."""

    drugs: Annotated[list[Name], Field(min_length=2, max_length=2)]
    top: Top = 5


class NewDrug(Asked):
    """A drug that is not in the data, and what is known of it: the keys of ``--file NEW.toml``."""

    model_config = ConfigDict(extra="forbid")
    name: Name
    smiles: Annotated[str, StringConstraints(max_length=5000)] = ""
    facts: Annotated[list[tuple[Name, Name]], Field(max_length=MOST_FACTS)] = Field(
        [], description="(relation, entity) of the graph."
    )
    enzymes: Annotated[list[Name], Field(max_length=100)] = []
    targets: Annotated[list[Name], Field(max_length=100)] = []
    transporters: Annotated[list[Name], Field(max_length=100)] = []
    top: Top = 20


class Molecule(Asked):
    """A labelled molecule, or a rated item."""

    smiles: Annotated[str, StringConstraints(max_length=5000)] | None = None
    label: Annotated[int, Field(ge=0, le=1)] | None = None
    item: Name | None = None
    rating: float | None = None


class Adapt(Asked):
    """A new task (molecules with labels) or a new user (items with ratings)."""

    support: Annotated[list[Molecule], Field(max_length=1000)]
    predict: Annotated[list[Annotated[str, StringConstraints(max_length=5000)]],
                       Field(min_length=1, max_length=MOST_CANDIDATES)]  # fmt: skip
    prevalence: Annotated[float, Field(gt=0, lt=1)] | None = None
    top: Top = 3
    atoms: bool = Field(False, description="Whether to say what each atom adds to the score.")


# ---- jobs ------------------------------------------------------------------------------------


class JobAsked(Asked):
    """A long question that is waited for: ``ask`` names the route, ``body`` is what it takes."""

    run: Name
    ask: Literal[
        "strike", "counterfactual", "bring-in", "second-opinion", "what-else", "explain", "predict"
    ]
    body: dict[str, Any]


class JobShown(Shown):
    """A job: its result is there when it is done, its error when it failed.

    ``before``: jobs that have to end before it begins.
    """

    id: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    seconds: float
    before: int = 0
    result: dict[str, Any] | None = None
    error: Problem | None = None


# ---- frontiers -------------------------------------------------------------------------------


class FrontierShown(Shown):
    """A frontier of accuracy against size: two families on the same data, and what was found."""

    id: str
    data: str
    axis: str
    metric: str
    families: list[str]
    sentence: str
    finished: bool
    runs: dict[str, int] = Field(description="How many were planned, done, and not.")
    figure: bool = Field(description="Whether there is a drawing.")
    notes: list[str]


class FrontiersListed(Shown):
    """All that are served."""

    frontiers: list[FrontierShown]


# ---- fits ------------------------------------------------------------------------------------


class FitAsked(Asked):
    """A fit: what ``parsimony fit`` takes of it. ``data`` is a name that ``GET /fits`` lists."""

    data: Name
    method: Annotated[str, StringConstraints(max_length=100)] = "auto"
    epochs: Annotated[int, Field(ge=1, le=100_000)] | None = None
    seconds: Annotated[float, Field(gt=0, le=864_000, description="The time budget.")] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    settings: Annotated[
        dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,60}$")],
             bool | int | Annotated[float, Field(allow_inf_nan=False)]],
        Field(max_length=50, description="Parameters that are numbers, true or false."),
    ] = {}  # fmt: skip


class FitShown(Shown):
    """A fit as it stands; ``history, heats, log, epoch, seconds_left`` where one is asked for.

    Of a long ``history`` up to 1,000 epochs are sent, the last among them.
    """

    id: str
    data: str
    method: str
    state: Literal["running", "stopping", "stopped", "finished", "failed"]
    seconds: float
    usable: bool = Field(description="Whether there is a run that can be served.")
    resumable: bool
    served: str | None = Field(None, description="The id of the run, once it is served.")
    memory: int | None = Field(None, description="Most bytes that it may take.")
    error: Problem | None = None


class FitsListed(Shown):
    """All fits, the latest first; ``data`` is what can be learned from, with its methods."""

    enabled: bool
    data: list[dict[str, Any]]
    fits: list[FitShown]
    most: int = Field(0, description="That run at a time.")
    memory: int = Field(0, description="Most bytes that one may take.")
