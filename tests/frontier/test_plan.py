"""What a budget is spent on, given what runs cost."""

from __future__ import annotations

import dataclasses

import pytest

from parsimony.frontier.affordable import Bounds, affordable
from parsimony.frontier.costs import Cost, _between, fraction, seconds_of
from parsimony.frontier.families import Family, Size, families

WHOLE = (1.0,)
FREE = Bounds((1, 3), (0, 4), (4, 6))


def family(name, side, n=8, main=True):
    return Family(
        name, side, tuple(Size(f"d = {2**k}", "complex", {}, 2.0**k) for k in range(n)), "", main
    )


BOTH = (family("rules", "knowledge"), family("ComplEx", "scaled"))
MORE = (*BOTH, family("AdaProp", "knowledge", main=False))


def flat(some, seconds=1.0):
    return {f.name: {size.label: Cost(seconds, seconds / 3) for size in f.sizes} for f in some}


def costs_that_grow(some, once=0.0):
    return {
        f.name: {size.label: Cost(size.about, size.about / 3, once) for size in f.sizes}
        for f in some
    }


@pytest.mark.parametrize(
    ("seconds", "sizes", "seeds", "trials", "families"),
    [
        (8, 4, 1, 0, 2),  # two families at the fewest sizes of a law
        (12, 6, 1, 0, 2),  # sizes first
        (24, 6, 2, 0, 2),  # then seeds
        (36, 6, 3, 0, 2),
        (40.1, 6, 3, 0, 2),  # one trial, of the defaults, would tune nothing
        (44.1, 6, 3, 2, 2),  # then trials of tuning
        (52.1, 6, 3, 4, 2),
        (78.1, 6, 3, 4, 3),  # then the other families
        (110, 8, 3, 4, 3),  # then more sizes
    ],
)
def test_a_budget_goes_to_sizes_then_seeds_then_tuning_then_others(
    seconds, sizes, seeds, trials, families
):
    found = affordable(MORE, flat(MORE), seconds, WHOLE, FREE)
    assert (found.seeds, found.trials, len(found.families)) == (seeds, trials, families)
    assert {len(family.sizes) for family in found.families} == {sizes}
    assert seconds_of(found.families, flat(MORE), seeds=seeds, trials=trials, shares=WHOLE) <= (
        seconds
    )


def test_what_is_planned_fits_and_large_sizes_go_before_families():
    costs = costs_that_grow(BOTH)
    found = affordable(BOTH, costs, 70.0, WHOLE, FREE)
    assert [len(f.sizes) for f in found.families] == [5, 5]
    assert [f.sizes[-1].about for f in found.families] == [16.0, 16.0]
    assert seconds_of(found.families, costs, seeds=1, trials=0, shares=WHOLE) <= 70


def test_what_is_not_known_is_left_out_unless_it_was_named_or_a_side_had_none():
    costs = flat(BOTH[:1])
    found = affordable(MORE, costs, 1e3, WHOLE, FREE)
    assert [f.name for f in found.families] == ["rules", "ComplEx"]
    assert [len(f.sizes) for f in found.families] == [6, 4] and found.seeds == 1
    named = affordable(MORE, costs, 1.0, WHOLE, dataclasses.replace(FREE, required=True))
    assert [len(f.sizes) for f in named.families] == [4, 4, 4]


def test_compiling_is_paid_once_and_fewer_labels_cost_less():
    costs = costs_that_grow(BOTH[:1], once=10.0)
    one = seconds_of(BOTH[:1], costs, seeds=1, trials=0, shares=WHOLE)
    two = seconds_of(BOTH[:1], costs, seeds=2, trials=0, shares=WHOLE)
    assert (one, two) == (8 * 10 + 255, 8 * 10 + 2 * 255)
    assert seconds_of(BOTH, costs, seeds=1, trials=0, shares=WHOLE) is None
    assert fraction(1.0) == 1 and 0.25 < fraction(0.01) < fraction(0.1) < 1


def test_sizes_in_between_are_read_off_and_larger_ones_grow_in_proportion():
    (embedding,) = (f for f in families("link") if f.name == "ComplEx")
    found = _between(embedding, "link", {0: 1.0, 4: 4.0})
    assert found["d = 16"].run == pytest.approx(2.0)
    assert found["d = 2048"].run == pytest.approx(4.0 * 2048 / 64)
    assert found["d = 4"].trial == pytest.approx(1 / 3)
    noisy = _between(embedding, "link", {0: 1.0, 4: 0.5})  # a larger size is never cheaper
    assert noisy["d = 64"].run == pytest.approx(1.0)
