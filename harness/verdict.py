"""Compares what was measured with what the scenario expects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from .checks import CheckResult, Status
from .limits import Limit
from .metrics import Measures, Metrics, peak_bitrate
from .recorder import Recording
from .scenario.durations import format_duration
from .scenario.expectations import PhaseExpectations
from .scenario.model import WHOLE, Scenario
from .scenario.place import Place
from .where_to_look import Part, look, look_for_drops, look_for_regions, nearest_region, rect_text

# What stands for the measure of an expectation that was not run.
BROKE_OFF = "the scenario broke off"
NOT_REACHED = "phase not reached"
_CHECKS = {
    "decodes": ("decodes in FFmpeg", "decodes in OpenH264"),
    "exact": ("exact in FFmpeg", "exact in OpenH264"),
    "structure": ("stream structure",),
    "profile": ("profile",),
}
"""The standing checks that each expectation of the stream is judged by; all must pass."""


@dataclass(frozen=True)
class Verdict:
    """One expectation: where it stands, what it allows, what was measured.

    `first_tick` and `end_tick` say which ticks it is about. `measured` of one that is
    NOT_RUN says why; `look` says where to look unless it passed.
    """

    where: str
    name: str
    limit: str
    measured: str
    margin: str
    status: Status
    first_tick: int
    end_tick: int
    look: str = ""


@dataclass(frozen=True)
class PageOutcome:
    """How an expectation of the page (DOM) ended, evaluated while the scenario ran.

    `phase` is the phase's name, "" for the whole recording; `text` what was expected (the
    PageExpectation's `subject`), `measured` what was there (or why it could not be
    evaluated), `tick` when.
    """

    phase: str
    text: str
    status: Status
    measured: str
    tick: int


@dataclass(frozen=True)
class _Missing:
    """Why there is no value, and what to do about it."""

    why: str
    look: str = ""


_NO_PICTURE = _Missing("no picture", "nothing changed on any tick of it")

_VALUES: dict[str, Callable[[Measures], float | None]] = {
    "shares.unchanged": lambda m: m.counts["unchanged"] / m.ticks,
    "shares.video_only": lambda m: m.counts["video_only"] / m.ticks,
    "shares.changed": lambda m: m.counts["changed"] / m.ticks,
    "counts.unchanged": lambda m: m.counts["unchanged"],
    "counts.video_only": lambda m: m.counts["video_only"],
    "counts.changed": lambda m: m.counts["changed"],
    "presents": lambda m: m.presents,
    "coalesced": lambda m: m.coalesced,
    "dropped": lambda m: m.dropped,
    "bitrate": lambda m: m.bitrate,
    "bytes": lambda m: m.bytes,
    "psnr_y": lambda m: m.psnr_y,
    "ssim": lambda m: m.ssim,
    "latency.median": lambda m: m.latency.median / 1000 if m.latency else None,
    "latency.p95": lambda m: m.latency.p95 / 1000 if m.latency else None,
    "latency.max": lambda m: m.latency.max / 1000 if m.latency else None,
    "pictures.full": lambda m: m.pictures["full"],
    "pictures.spliced": lambda m: m.pictures["spliced"],
    "pictures.merged": lambda m: m.pictures["merged"],
    "keyframes": lambda m: m.keyframes,
    "regions.count": lambda m: m.regions,
}


def _value(name: str, part: Part, window: int) -> float | _Missing:
    """In the limit's quantity's unit. `window` is a peak bitrate's, in ticks."""
    if name == "ticks":
        return len(part.ticks)
    if name == "duration":
        return part.seconds
    if not part.ticks:
        return _Missing("no tick", f"it lasted {format_duration(part.seconds)}, less than a tick")
    if name == "peak_bitrate":
        peak = peak_bitrate(part.ticks, part.settings.fps, window)
        if peak is None:
            return _Missing(
                f"shorter than the window of {window} ticks",
                f"it has {len(part.ticks)} ticks: let it last longer, or take a shorter window",
            )
        return peak[0]
    if name.startswith("latency.") and not part.live:
        return _Missing(
            "a replay has no latency",
            "nothing is presented while a tape is replayed: run it without --tape-replay",
        )
    value = _VALUES[name](part.measures)
    if value is not None:
        return value
    if name.startswith("latency."):
        return _Missing(
            "no picture of a present", "the first picture, and repeated ones, have none"
        )
    if name == "ssim" and not part.settings.measure:
        return _Missing("SSIM was not measured", "record with RecorderSettings(measure=True)")
    return _NO_PICTURE


@dataclass(frozen=True)
class _Answer:
    measured: str
    margin: str
    status: Status
    look: str = ""


