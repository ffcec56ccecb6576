import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsimony.errors import InvalidParameter
from parsimony.run import parse_duration
from parsimony.run.duration import spell_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20m", 1200), ("1h30m", 5400), ("90s", 90), ("90", 90), ("1.5h", 5400), ("0.5", 0.5),
        ("1h 2m 3s", 3723), (" 2H ", 7200), ("1h5s", 3605),
    ],
)  # fmt: skip
def test_read(text, seconds):
    assert parse_duration(text) == seconds


@given(st.integers(0, 99), st.integers(0, 99), st.integers(1, 99))
def test_parts_add_up(hours, minutes, seconds):
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == 3600 * hours + 60 * minutes + seconds


@pytest.mark.parametrize(
    "text",
    ["", "0", "0m", "-5m", "soon", "1h30", "5m1h", "m", "1d", "nan", "inf", "1e3", "9" * 400],
)
def test_refused(text):
    with pytest.raises(InvalidParameter, match="write 20m, 1h30m or 90s"):
        parse_duration(text)


def test_spelled():
    found = [spell_duration(s) for s in (0.04, 1.26, 12.4, 99, 100, 754, 5999, 8000, 5e6)]
    assert found == [
        "0.04 s", "1.3 s", "12 s", "99 s", "1.67 min", "12.6 min", "100 min", "2.22 h",
        "1,389 h",
    ]  # fmt: skip
