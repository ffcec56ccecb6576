"""The embedded royal graph is what its script derives, and is consistent as a family."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/make_royal.py"


@pytest.fixture(scope="module")
def royal():
    specification = importlib.util.spec_from_file_location("make_royal", SCRIPT)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["make_royal"] = module
    specification.loader.exec_module(module)
    yield module
    del sys.modules["make_royal"]


@pytest.fixture(scope="module")
def people(royal):
    return royal.read_people(royal.ROYAL / "people.tsv")


@pytest.fixture(scope="module")
def facts(royal, people):
    return {relation: set(pairs) for relation, pairs in royal.derive(people).items()}


def rows(royal, name):
    text = (royal.ROYAL / name).read_text(encoding="utf-8")
    return [tuple(line.split("\t")) for line in text.splitlines()]


def test_shipped_files_equal_generated_ones(royal, people):
    for name, text in royal.build(people).items():
        assert (royal.ROYAL / name).read_text(encoding="utf-8") == text, f"{name} is stale"


def test_known_history(facts):
    assert ("Victoria_of_the_United_Kingdom", "Edward_VII_of_the_United_Kingdom") in facts["mother"]
    assert ("Edward_VII_of_the_United_Kingdom", "Wilhelm_II_of_Germany") in facts["uncle"]
    assert ("Victoria_of_the_United_Kingdom", "Alix_of_Hesse") in facts["grandmother"]
    assert ("Christian_IX_of_Denmark", "Nicholas_II_of_Russia") in facts["grandfather"]
    assert ("George_V_of_the_United_Kingdom", "Nicholas_II_of_Russia") in facts["cousin"]
    assert ("Louise_Mountbatten", "Philip_Duke_of_Edinburgh") in facts["aunt"]
    # By blood only: Edwina is the wife of his mother's brother.
    assert ("Edwina_Ashley", "Philip_Duke_of_Edinburgh") not in facts["aunt"]


def test_relations_are_consistent(people, facts):
    sex = {
        "father": "M",
        "mother": "F",
        "husband": "M",
        "wife": "F",
        "brother": "M",
        "sister": "F",
        "uncle": "M",
        "aunt": "F",
        "grandfather": "M",
        "grandmother": "F",
    }
    for relation, expected in sex.items():
        assert {people[x].sex for x, _ in facts[relation]} == {expected}, relation
    assert facts["wife"] == {(y, x) for x, y in facts["husband"]}
    assert facts["cousin"] == {(y, x) for x, y in facts["cousin"]}
    siblings = facts["brother"] | facts["sister"]
    assert siblings == {(y, x) for x, y in siblings}
    for relation, pairs in facts.items():
        assert all(x != y for x, y in pairs), relation
        assert relation != "cousin" or not pairs & siblings


def test_splits(royal, facts):
    train, valid, test = (set(rows(royal, f"{name}.txt")) for name in ("train", "valid", "test"))
    assert not (train & valid or train & test or valid & test)
    assert train | valid | test == {(x, r, y) for r, pairs in facts.items() for x, y in pairs}
    assert {r for _, r, _ in valid | test} == set(royal.INFERRED)
    for part in (valid, test):
        assert not any((y, r, x) in train for x, r, y in part if r == "cousin")
    for relation in royal.INFERRED:
        share = sum(r == relation for _, r, _ in test) / len(facts[relation])
        assert 0.18 < share < 0.22
    assert {name for (name,) in rows(royal, "entities.txt")} == {
        name for x, _, y in train for name in (x, y)
    }


@pytest.mark.parametrize(
    ("who", "changes", "message"),
    [
        ("George_VI_of_the_United_Kingdom", {"father": "Mary_of_Teck"}, "not of sex M"),
        ("Elizabeth_II_of_the_United_Kingdom", {"born": 1908}, "too young"),
        ("George_VI_of_the_United_Kingdom", {"mother": "Alexandra_of_Denmark"}, "not listed"),
    ],
)
def test_impossible_families_are_refused(royal, people, who, changes, message):
    with pytest.raises(ValueError, match=message):
        royal.validate({**people, who: people[who]._replace(**changes)})
