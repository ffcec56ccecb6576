"""Figures and words: ticks on short axes, both themes and widths, parts of the queries."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from tests.frontier.planted import SIZES, planted_rows

from parsimony.frontier.analysis import analyse
from parsimony.frontier.figures import frontier_figure
from parsimony.frontier.look import LOOKS, ticks
from parsimony.frontier.stratum_figure import stratum_error, stratum_figure
from parsimony.frontier.words import named, verdict


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return planted_rows(tmp_path_factory.mktemp("rows"), seeds=2, queries=100)


@pytest.fixture(scope="module")
def found(results):
    return analyse(results, "parameters", draws=60)[0]


@pytest.mark.parametrize(
    ("low", "high"), [(0.62, 0.69), (0.01, 0.9), (1e3, 2.5e3), (4e2, 3e6), (1, 1e15), (0.9, 0.95)]
)
def test_every_axis_has_ticks_that_one_can_read(low, high):
    found = ticks(low, high)
    assert 2 <= len(found) <= 8 and found == sorted(found)
    assert low <= found[0] and found[-1] <= high


@pytest.mark.parametrize("name", LOOKS)
def test_figures_have_the_colours_of_their_theme_and_name_what_they_show(found, name):
    look = LOOKS[name]
    for drawn in (frontier_figure(found, "mrr", look), stratum_figure(found, look)):
        text = drawn.decode()
        assert look.paper in text and look.of("scaled") in text and look.of("knowledge") in text
        assert "RED-GNN" in text and "ComplEx" in text
    text = frontier_figure(found, "mrr", look).decode()
    assert "1 − MRR, test" in text and "held out, as predicted" in text
    assert ("extrapolation" in text) == (found.curves["ComplEx"].reach > 1)


def test_what_is_not_drawn_has_no_key(found):
    curves = {name: dataclasses.replace(c, reach=1.0) for name, c in found.curves.items()}
    text = frontier_figure(
        dataclasses.replace(found, curves=curves, crossings=[]), "mrr", LOOKS["light"]
    ).decode()
    assert "extrapolation" not in text and "over-fitted" not in text


def test_parts_of_the_queries_are_those_of_the_sizes_of_the_curve(results, found):
    """On the labels axis a family has several sizes at a share, and one of them stands for it."""
    group = found.curves["ComplEx"].groups[0]
    both = [row.strata["relation: rare"].value for row, _ in results[:2]]
    assert stratum_error(found, group, "relation: rare") == pytest.approx(1 - sum(both) / 2)
    assert stratum_error(found, group, "nothing") is None
    shared = [
        (dataclasses.replace(row, labels_share=share, labels=int(100 * share)), folder)
        for row, folder in results
        for share in (0.1, 1.0)
    ]
    along = analyse(shared, "labels", headline_share=0.1, draws=20)[0]
    groups = along.curves["ComplEx"].groups
    assert [g.label for g in groups] == [
        "10 % of the labels, d = 512", "100 % of the labels, d = 512"
    ]  # fmt: skip
    assert stratum_figure(along, LOOKS["light"]) is not None


def test_models_are_named_in_plain_words(found):
    assert named(found.scaled) == "ComplEx (d = 512)"
    _, sentence = verdict(found, "mrr")
    assert re.search(r"RED-GNN \(d = \d+; MRR 0\.\d{3}, [\d.]+( k)? parameters\)", sentence)
    assert "RED-GNN at" not in sentence and "ComplEx at" not in sentence


def test_the_sentence_says_where_a_family_follows_no_law(found):
    curve = found.curves["ComplEx"]
    lawless = dataclasses.replace(curve, reach=1.0, summary=curve.summary | {"lawless": "it jumps"})
    crossings = [
        dataclasses.replace(each, curve=lawless) if each.curve is curve else each
        for each in found.crossings
    ]
    _, sentence = verdict(dataclasses.replace(found, crossings=crossings), "mrr")
    assert "The error of ComplEx does not follow a power law" in sentence


def test_names_of_parts_are_no_formulas(results):
    odd = [
        (dataclasses.replace(row, strata={"task: $\\frac$": row.strata["relation: rare"]}), folder)
        for row, folder in results
    ]
    drawn = stratum_figure(analyse(odd, "parameters", draws=20)[0], LOOKS["light"])
    assert "$\\frac$" in drawn.decode()


def test_a_size_of_one_seed_scatters_as_the_seeds_of_the_sizes_beside_it(tmp_path):
    """Else a family of which one size was run once would look sure of its error."""
    rows = planted_rows(tmp_path, seeds=2, queries=100)
    best = analyse(rows, "parameters", draws=200)[0].scaled
    assert best is not None
    wide, few = [], []
    for k, (row, folder) in enumerate(rows):
        if row.family != "ComplEx" or row.size == best.group.label:
            if row.size != best.group.label or row.seed == 0:
                few.append((row, folder))
            continue
        values = np.load(folder / row.values) + (0.1 if k % 2 else -0.1)
        np.save(folder / row.values, values)
        few.append((dataclasses.replace(row, value=float(values.mean())), folder))
        wide.append(k)
    found = analyse(few, "parameters", draws=200)[0].best["ComplEx"]
    assert wide and found.group.label == best.group.label and len(found.group.rows) == 1
    assert np.ptp(found.interval) > 2 * np.ptp(best.interval)


def test_where_both_sides_answer_everything_right_the_size_that_does_is_the_equivalent(tmp_path):
    """A law never reaches an error of 0, but a size that was run has: it is enough."""
    rows = []
    for row, folder in planted_rows(tmp_path, seeds=2, queries=100, knowledge=2.0):
        right = row.family == "RED-GNN" or row.parameters >= 100 * SIZES[4]
        values = np.load(folder / row.values)
        values = np.ones_like(values) if right else np.clip(values, 0.0, 1.0)
        np.save(folder / row.values, values)
        value = float(values.mean())
        rows.append((dataclasses.replace(row, value=value, value_valid=value), folder))
    found = analyse(rows, "parameters", draws=200)[0]
    (scale,) = (each.scale for each in found.crossings if each.curve.family == "ComplEx")
    assert scale.middle is not None and 100 * SIZES[3] < scale.middle < 100 * SIZES[7]
