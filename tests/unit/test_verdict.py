"""Every expectation, kept and not kept and not evaluated, on recordings made of ticks alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.ticks import recording, tick

from harness.checks import CheckResult, Status
from harness.failure_table import failure_table
from harness.metrics import PhaseSpan, measure
from harness.recorder import Picture, Recording, Rect, Tick, TickClass
from harness.result import Result
from harness.scenario import Expectations, Phase, Scenario
from harness.scenario.expectations import PhaseExpectations
from harness.verdict import PageOutcome, Verdict, failures, judge, standing_checks

LEFT, RIGHT = Rect(16, 64, 192, 128), Rect(400, 64, 192, 128)
CHECKS = (
    CheckResult("profile", Status.PASSED, "Constrained Baseline"),
    CheckResult("stream structure", Status.PASSED, "60 NAL units of 43 pictures, 0 violations"),
    CheckResult("decodes in FFmpeg", Status.PASSED, "43 pictures, 0 errors"),
    CheckResult("exact in FFmpeg", Status.PASSED, "43 pictures of 920 macroblocks, 0 differ"),
    CheckResult("decodes in OpenH264", Status.PASSED, "43 pictures, 0 errors"),
    CheckResult("exact in OpenH264", Status.PASSED, "43 pictures of 920 macroblocks, 0 differ"),
)


def session() -> list[Tick]:
    """Two seconds: a page that is drawn, rests, and scrolls; then a video, at the end with a
    second one and controls over both."""
    changed: dict[str, Any] = {"tick_class": TickClass.CHANGED, "picture": Picture.FULL}
    video: dict[str, Any] = {"tick_class": TickClass.VIDEO_ONLY, "picture": Picture.SPLICED}
    quality: dict[str, Any] = {"sse_y": 230_400.0, "ssim": 0.98, "latency_ms": 20.0}
    ticks = [tick(0, **changed, **quality, bytes=40_000, keyframe=True)]
    ticks += [tick(i) for i in range(1, 6)]
    ticks += [tick(i, **changed, **quality, bytes=10_000 + 100 * i) for i in range(6, 16)]
    ticks += [tick(i) for i in range(16, 24)]
    ticks += [
        tick(i, **video, **quality, bytes=3000, videos=1, region_rects=(LEFT,))
        for i in range(24, 44)
    ]
    merged = changed | {"picture": Picture.MERGED, "videos": 2, "region_rects": (LEFT, RIGHT)}
    ticks += [tick(i, **merged, **quality, bytes=8000) for i in range(44, 48)]
    worse: dict[str, Any] = {"sse_y": 2_304_000.0, "ssim": 0.93}
    late: dict[str, Any] = {"latency_ms": 95.0, "encode_ms": 80.0}
    ticks[12] = tick(
        12, **changed, **worse, **late, bytes=30_000, presents=3, coalesced=2, dropped=1
    )
    return ticks


SPANS = [PhaseSpan("Home", 0.0, 1.0, 1.0), PhaseSpan("Play", 1.0, 2.0)]


def judged(
    folder: Path,
    expect: dict[str, Any],
    phase: str = "",
    *,
    ticks: Sequence[Tick] | None = None,
    spans: Sequence[PhaseSpan] = SPANS,
    checks: Sequence[CheckResult] = CHECKS,
    outcomes: Sequence[PageOutcome] = (),
    broke_off: str = "",
    live: bool = True,
    measured: bool = True,
) -> tuple[Verdict, ...]:
    """The verdicts on `session`, where `expect` stands in `phase` or at the top."""
    scenario = Scenario(
        title="Session",
        open="index.html",
        phases=tuple(
            Phase(
                name=name,
                duration=1.0,
                expect=PhaseExpectations.model_validate(expect if phase == name else {}),
            )
            for name in ("Home", "Play")
        ),
        expect=Expectations.model_validate({} if phase else expect),
    )
    made = recording(folder, ticks or session(), live=live, measure=measured)
    metrics = measure(made, scenario.title, spans)
    return judge(scenario, metrics, made, checks, outcomes, broke_off=broke_off)


# Phase, what is expected (kept, not kept), what is measured, margins of both, where to look.
CASES: list[tuple[str, dict[str, Any], dict[str, Any], str, tuple[str, str], str]] = [
    (
        "Home",
        {"shares": {"unchanged": ">= 50%"}},
        {"shares": {"unchanged": "80% ± 10%"}},
        "54.17%",
        ("4.17%", "-15.83%"),
        "most of other classes at ticks 6..15 (10 CHANGED), tick 0 (1 CHANGED)",
    ),
    (
        "Play",
        {"shares": {"video_only": ">= 80%"}},
        {"shares": {"video_only": ">= 90%"}},
        "83.33%",
        ("3.33%", "-6.67%"),
        "most of other classes at ticks 44..47 (4 CHANGED)",
    ),
    (
        "Home",
        {"shares": {"changed": "40%..50%"}},
        {"shares": {"changed": "<= 45%"}},
        "45.83%",
        ("4.17%", "-0.83%"),
        "most CHANGED at ticks 6..15 (10), tick 0 (1); largest 40.0 kB at tick 0",
    ),
    (
        "Home",
        {"counts": {"unchanged": 13}},
        {"counts": {"unchanged": "<= 5"}},
        "13",
        ("0", "-8"),
        "most UNCHANGED at ticks 16..23 (8), 1..5 (5)",
    ),
    (
        "Home",
        {"counts": {"video_only": 0}},
        {"counts": {"video_only": ">= 1"}},
        "0",
        ("0", "-1"),
        "most of other classes at ticks 0..23 (13 UNCHANGED, 11 CHANGED)",
    ),
    (
        "Play",
        {"counts": {"changed": "< 5"}},
        {"counts": {"changed": "< 4"}},
        "4",
        ("1", "0"),
        "most CHANGED at ticks 44..47 (4); largest 8.0 kB at tick 44",
    ),
    ("", {"ticks": 48}, {"ticks": 47}, "48", ("0", "-1"), "0.00 s to 2.00 s of the recording"),
    (
        "Play",
        {"duration": "1000 ms ± 10 ms"},
        {"duration": "<= 900 ms"},
        "1000 ms",
        ("10 ms", "-100 ms"),
        "1.00 s to 2.00 s of the recording",
    ),
    (
        "Home",
        {"presents": "10..14"},
        {"presents": ">= 20"},
        "14",
        ("0", "-6"),
        "no present at ticks 16..23 (8), 1..5 (5)",
    ),
    (
        "Home",
        {"coalesced": "<= 2"},
        {"coalesced": 0},
        "2",
        ("0", "-2"),
        "most coalesced at tick 12 (2)",
    ),
    (
        "",
        {"dropped": "<= 1"},
        {"dropped": 0},
        "1",
        ("0", "-1"),
        "lost: 1 before tick 12",
    ),
    (
        "Play",
        {"bitrate": "<= 1000 kbit/s"},
        {"bitrate": "<= 700 kbit/s"},
        "736 kbit/s",
        ("264 kbit/s", "-36 kbit/s"),
        "heaviest: tick 44 8.0 kB (CHANGED, merged), tick 45 8.0 kB (CHANGED, merged), "
        "tick 46 8.0 kB (CHANGED, merged)",
    ),
    (
        "Play",
        {"peak_bitrate": {"limit": "<= 1.6 Mbit/s", "window": "200ms"}},
        {"peak_bitrate": {"limit": "<= 1 Mbit/s", "window": "200ms"}},
        "1.344 Mbit/s",
        ("0.256 Mbit/s", "-0.344 Mbit/s"),
        "35.0 kB in ticks 43..47; heaviest: tick 44 8.0 kB (CHANGED, merged), "
        "tick 45 8.0 kB (CHANGED, merged), tick 46 8.0 kB (CHANGED, merged)",
    ),
    (
        "Home",
        {"bytes": "100..200 kB"},
        {"bytes": ">= 200 kB"},
        "169.3 kB",
        ("30.7 kB", "-30.7 kB"),
        "no picture at ticks 16..23 (8), 1..5 (5)",
    ),
    (
        "Home",
        {"psnr_y": ">= 40 dB"},
        {"psnr_y": ">= 48 dB"},
        "45.53 dB",
        ("5.53 dB", "-2.47 dB"),
        "lowest: tick 12 38.13 dB (CHANGED, full), tick 0 48.13 dB (CHANGED, full), "
        "tick 6 48.13 dB (CHANGED, full)",
    ),
    (
        "Home",
        {"ssim": ">= 0.97"},
        {"ssim": ">= 0.98"},
        "0.9755",
        ("0.0055", "-0.0045"),
        "lowest: tick 12 0.9300 (CHANGED, full), tick 0 0.9800 (CHANGED, full), "
        "tick 6 0.9800 (CHANGED, full)",
    ),
    (
        "Home",
        {"latency": {"median": "<= 25 ms"}},
        {"latency": {"median": "<= 15 ms"}},
        "20 ms",
        ("5 ms", "-5 ms"),
        "slowest: tick 12 95.0 ms, encode 80.0 ms (CHANGED, full), "
        "tick 6 20.0 ms, waited 20.0 ms (CHANGED, full), "
        "tick 7 20.0 ms, waited 20.0 ms (CHANGED, full)",
    ),
    (
        "Home",
        {"latency": "<= 100 ms"},
        {"latency": "<= 80 ms"},
        "95 ms",
        ("5 ms", "-15 ms"),
        "slowest: tick 12 95.0 ms, encode 80.0 ms (CHANGED, full), "
        "tick 6 20.0 ms, waited 20.0 ms (CHANGED, full), "
        "tick 7 20.0 ms, waited 20.0 ms (CHANGED, full)",
    ),
    (
        "Play",
        {"latency": {"max": "<= 20 ms"}},
        {"latency": {"max": "< 20 ms"}},
        "20 ms",
        ("0 ms", "0 ms"),
        "slowest: tick 24 20.0 ms, waited 20.0 ms (VIDEO_ONLY, spliced), "
        "tick 25 20.0 ms, waited 20.0 ms (VIDEO_ONLY, spliced), "
        "tick 26 20.0 ms, waited 20.0 ms (VIDEO_ONLY, spliced)",
    ),
    (
        "Home",
        {"pictures": {"full": 11}},
        {"pictures": {"full": "<= 1"}},
        "11",
        ("0", "-10"),
        "most full at ticks 6..15 (10), tick 0 (1)",
    ),
    (
        "Play",
        {"pictures": {"spliced": ">= 20"}},
        {"pictures": {"spliced": ">= 24"}},
        "20",
        ("0", "-4"),
        "most other pictures at ticks 44..47 (4 merged)",
    ),
    (
        "Play",
        {"pictures": {"merged": "1..4"}},
        {"pictures": {"merged": 0}},
        "4",
        ("0", "-4"),
        "most merged at ticks 44..47 (4)",
    ),
    ("", {"keyframes": 1}, {"keyframes": "> 1"}, "1", ("0", "0"), "keyframes at tick 0"),
    (
        "Play",
        {"regions": {"count": "1..2"}},
        {"regions": {"count": 1}},
        "2",
        ("0", "-1"),
        "2 at ticks 44..47 (4): 192x128 at 16,64, 192x128 at 400,64",
    ),
    (
        "Play",
        {"regions": {"place": "200x128 at 400,60 ± 16"}},
        {"regions": {"place": "200x128 at 380,60 ± 16"}},
        "192x128 at 400,64",
        ("8 px", "-4 px"),
        "nearest region at tick 44, 20 px off at one edge",
    ),
]


def _name(expect: dict[str, Any]) -> str:
    scenario = PhaseExpectations.model_validate(expect)
    names = [name for name, _ in scenario.limits()] + ["regions.place" for _ in scenario.places]
    assert len(names) == 1
    return names[0]


@pytest.mark.parametrize(
    ("phase", "kept", "broken", "measured", "margins", "look"),
    CASES,
    ids=[_name(case[1]) for case in CASES],
)
def test_kept_and_not_kept(
    tmp_path: Path,
    phase: str,
    kept: dict[str, Any],
    broken: dict[str, Any],
    measured: str,
    margins: tuple[str, str],
    look: str,
) -> None:
    (good,) = judged(tmp_path, kept, phase)
    assert (good.status, good.margin, good.look) == (Status.PASSED, margins[0], "")
    (bad,) = judged(tmp_path, broken, phase)
    assert (bad.status, bad.measured, bad.margin) == (Status.FAILED, measured, margins[1])
    assert bad.look == look
    assert (bad.first_tick, bad.end_tick) == {"Home": (0, 24), "Play": (24, 48), "": (0, 48)}[phase]
    assert bad.where == (phase or "whole recording")


def test_every_expectation_has_a_case_above() -> None:
    names = {_name(case[1]) for case in CASES}
    for field in PhaseExpectations.model_fields.keys() - {"page"}:
        assert any(name == field or name.startswith(f"{field}.") for name in names), field


@pytest.mark.parametrize(
    ("phase", "expect", "look"),
    [
        (
            "Home",
            {"regions": {"count": ">= 1"}},
            "no video played",
        ),
        ("Home", {"regions": {"place": "64x64 at 0,0 ± 8"}}, "no video played"),
        ("Play", {"regions": {"count": ">= 3"}}, "2 at ticks 44..47 (4)"),
        ("Play", {"keyframes": 1}, "no keyframe"),
        (
            "Home",
            {"presents": "<= 3"},
            "most presents at tick 12 (4), tick 0 (1), tick 6 (1) and 8 more",
        ),
        ("Play", {"bitrate": ">= 1 Mbit/s"}, "every tick has a picture"),
        (
            "Home",
            {"pictures": {"merged": ">= 1"}},
            "most other pictures at ticks 6..15 (10 full), tick 0 (1 full)",
        ),
        ("Home", {"psnr_y": "<= 40 dB"}, None),
        ("Play", {"coalesced": ">= 1"}, "none coalesced"),
        ("Play", {"dropped": ">= 1"}, "nothing was lost"),
        ("Home", {"bytes": 0}, None),
    ],
)
def test_where_to_look_on_the_other_side(
    tmp_path: Path, phase: str, expect: dict[str, Any], look: str | None
) -> None:
    (verdict,) = judged(tmp_path, expect, phase)
    assert verdict.status is Status.FAILED
    if look is not None:
        assert verdict.look == look
    else:
        assert verdict.look.startswith(("highest: tick", "heaviest: tick"))


STREAM = {"decodes": True, "exact": True, "structure": True, "profile": "Constrained Baseline"}


def test_stream_expectations_are_judged_by_the_standing_checks(tmp_path: Path) -> None:
    verdicts = judged(tmp_path, STREAM)
    assert [(v.name, v.limit, v.measured, v.status) for v in verdicts] == [
        ("decodes", "true", "true", Status.PASSED),
        ("exact", "true", "true", Status.PASSED),
        ("structure", "true", "true", Status.PASSED),
        ("profile", "Constrained Baseline", "Constrained Baseline", Status.PASSED),
    ]
    for number, name in [
        (0, "profile"),
        (1, "structure"),
        (2, "decodes"),
        (4, "decodes"),
        (5, "exact"),
    ]:
        for status in (Status.FAILED, Status.NOT_RUN):
            broken = list(CHECKS)
            broken[number] = CheckResult(broken[number].name, status, "what it saw", tick=7)
            wrong = [
                v for v in judged(tmp_path, STREAM, checks=broken) if v.status is not Status.PASSED
            ]
            assert [(v.name, v.status, v.measured) for v in wrong] == [
                (name, status, "what it saw")
            ]
            assert wrong[0].look == f"check '{CHECKS[number].name}'"


def test_a_check_that_was_not_made_is_not_run(tmp_path: Path) -> None:
    """A plain encoder's stream has no structure check; both decoders must have decoded."""
    verdicts = judged(tmp_path, STREAM, checks=[CHECKS[0], CHECKS[2], CHECKS[3]])
    assert [v.status for v in verdicts] == [Status.NOT_RUN] * 3 + [Status.PASSED]