def _judge_limit(name: str, limit: Limit, part: Part, window: int) -> _Answer:
    value = _value(name, part, window)
    if isinstance(value, _Missing):
        return _Answer(value.why, "", Status.NOT_RUN, value.look)
    measured, margin = limit.format(value), limit.format_margin(limit.margin(value))
    if limit.accepts(value):
        return _Answer(measured, margin, Status.PASSED)
    return _Answer(measured, margin, Status.FAILED, look(name, limit, value, part, window))


def _judge_place(place: Place, part: Part) -> _Answer:
    nearest = nearest_region(place, part.ticks)
    if nearest is None:
        if not part.ticks:
            return _Answer("no tick", "", Status.NOT_RUN)
        return _Answer("no region", "", Status.FAILED, look_for_regions(part))
    distance, tick, rect = nearest
    ok = distance <= place.tolerance
    return _Answer(
        rect_text(rect),
        f"{place.tolerance - distance} px",
        Status.PASSED if ok else Status.FAILED,
        "" if ok else f"nearest region at tick {tick.index}, {distance} px off at one edge",
    )


def _judge_stream(name: str, checks: Sequence[CheckResult], broke_off: str) -> _Answer:
    """By the standing checks, which every recording gets anyway. What failed on a part of
    a recording has failed; what passed on it is not known of the whole."""
    wanted = _CHECKS[name]
    results = [check for check in checks if check.name in wanted]
    for status in (Status.FAILED, Status.NOT_RUN):
        for result in results:
            if result.status is status:
                return _Answer(result.summary, "", status, f"check '{result.name}'")
    if len(results) != len(wanted):
        return _Answer("not checked", "", Status.NOT_RUN)
    if broke_off:
        return _Answer(BROKE_OFF, "", Status.NOT_RUN, broke_off)
    return _Answer(results[0].summary if name == "profile" else "true", "", Status.PASSED)


def _judge_part(expect: PhaseExpectations, part: Part) -> Iterator[Verdict]:
    seconds = expect.peak_bitrate.window if expect.peak_bitrate else 0.0
    window = max(1, round(seconds * part.settings.fps))
    for name, text, wanted in _asked(expect):
        if part.broke_off:
            answer = _Answer(BROKE_OFF, "", Status.NOT_RUN, part.broke_off)
        elif isinstance(wanted, Place):
            answer = _judge_place(wanted, part)
        else:
            answer = _judge_limit(name, wanted, part, window)
        yield Verdict(
            part.where,
            name,
            text,
            answer.measured,
            answer.margin,
            answer.status,
            part.first_tick,
            part.end_tick,
            answer.look,
        )


def _asked(expect: PhaseExpectations) -> Iterator[tuple[str, str, Limit | Place]]:
    """Name, what is expected as text, and the same to judge by."""
    for name, limit in expect.limits():
        text = str(limit)
        if name == "peak_bitrate" and expect.peak_bitrate:
            text += f" in any {format_duration(expect.peak_bitrate.window)}"
        yield name, text, limit
    for place in expect.places:
        yield "regions.place", str(place), place


def _judge_page(
    where: str,
    expect: PhaseExpectations,
    outcomes: Sequence[PageOutcome],
    missing: _Missing,
    ticks: range,
) -> Iterator[Verdict]:
    """Every outcome of the phase, and every expectation that has none. `ticks` are the
    phase's: what was asked until its very end is about the last of them."""
    phase = "" if where == WHOLE else where
    here = [outcome for outcome in outcomes if outcome.phase == phase]
    for outcome in here:
        tick = min(max(outcome.tick, ticks.start), ticks.stop - 1) if ticks else outcome.tick
        yield Verdict(
            where,
            "page",
            outcome.text,
            outcome.measured,
            "",
            outcome.status,
            tick,
            tick + 1,
            "" if outcome.status is Status.PASSED else f"the page at tick {tick}",
        )
    evaluated = Counter(outcome.text for outcome in here)
    for wanted in expect.page:
        if evaluated[wanted.subject] > 0:
            evaluated[wanted.subject] -= 1
        else:
            yield Verdict(
                where, "page", wanted.subject, missing.why, "", Status.NOT_RUN, 0, 0, missing.look
            )


