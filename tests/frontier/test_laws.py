"""Laws against a plain twin, on planted ones, and what is said at their limits."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.frontier_planted import PLANS, summary
from scipy.optimize import least_squares

from parsimony.decoding.strict_json import json_text
from parsimony.frontier.curves import DECADE, curve_of
from parsimony.frontier.draws import Draws
from parsimony.frontier.equivalent import equivalent_scale
from parsimony.frontier.groups import Group
from parsimony.frontier.law import Between, fit_laws, profile_of_floor

SIZES = 1e3 * 2.0 ** np.arange(9)


def law(n, floor=0.15, alpha=0.35, first=0.5):
    return floor + first * (np.asarray(n) / 1e3) ** -alpha


def test_power_is_what_a_plain_optimiser_finds():
    random = np.random.default_rng(0)
    for _ in range(3):
        y = law(SIZES) + random.normal(0, 0.003, len(SIZES))
        found = fit_laws(SIZES, y)

        def off(p, y=y):
            return p[0] + p[1] * (SIZES / 1e3) ** -p[2] - y

        plain = least_squares(
            off, [0.1, 0.4, 0.3], loss="huber", f_scale=1.345 * np.median(abs(y - found(SIZES)[0])),
            bounds=([0, 0, 0.01], [1, 2, 3]),
        )  # fmt: skip
        assert np.sum(off(plain.x) ** 2) == pytest.approx(
            np.sum((found(SIZES)[0] - y) ** 2), rel=0.1
        )
        assert found.alpha[0] == pytest.approx(plain.x[2], rel=0.1)
        assert found.floor[0] == pytest.approx(plain.x[0], abs=0.02)


def test_one_odd_size_does_not_bend_the_law():
    y = law(SIZES)
    y[4] += 0.1
    assert fit_laws(SIZES, y).alpha[0] == pytest.approx(0.35, abs=0.03)


def test_broken_law_is_found_and_inverted():
    bend = float(np.sqrt(SIZES[4] * SIZES[5]))
    falls = np.where(
        bend >= SIZES, (SIZES / 1e3) ** -0.1, (bend / 1e3) ** -0.1 * (SIZES / bend) ** -0.7
    )
    found = fit_laws(SIZES, 0.02 + 0.6 * falls, kind="broken")
    assert (found.alpha[0], found.later[0]) == pytest.approx((0.1, 0.7), rel=0.25)
    errors = found(SIZES)[0]
    assert [found.inverse(errors[k : k + 1])[0] for k in range(9)] == pytest.approx(SIZES)


def test_inverse_says_never_and_always():
    found = fit_laws(SIZES, law(SIZES))
    assert found.inverse(np.array([0.1]))[0] == np.inf
    flat = fit_laws(SIZES, 0.3 + 0.01 * np.arange(9))
    assert flat.scale[0] == 0
    assert flat.inverse(np.array([0.5]))[0] == 0 and flat.inverse(np.array([0.2]))[0] == np.inf


def test_profile_of_the_floor_holds_the_truth_and_never_falls_below_zero():
    floors, deviance, (low, high) = profile_of_floor(
        SIZES, law(SIZES) + np.random.default_rng(0).normal(0, 0.002, 9)
    )
    assert floors[0] == 0 and deviance.min() == 0 and 0 <= low <= 0.15 <= high


def groups_of(errors, seeds=2, valid=None):
    """Runs without values per query: seed noise alone."""
    random = np.random.default_rng(1)
    drawn = np.repeat(errors, seeds) + random.normal(0, 0.001, len(errors) * seeds)
    valid = errors if valid is None else valid
    groups = [
        Group(
            str(i), float(SIZES[i]), tuple(valid[i] + random.normal(0, 0.001, seeds)),
            tuple(range(i * seeds, (i + 1) * seeds)),
        )
        for i in range(len(errors))
    ]  # fmt: skip
    return groups, Draws(drawn, [None] * len(drawn), draws=200)


def test_overfitting_end_is_left_out_and_said():
    valid = law(SIZES)
    valid[7:] += (0.05, 0.1)
    curve = curve_of("ComplEx", "scaled", *groups_of(valid))
    assert [point.role for point in curve.points] == ["law"] * 7 + ["over-fitted"] * 2
    assert "nothing is said beyond: 7, 8" in curve.notes[0]
    assert curve.ends == (SIZES[0], SIZES[6]) and curve.reach == 1
    found = equivalent_scale(curve, np.full(200, 0.1), 1e3)
    assert found.at_least == SIZES[6] and not found.extrapolated


def test_seeds_that_agree_do_not_make_a_tiny_rise_over_fitting():
    """Of a method that draws nothing: the largest size is worse by less than a query makes."""
    valid = law(SIZES)
    valid[8] = valid[7] + 1e-4
    groups, draws = groups_of(law(SIZES))
    same = [Group(g.label, g.amount, (v, v), g.rows) for g, v in zip(groups, valid, strict=True)]
    assert all(point.role == "law" for point in curve_of("rules", "knowledge", same, draws).points)


@pytest.mark.parametrize(("rise", "role"), [(0.01, "law"), (0.2, "over-fitted")])
def test_one_seed_is_over_fitted_beyond_what_its_queries_scatter(rise, role):
    """Of 100 queries a mean error scatters by .04, though one seed shows no spread."""
    random = np.random.default_rng(0)
    errors = law(SIZES)
    values = [np.clip(e + random.normal(0, 0.3, 100), 0, None) for e in errors]
    draws = Draws(np.array([v.mean() for v in values]), values, draws=200)
    valid = errors.copy()
    valid[-1] = valid.min() + rise
    groups = [Group(str(i), float(SIZES[i]), (v,), (i,)) for i, v in enumerate(valid)]
    assert curve_of("MLP", "scaled", groups, draws).points[-1].role == role


@pytest.mark.parametrize(
    ("errors", "why"),
    [
        (0.4 + 0.002 * np.arange(9), "of the draws alone"),
        (law(SIZES) + 0.08 * np.array([0, 1, -1, 1, -1, 1, -1, 1, 0]), "scatter about it"),
        (np.where(np.arange(9) < 7, law(SIZES), law(SIZES[6]) + 0.08), "predict none"),
    ],
)
def test_of_a_family_that_follows_no_law_nothing_is_extrapolated(errors, why):
    curve = curve_of("rules", "knowledge", *groups_of(errors, valid=law(SIZES)))
    assert why in curve.summary["lawless"] and curve.reach == 1
    assert any("does not follow a power law" in note for note in curve.notes)
    never = equivalent_scale(curve, np.full(200, errors.min() - 0.05), 1e3)
    assert (never.at_least, never.middle, never.extrapolated) == (SIZES[-1], None, False)
    always = equivalent_scale(curve, np.full(200, errors.max() + 0.05), 1e6)
    assert (always.at_most, always.verdict) == (SIZES[0], "less")


@pytest.mark.parametrize("wrong", [0, 1])
@pytest.mark.parametrize("right", [1, 3, 6])
def test_sizes_that_answer_everything_right_have_a_law_or_none_and_all_numbers_are_finite(
    right, wrong
):
    """An error of 0 has no logarithm; of one query of 100 it could not be told from .005."""
    random = np.random.default_rng(1)
    values = [np.clip(e + random.normal(0, 0.3, 100), 0, None) for e in law(SIZES)]
    for own in values[-right:]:
        own[:] = 0.0
        own[:wrong] = 0.5
    errors = np.array([v.mean() for v in values])
    draws = Draws(errors, values, draws=200)
    groups = [Group(str(i), float(SIZES[i]), (e,), (i,)) for i, e in enumerate(errors)]
    curve = curve_of("rules", "knowledge", groups, draws)
    assert json_text(curve.summary)
    for never in (np.zeros(200), np.full(200, 0.9)):
        found = equivalent_scale(curve, never, 1e3)
        assert found is not None and json_text(found.as_dict())


def test_between_sizes_errors_are_joined_on_two_logarithms():
    found = Between(SIZES[:3], np.array([[0.4, 0.1, 0.2], [0.4, 0.2, 0.1]]))
    middle = np.sqrt(SIZES[0] * SIZES[1])
    assert found(np.array([middle]))[0, 0] == pytest.approx(0.2)
    assert found.inverse(np.array([0.2, 0.2])) == pytest.approx([middle, SIZES[1]])
    assert found.inverse(np.array([0.05, 0.5])).tolist() == [np.inf, 0.0]


def test_too_few_sizes_have_no_law_and_say_so():
    curve = curve_of("rules", "knowledge", *groups_of(law(SIZES)[:3]))
    assert curve.laws is None and "needs 4 sizes that differ, and there are 3" in curve.notes[0]
    assert equivalent_scale(curve, np.full(200, 0.2), 1.0) is None


def test_sizes_of_one_amount_are_one_size():
    groups, draws = groups_of(law(SIZES))
    groups[8] = Group("8", groups[7].amount, groups[8].valid, groups[8].rows)
    curve = curve_of("rules", "knowledge", groups, draws)
    assert curve.points[-1].label == "7 = 8" and curve.points[-1].seeds == 4


def test_nothing_is_said_beyond_a_decade():
    curve = curve_of("ComplEx", "scaled", *groups_of(law(SIZES)))
    assert curve.reach == DECADE and not curve.summary["lawless"]
    found = equivalent_scale(curve, np.full(200, 0.149), 1e3)  # below the floor
    assert found is not None and found.verdict == "more"
    assert found.high is None and found.middle is None
    assert found.at_least == pytest.approx(10 * SIZES[-1]) and found.extrapolated


def test_draws_of_queries_are_shared_by_runs():
    """A draw of easy queries is easy for everybody: differences keep the noise of runs alone."""
    random = np.random.default_rng(0)
    hard = random.normal(0, 0.3, 500)
    values = [hard + 0.5 + random.normal(0, 0.01, 500) for _ in range(2)]
    draws = Draws(np.array([v.mean() for v in values]), values)
    one, other = draws.means([[0], [1]]).T
    assert one.std() == pytest.approx(0.3 / np.sqrt(500), rel=0.15)
    assert (one - other).std() < 0.1 * one.std()


def test_planted_laws_are_covered_and_the_verdict_is_theirs():
    """A small part of what benchmarks/frontier_planted.py does on 300 draws."""
    wins, loses = (summary(plan, 12, resamples=150) for plan in PLANS[:2])
    for found in (wins, loses):
        for name in ("alpha", "E", "equivalent scale", "error at 4 times the largest"):
            assert found["fraction"][name] >= 0.75, name
    assert wins["verdict"]["more"] >= 0.9 and loses["verdict"]["less"] >= 0.9


def test_ordered_splits_of_another_library_prefer_the_same_law():
    audit = pytest.importorskip("scaling_audit")
    from benchmarks.frontier_audit import audited

    assert audit is not None
    found = audited(SIZES, law(SIZES) + np.random.default_rng(3).normal(0, 0.002, 9))
    assert found["ours"] == found["theirs"] == "power"