def test_what_failed_before_the_scenario_broke_off_has_failed(tmp_path: Path) -> None:
    checks = [CheckResult("exact in FFmpeg", Status.FAILED, "3 differ"), *CHECKS[:3], *CHECKS[4:]]
    verdicts = judged(tmp_path, STREAM, checks=checks, broke_off="Chrome died")
    assert {v.name: v.status for v in verdicts} == {
        "decodes": Status.NOT_RUN,
        "exact": Status.FAILED,
        "structure": Status.NOT_RUN,
        "profile": Status.NOT_RUN,
    }


EVERY_KIND = [case[1] for case in CASES]


def result_of(folder: Path, made: Recording, verdicts: tuple[Verdict, ...]) -> Result:
    return Result("Session", folder, made, None, CHECKS, verdicts, None)


def assert_fails_as_not_run(folder: Path, verdicts: tuple[Verdict, ...], why: str) -> None:
    (verdict,) = verdicts
    assert (verdict.status, verdict.measured, verdict.margin) == (Status.NOT_RUN, why, "")
    result = result_of(folder, recording(folder, session()), verdicts)
    assert not result.passed
    assert "not run" in result.problems[0]
    assert f"not run: {why}" in result.failure_table


@pytest.mark.parametrize("expect", EVERY_KIND, ids=_name)
def test_a_phase_that_was_not_reached_is_not_run(tmp_path: Path, expect: dict[str, Any]) -> None:
    verdicts = judged(tmp_path, expect, "Play", spans=SPANS[:1], broke_off="no 'text=Play'")
    assert_fails_as_not_run(tmp_path, verdicts, "phase not reached")
    assert verdicts[0].look == "no 'text=Play'"


