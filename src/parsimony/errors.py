"""The errors of Parsimony.

Every error that a user can cause belongs to this tree and can be caught at three levels::

    ParsimonyError
    ├── UsageError              the call is wrong (exit 2)
    │   ├── UnknownParameter        no such parameter or choice
    │   ├── InvalidParameter        a value outside its range or type
    │   ├── MissingExtra            an optional part is not installed
    │   └── NotFitted               an estimator is used before fit
    ├── DataError               the input is wrong (exit 2)
    │   ├── MissingFile             there is nothing at that path
    │   ├── NotAFile                a folder, a socket or a link to itself where a file should be
    │   ├── FormatError             a row or file that cannot be parsed
    │   ├── EncodingError           not UTF-8
    │   ├── EmptySplit              a split without triples
    │   ├── UnknownEntity           a name outside the entity vocabulary
    │   ├── UnknownRelation         a name outside the relation vocabulary
    │   ├── UnknownDrug             neither an id nor a name of a drug
    │   ├── UnknownSymbol           no scoring function of that name
    │   ├── UnknownDataset          neither a registered name nor a path
    │   ├── ChecksumMismatch        a file differs from its checksum
    │   ├── CorruptArchive          truncated, damaged or unsafe archive
    │   └── DownloadError           a mirror did not respond
    ├── RunError                the run folder is wrong (exit 2)
    │   ├── RunExists               a non-empty folder without ``--resume``
    │   ├── MissingRun              there is no run
    │   ├── LedgerMismatch          trials measured on other data or settings
    │   ├── CorruptRun              a file of the run is damaged or was changed
    │   ├── RunVersionError         written by another version of the run format
    │   └── CheckpointVersionError  a checkpoint that only an older version can resume
    ├── CannotWrite             a full disk, a read-only or missing folder (exit 1)
    ├── TrainingDiverged        a loss, weight or score is no longer finite (exit 1)
    ├── WorkerLost              a process that shared a training has ended (exit 1)
    └── InvalidMeasure          a measure is no finite number in its range (exit 1)

A message says what is wrong, ``where`` says at which file and line, ``remedy`` says what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar, Self

__all__ = [
    "CannotWrite",
    "CheckpointVersionError",
    "ChecksumMismatch",
    "CorruptArchive",
    "CorruptRun",
    "DataError",
    "DownloadError",
    "EmptySplit",
    "EncodingError",
    "FormatError",
    "InvalidMeasure",
    "InvalidParameter",
    "LedgerMismatch",
    "MissingExtra",
    "MissingFile",
    "MissingRun",
    "NotAFile",
    "NotFitted",
    "ParsimonyError",
    "RunError",
    "RunExists",
    "RunVersionError",
    "TrainingDiverged",
    "UnknownDataset",
    "UnknownDrug",
    "UnknownEntity",
    "UnknownParameter",
    "UnknownRelation",
    "UnknownSymbol",
    "UsageError",
    "WorkerLost",
    "suggest",
]

# Beyond this many names a fuzzy search costs seconds; only names that share a prefix are compared.
_FUZZY_LIMIT = 20_000


def suggest(name: str, known: Iterable[str], *, near: float = 0.6) -> str:
    """Return ``"did you mean 'x'?"`` for the closest known name, or ``""``.

    Parameters
    ----------
    name : str
        What was given.
    known : iterable of str
        What would have been accepted.
    near : float
        Least similarity of the spellings, in [0, 1].
    """
    names = [known_name for known_name in known if isinstance(known_name, str)]
    folded = name.casefold()
    for candidate in names:
        if candidate.casefold() == folded and candidate != name:
            return f"did you mean {candidate!r}?"
    if len(names) > _FUZZY_LIMIT:
        names = [known for known in names if known[:2].casefold() == folded[:2]][:_FUZZY_LIMIT]
    spelled: dict[str, str] = {}
    for candidate in names:
        spelled.setdefault(candidate.casefold(), candidate)
    close = difflib.get_close_matches(folded, spelled, n=1, cutoff=near)
    found = spelled[close[0]] if close else name
    return f"did you mean {found!r}?" if found != name else ""


class ParsimonyError(Exception):
    """Base of all errors that Parsimony raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong and what was expected.
    remedy : str
        What the user can do about it.
    where : str, optional
        ``file`` or ``file:line`` of the offending input.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, remedy: str = "", where: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.where = where

    def __str__(self) -> str:
        """``where: message; remedy`` without the absent parts."""
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}; {self.remedy}" if self.remedy else text

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the keyword-only parts when an error crosses a process boundary."""
        state = {"remedy": self.remedy, "where": self.where}
        return (type(self), (self.message,), state)

    def to_dict(self) -> dict[str, str]:
        """Return ``{"type", "message", "remedy", "where"?}`` as printed under ``--json``."""
        parts = {"type": type(self).__name__, "message": self.message, "remedy": self.remedy}
        if self.where is not None:
            parts["where"] = self.where
        return parts


class UsageError(ParsimonyError):
    """The call is wrong: an unknown or invalid parameter, or a part that is not installed."""

    exit_code = 2


class UnknownParameter(UsageError):
    """No parameter, method, or choice of that name."""


class InvalidParameter(UsageError):
    """A parameter's value has the wrong type or lies outside its range."""


