"""Limits: every form, every unit, exact ends, and what is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.limits import Limit, LimitError, Quantity

SHARE, COUNT = Quantity.SHARE, Quantity.COUNT
BITRATE, SIZE, LEVEL = Quantity.BITRATE, Quantity.SIZE, Quantity.LEVEL
TIME, RATIO = Quantity.TIME, Quantity.RATIO


@pytest.mark.parametrize(
    ("text", "quantity", "low", "high"),
    [
        ("0", COUNT, 0, 0),
        (0, COUNT, 0, 0),
        (1128, COUNT, 1128, 1128),
        ("<= 5", COUNT, None, 5),
        (">=90%", SHARE, 0.9, None),
        (">= 90 %", SHARE, 0.9, None),
        ("10%..30%", SHARE, 0.1, 0.3),
        ("10..30%", SHARE, 0.1, 0.3),
        ("10% .. 30%", SHARE, 0.1, 0.3),
        ("55% ± 8%", SHARE, 0.47, 0.63),
        ("55% +- 8%", SHARE, 0.47, 0.63),
        ("55±8%", SHARE, 0.47, 0.63),
        ("5% ± 8%", SHARE, 0, 0.13),
        ("95% ± 8%", SHARE, 0.87, 1),
        ("0", SHARE, 0, 0),
        ("1128 ± 1%", COUNT, 1116.72, 1139.28),
        ("1128 ± 5", COUNT, 1123, 1133),
        ("1_128 +- 5", COUNT, 1123, 1133),
        ("3..7", COUNT, 3, 7),
        ("<= 2 Mbit/s", BITRATE, None, 2_000_000),
        ("500kbit/s..1.5Mbit/s", BITRATE, 500_000, 1_500_000),
        ("1..2 Mbit/s", BITRATE, 1_000_000, 2_000_000),
        ("2 Mbit/s ± 10%", BITRATE, 1_800_000, 2_200_000),
        ("2 Mbit/s ± 200 kbit/s", BITRATE, 1_800_000, 2_200_000),
        ("0", BITRATE, 0, 0),
        ("<= 4 MB", SIZE, None, 4_000_000),
        ("<= 900 kB", SIZE, None, 900_000),
        ("13 B", SIZE, 13, 13),
        (4000, SIZE, 4000, 4000),
        ("4 MB ± 5%", SIZE, 3_800_000, 4_200_000),
        (">= 38 dB", LEVEL, 38, None),
        (">= 38", LEVEL, 38, None),
        ("40 ± 1.5 dB", LEVEL, 38.5, 41.5),
        ("<= 80 ms", TIME, None, 0.08),
        ("<= 80ms", TIME, None, 0.08),
        ("1.5s..2s", TIME, 1.5, 2),
        ("5 s ± 10%", TIME, 4.5, 5.5),
        ("5 s ± 100 ms", TIME, 4.9, 5.1),
        ("50 ± 80 ms", TIME, 0, 0.13),
        ("0", TIME, 0, 0),
        (">= 0.95", RATIO, 0.95, None),
        ("0.9..1", RATIO, 0.9, 1),
        ("0.98 ± 0.05", RATIO, 0.93, 1),
    ],
)
def test_forms(text: str | int, quantity: Quantity, low: float | None, high: float | None) -> None:
    limit = Limit.parse(text, quantity)
    assert (limit.low, limit.high) == (low, high)


@pytest.mark.parametrize(
    ("text", "quantity", "value", "accepted"),
    [
        (">= 90%", SHARE, 9 / 10, True),
        (">= 90%", SHARE, 0.8999, False),
        ("55% ± 8%", SHARE, 47 / 100, True),
        ("55% ± 8%", SHARE, 63 / 100, True),
        ("55% ± 8%", SHARE, 0.4699, False),
        ("< 3", COUNT, 3, False),
        ("< 3", COUNT, 2, True),
        ("> 1", COUNT, 1, False),
        ("> 1", COUNT, 2, True),
        ("0", COUNT, 0, True),
        ("0", COUNT, 1, False),
        (">= 38 dB", LEVEL, math.inf, True),
        ("40 ± 1 dB", LEVEL, math.inf, False),
        (">= 38 dB", LEVEL, math.nan, False),
    ],
)
def test_accepts(text: str, quantity: Quantity, value: float, accepted: bool) -> None:
    assert Limit.parse(text, quantity).accepts(value) is accepted


def test_margin_is_signed_distance_to_the_nearest_bound() -> None:
    limit = Limit.parse("10..30", COUNT)
    assert [limit.margin(value) for value in (8, 10, 12, 29, 33)] == [-2, 0, 2, 1, -3]
    assert Limit.parse("<= 5", COUNT).margin(9) == -4
    assert Limit.parse("> 5", COUNT).margin(5) == 0
    assert math.isnan(limit.margin(math.nan))


@pytest.mark.parametrize(
    ("text", "quantity", "shown"),
    [
        ("<=5", COUNT, "<= 5"),
        (">=90 %", SHARE, ">= 90%"),
        ("10..30%", SHARE, "10%..30%"),
        ("55%+-8%", SHARE, "55% ± 8%"),
        ("1128±1%", COUNT, "1128 ± 1%"),
        ("<=2Mbit/s", BITRATE, "<= 2 Mbit/s"),
        ("1..2MB", SIZE, "1 MB..2 MB"),
        (" 7 ", COUNT, "7"),
    ],
)
def test_text_is_canonical_and_reads_back(text: str, quantity: Quantity, shown: str) -> None:
    limit = Limit.parse(text, quantity)
    assert str(limit) == shown
    assert Limit.parse(shown, quantity) == limit


@pytest.mark.parametrize(
    ("text", "quantity", "value", "shown"),
    [
        (">= 90%", SHARE, 0.57321, "57.32%"),
        ("<= 5", COUNT, 7, "7"),
        ("<= 2 Mbit/s", BITRATE, 2_345_678, "2.346 Mbit/s"),
        ("<= 900 kB", SIZE, 1_000_000, "1000 kB"),
        ("<= 900 kB", SIZE, 100_000, "100 kB"),
        (">= 38 dB", LEVEL, 37.999, "37.999 dB"),
        (">= 38 dB", LEVEL, math.inf, "inf"),
        ("0", SHARE, 0.25, "25%"),
        (">= 90%", SHARE, 1, "100%"),
        ("0", BITRATE, 1500, "1.5 kbit/s"),
        ("<= 80 ms", TIME, 0.0951234, "95.12 ms"),
        ("<= 2 s", TIME, 2.0004, "2.0004 s"),
        ("0", TIME, 0.25, "250 ms"),
        (">= 0.95", RATIO, 0.949999, "0.949999"),
        (">= 0.95", RATIO, 0.98, "0.98"),
    ],
)
def test_values_are_shown_in_the_limits_unit(
    text: str, quantity: Quantity, value: float, shown: str
) -> None:
    assert Limit.parse(text, quantity).format(value) == shown


@pytest.mark.parametrize(
    ("text", "quantity", "margin", "shown"),
    [
        (">= 90%", SHARE, -0.0004, "-0.04%"),
        (">= 90%", SHARE, -0.00000004, "-0.000004%"),  # not "-0%"
        (">= 90%", SHARE, 0.00001, "0.001%"),
        ("<= 5", COUNT, 0, "0"),
        ("<= 5", COUNT, -0.0, "0"),
        ("<= 80 ms", TIME, -0.015, "-15 ms"),
        (">= 0.95", RATIO, -0.00001, "-0.00001"),
        (">= 38 dB", LEVEL, math.inf, "inf"),
    ],
)
def test_a_margin_that_is_not_0_is_not_shown_as_0(
    text: str, quantity: Quantity, margin: float, shown: str
) -> None:
    assert Limit.parse(text, quantity).format_margin(margin) == shown


@pytest.mark.parametrize(
    ("text", "quantity", "message"),
    [
        ("90", SHARE, "'90' has no unit; a share is written '90%'"),
        (">= 0.9", SHARE, "'>= 0.9' has no unit; a share is written '0.9%'"),
        ("<= 2", BITRATE, "'<= 2' has no unit; a bitrate is written '2 Mbit/s'"),
        (
            "<= 2 mbit/s",
            BITRATE,
            "'<= 2 mbit/s' has the unit 'mbit/s'; a bitrate is in bit/s or kbit/s or Mbit/s; "
            "did you mean 'Mbit/s'?",
        ),
        ("<= 5%", COUNT, "'<= 5%' has the unit '%'; a count has none"),
        ("40 ± 1% ", LEVEL, "'40 ± 1%' has the unit '%'; a level in dB is in dB"),
        ("30%..10%", SHARE, "'30%..10%' is a range whose start lies above its end"),
        ("5 ± -1", COUNT, "'5 ± -1' has a negative tolerance"),
        ("-3", COUNT, "'-3' is below 0: a count never is"),
        ("<= 120%", SHARE, "'<= 120%' is above 100%: a share never is"),
        ("> 100%", SHARE, "'> 100%' can never hold"),
        ("<= 80", TIME, "'<= 80' has no unit; a time is written '80 ms' or '80 s'"),
        ("<= 2 sec", TIME, "'<= 2 sec' has the unit 'sec'; a time is in ms or s"),
        (
            "<= 2 S",
            TIME,
            "'<= 2 S' has the unit 'S'; a time is in ms or s; did you mean 's'?",
        ),
        (">= 95%", RATIO, "'>= 95%' has the unit '%'; a ratio has none"),
        (">= 95", RATIO, "'>= 95' is above 1: a ratio never is"),
        ("> 1", RATIO, "'> 1' can never hold"),
        ("< 0", COUNT, "'< 0' can never hold"),
    ],
)
def test_refused_with_a_sentence(text: str, quantity: Quantity, message: str) -> None:
    with pytest.raises(LimitError) as caught:
        Limit.parse(text, quantity)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text", ["", "about 5", "== 5", "5..", "..5", "5 ± ", "=> 5", "1 2", "nan"]
)
def test_refused_lists_the_forms(text: str) -> None:
    with pytest.raises(LimitError, match="is not a limit; write a number, a comparison"):
        Limit.parse(text, COUNT)


@settings(database=None)
@given(st.text(max_size=20), st.sampled_from(list(Quantity)))
def test_any_text_is_a_limit_or_a_limit_error(text: str, quantity: Quantity) -> None:
    try:
        limit = Limit.parse(text, quantity)
    except LimitError:
        return
    assert Limit.parse(str(limit), quantity) == limit


@settings(database=None)
@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 2000))
def test_tolerance_agrees_with_whole_number_arithmetic(
    middle: int, around: int, ticks: int
) -> None:
    limit = Limit.parse(f"{middle}% ± {around}%", SHARE)
    for part in range(0, ticks + 1, max(1, ticks // 7)):
        allowed = abs(100 * part - middle * ticks) <= around * ticks
        assert limit.accepts(part / ticks) is allowed