@pytest.mark.parametrize("expect", EVERY_KIND, ids=_name)
def test_where_the_scenario_broke_off_nothing_is_judged(
    tmp_path: Path, expect: dict[str, Any]
) -> None:
    for place in ("Play", ""):  # the phase it broke off in, and the whole
        verdicts = judged(tmp_path, expect, place, broke_off="no 'text=Play'")
        assert_fails_as_not_run(tmp_path, verdicts, "the scenario broke off")
        assert verdicts[0].look == "no 'text=Play'"


def test_phases_before_the_break_are_judged(tmp_path: Path) -> None:
    (verdict,) = judged(tmp_path, {"counts": {"unchanged": 13}}, "Home", broke_off="Chrome died")
    assert verdict.status is Status.PASSED
    # The recorder died in this phase, though the steps went on to the next one.
    (verdict,) = judged(
        tmp_path, {"dropped": 0}, "Home", ticks=session()[:12], broke_off="the encoder failed"
    )
    assert (verdict.status, verdict.measured) == (Status.NOT_RUN, "the scenario broke off")


@pytest.mark.parametrize("expect", EVERY_KIND, ids=_name)
def test_a_phase_without_a_tick_is_not_run(tmp_path: Path, expect: dict[str, Any]) -> None:
    spans = [PhaseSpan("Home", 0.0, 0.001), PhaseSpan("Play", 0.001, 0.002)]
    verdicts = judged(tmp_path, expect, "Play", ticks=session()[:1], spans=spans)
    if _name(expect) in ("ticks", "duration"):  # these can be told: none, and 1 ms
        assert [v.status for v in verdicts] == [Status.FAILED]
    else:
        assert_fails_as_not_run(tmp_path, verdicts, "no tick")