class MissingExtra(UsageError):
    """An optional dependency is needed; the remedy names the exact install command."""


class NotFitted(UsageError, AttributeError):
    """An estimator is used before it is fitted, so its learned attributes do not exist yet."""


class DataError(ParsimonyError):
    """The input data are wrong; ``where`` names the file and line."""

    exit_code = 2


class MissingFile(DataError):
    """There is nothing at the given path."""


class NotAFile(DataError):
    """There is a folder, a device or a link to itself where a regular file is needed."""


class FormatError(DataError):
    """A file or row cannot be parsed."""


class EncodingError(DataError):
    """A text file is not UTF-8."""


class EmptySplit(DataError):
    """A split (train, valid or test) is empty."""


class _UnknownName(DataError):
    """An error about a name outside a vocabulary."""

    noun: ClassVar[str] = "name"
    plural: ClassVar[str] = "names"
    #: least similarity of spelling for a suggestion, and what is said where nothing is that near
    near: ClassVar[float] = 0.6
    otherwise: ClassVar[str] = "use one of the known {}"

    @classmethod
    def of(
        cls, name: str, known: Iterable[str], *, where: str | None = None, n: int | None = None
    ) -> Self:
        """Build the error with a suggestion and the number of known names.

        Parameters
        ----------
        name : str
            The unknown name.
        known : iterable of str
            The vocabulary it was looked up in.
        where : str, optional
            ``file:line`` where the name was read.
        n : int, optional
            How many names there are, where ``known`` holds only those that it may be.
        """
        names = list(known)
        n = len(names) if n is None else n
        hint = suggest(name, names, near=cls.near) or cls.otherwise.format(cls.plural)
        return cls(
            f"unknown {cls.noun} {name!r}",
            remedy=f"{hint} ({n:,} {cls.noun if n == 1 else cls.plural} known)",
            where=where,
        )


class UnknownEntity(_UnknownName):
    """An entity name outside the vocabulary."""

    noun = "entity"
    plural = "entities"


class UnknownRelation(_UnknownName):
    """A relation name outside the vocabulary."""

    noun = "relation"
    plural = "relations"


class UnknownDrug(_UnknownName):
    """Neither an id, nor an external id, nor a name of a known drug."""

    noun = "drug"
    plural = "drugs"
    near = 0.75  # "ketokonazole" is near "ketoconazole" (.92); "coumadin" not to "ouabain" (.67)
    otherwise = "give an id or a name that the data list; brand names are not among them"


class UnknownSymbol(_UnknownName):
    """A word that is not the name of a scoring function."""

    noun = "symbol"
    plural = "symbols"


class UnknownDataset(_UnknownName):
    """Neither a registered dataset name nor an existing path."""

    noun = "dataset"
    plural = "datasets"


class ChecksumMismatch(DataError):
    """A file differs from the checksum in its manifest."""


class CorruptArchive(DataError):
    """An archive is truncated, damaged, or has members that point outside it."""


class DownloadError(DataError):
    """A mirror did not respond, or responded with an error."""


class RunError(ParsimonyError):
    """A run folder is missing, occupied, damaged or of another version."""

    exit_code = 2


class RunExists(RunError):
    """The output folder is not empty and ``--resume`` was not given."""


class MissingRun(RunError):
    """There is no run folder at that path, or it lacks what the verb needs."""


class LedgerMismatch(RunError):
    """A trial store with trials measured on other data or with other settings."""


class CorruptRun(RunError):
    """A file of a run folder is damaged or was changed after it was sealed."""


class RunVersionError(RunError):
    """A run folder written by another version of the format."""


class CheckpointVersionError(RunError):
    """A checkpoint that this version cannot resume."""


class CannotWrite(ParsimonyError, OSError):
    """A file cannot be written; what was there before is unchanged."""

    exit_code = 1


class TrainingDiverged(ParsimonyError):
    """A loss, a weight or a score is no longer finite."""

    exit_code = 1


class WorkerLost(ParsimonyError):
    """A process that computed a part of a training has ended, or did not start."""

    exit_code = 1


class InvalidMeasure(ParsimonyError):
    """A measure is not finite, or outside the range of its kind; it is not written."""

    exit_code = 1
