"""Measures of ratings do not depend on the unit that a table is written in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ratings.small_ratings import tastes
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.errors import EmptySplit
from parsimony.pipeline import fit
from parsimony.ratings import ColdStartTask
from parsimony.ratings.baselines import Means, RidgeHead

DATA = tastes()


def measured(data, method):
    model = method(shrink=1.0).fit(ColdStartTask(data))
    return model.evaluate("test")["metrics"]


@pytest.mark.parametrize("method", [Means, RidgeHead])
@settings(max_examples=20, deadline=None)
@given(exponent=st.integers(-6, 12), offset=st.integers(-10, 10))
def test_all_units_measure_the_same(method, exponent, offset):
    """Any affine map of ratings and scale; powers of two, so that nothing is rounded."""
    unit = 2.0**exponent
    other = replace(
        DATA, rating=unit * (DATA.rating + offset),
        scale=(unit * (1 + offset), unit * (5 + offset)),
    )  # fmt: skip
    here, there = measured(DATA, method), measured(other, method)
    for name in ("ndcg@3", "ndcg@5"):
        assert 0 <= here[name] <= 1
        assert there[name] == pytest.approx(here[name], abs=1e-9)
    assert there["mae"] == pytest.approx(unit * here["mae"], rel=1e-5)
    assert there["mse"] == pytest.approx(unit**2 * here["mse"], rel=1e-5)


@pytest.mark.parametrize("low, high", [(0, 1), (-10, 10), (0, 100), (1, 7873)])
def test_decimal_units_too(low, high):
    rating = low + (high - low) * (DATA.rating.astype(np.float64) - 1) / 4
    other = replace(DATA, rating=rating, scale=(low, high))
    here, there = measured(DATA, Means), measured(other, Means)
    assert there["ndcg@5"] == pytest.approx(here["ndcg@5"], abs=1e-4)


def test_yes_and_no_as_0_and_1_or_as_minus_1_and_1():
    like = (DATA.rating > 3).astype(float)
    plain = replace(DATA, rating=like, scale=(0, 1))
    signed = replace(DATA, rating=2 * like - 1, scale=(-1, 1))
    assert measured(plain, Means)["ndcg@5"] == pytest.approx(measured(signed, Means)["ndcg@5"])


def test_users_who_like_nothing_are_left_out_of_ndcg_and_counted():
    like = (DATA.rating > 3).astype(float)
    cold = np.flatnonzero(DATA.split == 2)[:3]
    like[np.isin(DATA.user, cold) & DATA.query] = 0
    task = ColdStartTask(replace(DATA, rating=like, scale=(0, 1)))
    result = Means(shrink=1.0).fit(task).evaluate("test")
    assert result["users"] == 10 and result["without_gain"] == 3
    rest = Means(shrink=1.0).fit(task).by_user("test")["ndcg@5"]
    assert np.isnan(rest).sum() == 3
    assert result["metrics"]["ndcg@5"] == pytest.approx(np.nanmean(rest))


def test_where_nobody_likes_anything_there_is_no_ndcg(tmp_path):
    like = (DATA.rating > 3).astype(float)
    like[np.isin(DATA.user, np.flatnonzero(DATA.split > 0)) & DATA.query] = 0
    data = replace(DATA, rating=like, scale=(0, 1))
    model, summary = fit(data, "means", out=tmp_path / "run")
    assert set(summary["valid"]) == {"mse", "mae"}
    assert model.evaluate("test")["without_gain"] == 10
    with pytest.raises(EmptySplit, match="nothing can be ranked"):
        model.score("test")
    for words in (["report"], ["evaluate"]):
        found = CliRunner().invoke(app, [*words, str(tmp_path / "run"), "--quiet"])
        assert found.exit_code == 0, found.stdout