@pytest.mark.parametrize(
    ("expect", "why"),
    [
        ({"psnr_y": ">= 1 dB"}, "no picture"),
        ({"ssim": ">= 0.1"}, "no picture"),
        ({"latency": "<= 5 s"}, "no picture of a present"),
        ({"latency": {"max": "<= 5 s"}}, "no picture of a present"),
        (
            {"peak_bitrate": {"limit": "<= 9 Mbit/s", "window": "3s"}},
            "shorter than the window of 72 ticks",
        ),
    ],
)
def test_what_has_nothing_to_measure_is_not_run(
    tmp_path: Path, expect: dict[str, Any], why: str
) -> None:
    ticks = [tick(i) for i in range(48)]
    assert_fails_as_not_run(tmp_path, judged(tmp_path, expect, "Play", ticks=ticks), why)


def test_unmeasured_ssim_is_not_run(tmp_path: Path) -> None:
    verdicts = judged(tmp_path, {"ssim": ">= 0.1"}, measured=False)
    assert_fails_as_not_run(tmp_path, verdicts, "SSIM was not measured")


@pytest.mark.parametrize("which", ["median", "p95", "max"])
def test_a_replay_has_no_latency(tmp_path: Path, which: str) -> None:
    verdicts = judged(tmp_path, {"latency": {which: "<= 5 s"}}, live=False)
    assert_fails_as_not_run(tmp_path, verdicts, "a replay has no latency")
    assert verdicts[0].look == (
        "nothing is presented while a tape is replayed: run it without --tape-replay"
    )


