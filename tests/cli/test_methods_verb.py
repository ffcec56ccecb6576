"""``parsimony methods``: what there is, made from the register."""

from __future__ import annotations

import pytest

from parsimony import methods
from parsimony.problems import problem


def test_every_method_is_listed_with_its_problem(typed):
    found = typed("methods", "--json").json["methods"]
    assert [row["method"] for row in found] == methods.names()
    for row in found:
        cls = methods.resolve(row["method"])
        assert row["problem"] == cls.kind
        assert row["parameters"] == len(cls.Parameters.model_fields)
        assert row["summary"]
    some = typed("methods", "--task", "coldstart", "--json").json["methods"]
    assert [row["method"] for row in some] == methods.names("coldstart")
    assert "redgnn" in typed("methods").out


@pytest.mark.parametrize("name", methods.names())
def test_every_parameter_of_every_method_is_described(name):
    cls = methods.resolve(name)
    options = problem(cls.kind).part("task").Options
    for declared in (cls.Parameters, options):
        for row in declared.described():
            assert list(row) == ["name", "type", "default", "range", "help", "tuned"]
            assert row["help"], row
            field = declared.model_fields[row["name"]]
            assert bool(row["range"]) == any(
                type(limit).__name__ in ("Ge", "Gt", "Le", "Lt", "MultipleOf", "MinLen")
                for limit in field.metadata
            ), row
            assert row["type"] and "None" not in row["type"], row


@pytest.mark.parametrize("name", ["redgnn", "emergnn", "par", "coldnas"])
def test_one_method_tells_its_parameters_and_those_of_its_task(typed, name):
    about = typed("methods", name, "--json").json
    cls = methods.resolve(name)
    assert [row["name"] for row in about["parameters"]] == list(cls.Parameters.model_fields)
    assert all(row["help"] for row in about["parameters"])
    text = typed("methods", name).out
    for row in about["parameters"] + about["options"]:
        assert row["name"] in text


def test_an_unknown_method_is_refused_with_the_nearest(typed):
    done = typed("methods", "redgn", "--json", code=2)
    assert "did you mean 'redgnn'?" in done.json["error"]["remedy"]


def test_epochs_that_a_method_has_not_are_said_to_be_unused(typed):
    done = typed("fit", "royal", "--method", "rules", "--epochs", 3, "--set", "constants=false",
                 "--set", "max_length=2", "--out", "run", "--json")  # fmt: skip
    assert any("has no epochs: the limit of 3" in note for note in done.json["notes"])
    assert "has no epochs" in done.err
