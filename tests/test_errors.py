"""The tree of errors: drawn as it is, catchable at three levels, printable as JSON."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from parsimony import errors
from parsimony.errors import (
    DataError,
    MissingFile,
    ParsimonyError,
    RunError,
    TrainingDiverged,
    UnknownRelation,
    UsageError,
    suggest,
)

CLASSES = [
    value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, ParsimonyError) and not name.startswith("_")
]


def test_the_drawing_shows_every_class_and_no_other():
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__)) | {"ParsimonyError"}
    assert drawn == {cls.__name__ for cls in CLASSES}
    assert set(errors.__all__) == drawn | {"suggest"}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_keeps_its_parts(cls):
    error = cls("it is wrong", remedy="mend it", where="a.txt:3")
    assert str(error) == "a.txt:3: it is wrong; mend it"
    assert error.to_dict() == {
        "type": cls.__name__,
        "message": "it is wrong",
        "remedy": "mend it",
        "where": "a.txt:3",
    }
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert again.to_dict() == error.to_dict()
    assert str(cls("bare")) == "bare"
    assert "where" not in cls("bare").to_dict()


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_exit_codes(cls):
    usage_or_input = issubclass(cls, (UsageError, DataError, RunError))
    assert cls.exit_code == (2 if usage_or_input else 1)


def test_three_levels():
    for level in (MissingFile, DataError, ParsimonyError):
        with pytest.raises(level):
            raise MissingFile("nothing there")
    assert not issubclass(TrainingDiverged, (UsageError, DataError, RunError))


def test_unknown_names_suggest_and_count():
    error = UnknownRelation.of("treets", ["treats", "causes"], where="train.txt:17")
    assert str(error) == (
        "train.txt:17: unknown relation 'treets'; did you mean 'treats'? (2 relations known)"
    )
    assert "use one of the known relations" in str(UnknownRelation.of("x", ["treats"]))


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("famly", ["family", "umls"], "did you mean 'family'?"),
        ("UMLS", ["family", "umls"], "did you mean 'umls'?"),
        ("KETOKONAZOLE", ["Ketoconazole", "Itraconazole"], "did you mean 'Ketoconazole'?"),
        ("zzz", ["family"], ""),
        ("a", [], ""),
        ("entity_0x012", [f"entity_{i:05}" for i in range(30_000)], "did you mean 'entity_"),
    ],
)
def test_suggest(name, known, hint):
    assert suggest(name, known).startswith(hint)
    assert bool(suggest(name, known)) == bool(hint)