def judge(
    scenario: Scenario,
    metrics: Metrics,
    recording: Recording,
    checks: Sequence[CheckResult],
    outcomes: Sequence[PageOutcome] = (),
    *,
    broke_off: str = "",
) -> tuple[Verdict, ...]:
    """Every expectation of the scenario: phases first, each one's limits, then what its
    page had to show.

    What could not be evaluated is NOT_RUN: a phase that was never reached, a quality
    without a picture, a latency in a replay, an expectation of the page without an
    outcome. `broke_off` says why the recording is not whole, "" if it is: then the phase
    it broke off in and the whole are NOT_RUN too.

    Raises:
        ValueError: an outcome of a phase that the scenario does not have.
    """
    names = {"", *(phase.name for phase in scenario.phases)}
    for outcome in outcomes:
        if outcome.phase not in names:
            raise ValueError(f"no phase '{outcome.phase}' for '{outcome.text}'")
    verdicts: list[Verdict] = []
    page = _Missing("not evaluated")
    if broke_off:
        page = _Missing(BROKE_OFF, broke_off)
    elif not recording.live:
        page = _Missing(
            "the tape was made without it",
            "there is no page while a tape is replayed: run it without --tape-replay",
        )
    measured = {phase.name: phase for phase in metrics.phases}
    for wanted in scenario.phases:
        phase = measured.get(wanted.name)
        if phase is None:
            verdicts += [
                Verdict(wanted.name, name, text, NOT_REACHED, "", Status.NOT_RUN, 0, 0, broke_off)
                for name, text, _ in _asked(wanted.expect)
            ]
        else:
            # The recorder may have stopped before the steps did: in an earlier phase.
            whole = phase is not metrics.phases[-1] and phase.end_tick < metrics.total.ticks
            part = Part(
                where=wanted.name,
                measures=phase.measures,
                ticks=recording.ticks[phase.first_tick : phase.end_tick],
                settings=recording.settings,
                first_tick=phase.first_tick,
                start=phase.start,
                seconds=phase.end - phase.start,
                overran=phase.overran,
                live=recording.live,
                broke_off="" if whole else broke_off,
            )
            verdicts += _judge_part(wanted.expect, part)
        missing = page if phase else _Missing(NOT_REACHED, broke_off)
        ticks = range(phase.first_tick, phase.end_tick) if phase else range(0)
        verdicts += _judge_page(wanted.name, wanted.expect, outcomes, missing, ticks)
    whole_part = Part(
        where=WHOLE,
        measures=metrics.total,
        ticks=recording.ticks,
        settings=recording.settings,
        first_tick=0,
        start=0.0,
        seconds=metrics.total.duration,
        live=recording.live,
        broke_off=broke_off,
    )
    verdicts += _judge_part(scenario.expect, whole_part)
    for name, text in scenario.expect.of_the_stream():
        answer = _judge_stream(name, checks, broke_off)
        verdicts.append(
            Verdict(
                WHOLE,
                name,
                text,
                answer.measured,
                answer.margin,
                answer.status,
                0,
                metrics.total.ticks,
                answer.look,
            )
        )
    ticks = range(metrics.total.ticks)
    return (*verdicts, *_judge_page(WHOLE, scenario.expect, outcomes, page, ticks))


def standing_checks(metrics: Metrics, recording: Recording) -> tuple[CheckResult, ...]:
    """What every recording must hold without being asked (the stream's own
    checks are in `checks`)."""
    frames = metrics.frames
    classes = sum(metrics.total.counts.values())
    written = metrics.total.counts["video_only"] + metrics.total.counts["changed"]
    coded = frames.encoded

    def result(name: str, ok: bool, text: str) -> CheckResult:
        return CheckResult(name, Status.PASSED if ok else Status.FAILED, text)

    lost = f"{frames.dropped} dropped"
    first = next((tick.index for tick in recording.ticks if tick.dropped), None)
    if frames.dropped:
        lost += f"; {look_for_drops(recording.ticks, frames.dropped)}"
    return (
        replace(result("no frame dropped", frames.dropped == 0, lost), tick=first),
        result("frame accounts add up", frames.add_up, str(frames)),
        result(
            "tick accounts add up",
            classes == metrics.total.ticks and written == coded,
            f"{metrics.total.ticks} ticks, {classes} classed; CHANGED + VIDEO_ONLY {written}, "
            f"pictures {coded}",
        ),
    )


def failures(verdicts: Sequence[Verdict], checks: Sequence[CheckResult]) -> list[str]:
    """One line for each thing that did not pass."""
    lines = [
        f"{v.where}: {v.name} expected {v.limit}, measured {v.measured} "
        f"({v.status.value}; ticks {v.first_tick}..{max(v.first_tick, v.end_tick - 1)})"
        for v in verdicts
        if v.status is not Status.PASSED
    ]
    return lines + [f"{c.name}: {c.status.value}: {c.summary}" for c in checks if not c.passed]