def test_page_outcomes_stand_in_their_phase(tmp_path: Path) -> None:
    outcomes = [
        PageOutcome("", "have page title Lumen", Status.PASSED, "Lumen", 47),
        PageOutcome("Home", "'text=Play' be visible", Status.FAILED, "hidden", 20),
        PageOutcome("Play", "'.x' have count 3", Status.NOT_RUN, "the page was gone", 0),
    ]
    verdicts = judged(tmp_path, {"ticks": 24}, "Home", outcomes=outcomes)
    assert [(v.where, v.name, v.limit, v.measured, v.status) for v in verdicts] == [
        ("Home", "ticks", "24", "24", Status.PASSED),
        ("Home", "page", "'text=Play' be visible", "hidden", Status.FAILED),
        ("Play", "page", "'.x' have count 3", "the page was gone", Status.NOT_RUN),
        ("whole recording", "page", "have page title Lumen", "Lumen", Status.PASSED),
    ]
    assert (verdicts[1].first_tick, verdicts[1].end_tick) == (20, 21)
    assert len(failures(verdicts, ())) == 2
    with pytest.raises(ValueError, match="no phase 'Hom' for 'x'"):
        judged(tmp_path, {}, outcomes=[PageOutcome("Hom", "x", Status.PASSED, "", 0)])


