"""What is made ahead comes in order, its errors where they belong, and no thread stays."""

from __future__ import annotations

import threading

import pytest

from parsimony.store.ahead import ahead


def counting(made, n, error=None):
    for i in range(n):
        made.append(i)
        yield i
    if error is not None:
        raise error


@pytest.mark.parametrize("most", [1, 2, 5])
def test_in_order(most):
    before = threading.active_count()
    assert [*ahead(range(20), most)] == [*range(20)]
    assert [*ahead([], most)] == []
    assert threading.active_count() == before


def test_the_next_is_made_before_it_is_asked_for():
    reached = threading.Event()

    def items():
        yield 0
        reached.set()
        yield 1

    for item in ahead(items()):
        if item == 0:
            assert reached.wait(60)


def test_an_error_comes_behind_what_was_made_before_it():
    got = []
    with pytest.raises(ValueError, match="third"):
        for item in ahead(counting([], 2, ValueError("third")), 5):
            got.append(item)
    assert got == [0, 1]


def test_whoever_stops_asking_stops_the_making():
    made, before = [], threading.active_count()
    with pytest.raises(KeyError):
        for item in ahead(counting(made, 1000), 2):
            if item == 3:
                raise KeyError(item)
    assert threading.active_count() == before
    assert len(made) <= 7
