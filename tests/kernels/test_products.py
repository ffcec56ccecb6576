"""The form of products: measured once a machine, kept, fixed by a variable; equal numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from parsimony import LinkTask, RedGNN, datasets
from parsimony.cli import app
from parsimony.errors import InvalidParameter
from parsimony.kernels import products
from parsimony.kernels.products import VARIABLE, measured


@pytest.fixture
def free(cache, monkeypatch):
    """No form is fixed, and nothing is remembered."""
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(products, "ROUNDS", 2)
    products._measured.cache_clear()
    yield cache / "products"
    products._measured.cache_clear()


def test_the_fastest_is_measured_once_and_kept(free, monkeypatch):
    found = measured()
    assert set(found.rates) == {"small", "large"}
    for size, name in (("small", found.small), ("large", found.large)):
        rates = found.rates[size]
        assert {"tile", "blas"} <= set(rates) and min(rates.values()) > 0
        assert rates[name] == max(rates.values()) or name == "tile"
    products._measured.cache_clear()
    monkeypatch.setattr(products, "_rates", lambda size: pytest.fail("measured again"))
    assert measured() == found


def test_a_gain_within_the_noise_changes_nothing(free):
    rates = {"small": {"tile": 50.0, "blas": 54.0}, "large": {"tile": 50.0, "blas": 56.0}}
    assert products._fastest(rates).name == "tile,blas"


@pytest.mark.parametrize("damage", ["", "{}", '{"small": {"tile": 1.0}, "large": {"no": 9.0}}'])
def test_a_damaged_file_is_measured_again(free, damage):
    measured()
    (kept,) = free.iterdir()
    kept.write_text(damage)
    products._measured.cache_clear()
    assert set(measured().rates["large"]) >= {"tile", "blas"}
    assert json.loads(kept.read_text()) == measured().rates


def test_a_cache_that_is_a_file_is_no_error(free, monkeypatch):
    free.parent.write_text("")
    assert measured().rates


def test_another_processor_is_another_measurement(free, monkeypatch):
    measured()
    products._measured.cache_clear()
    monkeypatch.setattr(products, "processor", lambda: "Another One, 64 cores")
    measured()
    assert len(list(free.iterdir())) == 2


def test_the_variable_fixes_the_forms(free, monkeypatch):
    monkeypatch.setenv(VARIABLE, "tile,blas")
    assert measured().name == "tile,blas" and not free.exists()
    for wrong in ("tiel", "tile,blas,tile"):
        monkeypatch.setenv(VARIABLE, wrong)
        with pytest.raises(InvalidParameter, match=VARIABLE):
            measured()


def test_doctor_shows_both_rates(free, monkeypatch):
    told = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)["products"]
    assert told["rates"]["small"]["blas"] > 0 and told["small"] == measured().small
    line = CliRunner().invoke(app, ["doctor"]).stdout
    assert f"{told['rates']['large']['blas']:.0f}" in line
    monkeypatch.setenv(VARIABLE, "blas")
    assert "small blas, large blas (fixed by" in CliRunner().invoke(app, ["doctor"]).stdout


def test_a_run_does_not_depend_on_the_form(free, monkeypatch, tmp_path):
    task, weights = LinkTask(datasets.load("royal")), {}
    for name in ("tile", "blas"):
        monkeypatch.setenv(VARIABLE, name)
        model = RedGNN(dim=8, attention_dim=3, n_layers=2, threads=1, seed=1).fit(task, epochs=2)
        assert model.cost_.as_dict()["products"] == name
        weights[name] = model.weights_.flat.copy(), model.evaluate("valid")["metrics"]["mrr"]
    np.testing.assert_allclose(weights["blas"][0], weights["tile"][0], atol=1e-5)
    assert weights["blas"][1] == pytest.approx(weights["tile"][1], abs=1e-5)