def test_a_page_asked_until_the_end_is_about_a_tick_of_its_phase(tmp_path: Path) -> None:
    """As many ticks were finished then as the phase has: the next one is another phase's."""
    outcomes = [
        PageOutcome("Home", "'text=Play' be visible", Status.FAILED, "hidden", 24),
        PageOutcome("", "have page title Lumen", Status.FAILED, "Lumin", 48),
    ]
    home, whole = judged(tmp_path, {}, outcomes=outcomes)
    assert (home.first_tick, home.end_tick, home.look) == (23, 24, "the page at tick 23")
    assert (whole.first_tick, whole.end_tick, whole.look) == (47, 48, "the page at tick 47")


PAGE = {"page": ["text=Play", "text=Play", {"to": "have page title", "value": "Lumen"}]}


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({}, "not evaluated"),
        ({"live": False}, "the tape was made without it"),
        ({"broke_off": "Chrome died"}, "the scenario broke off"),
        ({"spans": SPANS[:1], "broke_off": "Chrome died"}, "phase not reached"),
    ],
)
def test_what_nobody_asked_of_the_page_is_not_run(
    tmp_path: Path, how: dict[str, Any], why: str
) -> None:
    texts = [one.subject for one in PhaseExpectations.model_validate(PAGE).page]
    missing = judged(tmp_path, PAGE, "Play", **how)
    assert [(v.limit, v.measured, v.status) for v in missing] == [
        (text, why, Status.NOT_RUN) for text in texts
    ]
    seen = [PageOutcome("Play", texts[0], Status.PASSED, "visible", 30)]
    some = judged(tmp_path, PAGE, "Play", outcomes=seen, **how)
    assert [(v.limit, v.status) for v in some] == [
        (texts[0], Status.PASSED),
        (texts[1], Status.NOT_RUN),
        (texts[2], Status.NOT_RUN),
    ]
    assert not result_of(tmp_path, recording(tmp_path, session()), some).passed


