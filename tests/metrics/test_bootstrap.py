import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsimony.errors import InvalidParameter
from parsimony.metrics import bootstrap_interval
from parsimony.metrics.bootstrap import _means


def plain(values, seed, resamples=1000, level=0.95):
    """The textbook: draw n queries, take the mean, a thousand times."""
    generator = np.random.default_rng(seed)
    means = [generator.choice(values, len(values)).mean() for _ in range(resamples)]
    return np.quantile(means, [(1 - level) / 2, (1 + level) / 2])


# Both ways of drawing: values that repeat (ranks) and values that do not.
REPEATING = 1.0 / np.random.default_rng(1).integers(1, 12, 800)
CONTINUOUS = np.random.default_rng(2).random(800)


@pytest.mark.parametrize("values", [REPEATING, CONTINUOUS])
def test_agrees_with_the_textbook(values):
    # Two estimates of the same quantiles: the Monte Carlo error of each is about 3 % of the width.
    expected = plain(values, 5, 4000)
    found = bootstrap_interval(values, 6, resamples=4000)
    width = expected[1] - expected[0]
    assert np.abs(np.array(found) - expected).max() < 0.12 * width


@pytest.mark.parametrize("values", [REPEATING, CONTINUOUS])
def test_agrees_with_the_central_limit(values):
    low, high = bootstrap_interval(values, 0, resamples=4000)
    error = values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.25 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.25 * error)


@pytest.mark.parametrize("values", [REPEATING, CONTINUOUS])
def test_same_seed_same_interval_in_any_order(values):
    shuffled = np.random.default_rng(0).permutation(values)
    assert bootstrap_interval(values, 3) == bootstrap_interval(shuffled, 3)
    assert bootstrap_interval(values, 3) != bootstrap_interval(values, 4)


@settings(max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 99))
def test_the_interval_stays_within_the_values(values, seed):
    low, high = bootstrap_interval(np.array(values), seed, resamples=50)
    rounding = 1e-12
    assert min(values) - rounding <= low <= high <= max(values) + rounding


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(1, 40))
def test_every_block_is_filled(distinct, resamples):
    values = np.tile(np.arange(1.0, 1 + distinct), 20)
    means = _means(values, np.random.default_rng(0), resamples)
    assert means.shape == (resamples,)
    assert np.all((means >= 1) & (means <= distinct))


def test_edges():
    assert bootstrap_interval(np.empty(0)) == (0.0, 0.0)
    assert bootstrap_interval(np.full(9, 0.25)) == (0.25, 0.25)
    assert bootstrap_interval(np.array([0.5])) == (0.5, 0.5)
    for wrong in ({"resamples": 0}, {"level": 0.0}, {"level": 1.0}):
        with pytest.raises(InvalidParameter):
            bootstrap_interval(np.ones(3), **wrong)


@pytest.mark.parametrize("repeating", [True, False])
def test_memory_is_bounded(repeating):
    generator = np.random.default_rng(0)
    n = 200_000
    values = 1.0 / generator.integers(1, 15_000, n) if repeating else generator.random(n)
    tracemalloc.start()
    bootstrap_interval(values, resamples=100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * 2**20  # all counts at once would be 1.5 GB and more at 1000 resamples


def test_fast_for_the_ranks_of_a_large_test_split():
    # 41,000 queries as of fb15k-237, half of them in the first places.
    generator = np.random.default_rng(0)
    values = 1.0 / np.floor(1 + generator.pareto(0.7, 41_000)).clip(1, 14_541)
    start = time.process_time()
    bootstrap_interval(values)
    assert time.process_time() - start < 5