def test_limits_are_met_exactly(tmp_path: Path) -> None:
    """13 of 24 is 54.1666...%, which rounds to 54.17%."""
    for text, status in [(">= 54.1666%", Status.PASSED), (">= 54.1667%", Status.FAILED)]:
        (verdict,) = judged(tmp_path, {"shares": {"unchanged": text}}, "Home")
        assert verdict.status is status
    assert (verdict.measured, verdict.margin) == ("54.16667%", "-0.00003%")


def test_standing_checks_name_the_ticks(tmp_path: Path) -> None:
    made = recording(tmp_path, session())
    dropped, *others = standing_checks(measure(made, "Session", SPANS), made)
    assert (dropped.status, dropped.summary, dropped.tick) == (
        Status.FAILED,
        "1 dropped; lost: 1 before tick 12",
        12,
    )
    assert all(check.passed for check in others)


TABLE = """\
phase            expectation      measured                          limit                   margin    ticks  where to look
---------------  ---------------  --------------------------------  ----------------------  --------  -----  -------------
Home             shares.changed   45.83%                            <= 45%                  -0.83%    0..23  most CHANGED at ticks 6..15 (10), tick 0 (1); largest 40.0 kB at tick 0
Home             page             hidden                            'text=Play' is visible            20     the page at tick 20
whole recording  psnr_y           47.14 dB                          >= 48 dB                -0.86 dB  0..47  lowest: tick 12 38.13 dB (CHANGED, full), tick 0 48.13 dB (CHANGED, full), tick 6 48.13 dB (CHANGED, full)
whole recording  latency.p95      not run: a replay has no latency  <= 80 ms                          0..47  nothing is presented while a tape is replayed: run it without --tape-replay
whole recording  exact in FFmpeg  failed                            must pass                         12     1 of 43 pictures differ; first: picture 12 (tick 12, CHANGED, full): 3 macroblocks differ, first at x=16 y=32
"""  # noqa: E501


def test_the_table(tmp_path: Path) -> None:
    expect = {"shares": {"changed": "<= 45%"}, "keyframes": 1}
    outcomes = [PageOutcome("Home", "'text=Play' is visible", Status.FAILED, "hidden", 20)]
    home = judged(tmp_path, expect, "Home", outcomes=outcomes)
    whole = judged(
        tmp_path, {"psnr_y": ">= 48 dB", "ssim": ">= 0.5", "latency": "<= 80 ms"}, live=False
    )
    exact = CheckResult(
        "exact in FFmpeg",
        Status.FAILED,
        "1 of 43 pictures differ; first: picture 12 (tick 12, CHANGED, full): "
        "3 macroblocks differ, first at x=16 y=32",
        tick=12,
    )
    table = failure_table([*home, *whole], [*CHECKS[:3], exact])
    assert table + "\n" == TABLE
    assert failure_table([v for v in whole if v.status is Status.PASSED], CHECKS) == ""
