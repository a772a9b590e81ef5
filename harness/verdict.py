"""Compares what was measured with what the scenario expects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .checks import CheckResult, Status
from .limits import Limit
from .metrics import Measures, Metrics
from .scenario.expectations import Expectations
from .scenario.model import Scenario

WHOLE = "whole recording"

_VALUES: dict[str, Callable[[Measures], float | None]] = {
    "shares.unchanged": lambda m: m.shares["unchanged"] / 100 if m.ticks else None,
    "shares.video_only": lambda m: m.shares["video_only"] / 100 if m.ticks else None,
    "shares.changed": lambda m: m.shares["changed"] / 100 if m.ticks else None,
    "counts.unchanged": lambda m: m.counts["unchanged"],
    "counts.video_only": lambda m: m.counts["video_only"],
    "counts.changed": lambda m: m.counts["changed"],
    "ticks": lambda m: m.ticks,
    "dropped": lambda m: m.dropped,
    "bitrate": lambda m: m.bitrate if m.ticks else None,
    "bytes": lambda m: m.bytes,
    "psnr_y": lambda m: m.psnr_y,
    "keyframes": lambda m: m.keyframes,
}


@dataclass(frozen=True)
class Verdict:
    """One expectation: where it stands, what it allows, what was measured.

    `first_tick` and `end_tick` say which ticks it is about.
    """

    where: str
    name: str
    limit: str
    measured: str
    margin: str
    status: Status
    first_tick: int
    end_tick: int


def _shown(value: float, limit: Limit) -> str:
    # The limit knows its unit; a number compared with itself prints the same way.
    return limit.format(value)


def _judge(
    where: str, expect: Expectations, measures: Measures, first: int, end: int
) -> list[Verdict]:
    verdicts = []
    for name, limit in expect.limits():
        value = _VALUES[name](measures)
        if value is None:
            measured, margin, status = "nothing to measure", "", Status.NOT_RUN
        else:
            measured, margin = _shown(value, limit), _shown(limit.margin(value), limit)
            status = Status.PASSED if limit.accepts(value) else Status.FAILED
        verdicts.append(Verdict(where, name, str(limit), measured, margin, status, first, end))
    return verdicts


def judge(scenario: Scenario, metrics: Metrics) -> tuple[Verdict, ...]:
    """Every expectation of the scenario, phases first. One whose phase was
    never reached is NOT_RUN."""
    verdicts: list[Verdict] = []
    measured = {phase.name: phase for phase in metrics.phases}
    for wanted in scenario.phases:
        phase = measured.get(wanted.name)
        if phase is None:
            verdicts += [
                Verdict(
                    wanted.name, name, str(limit), "phase not reached", "", Status.NOT_RUN, 0, 0
                )
                for name, limit in wanted.expect.limits()
            ]
        else:
            verdicts += _judge(
                wanted.name, wanted.expect, phase.measures, phase.first_tick, phase.end_tick
            )
    return (*verdicts, *_judge(WHOLE, scenario.expect, metrics.total, 0, metrics.total.ticks))


def standing_checks(metrics: Metrics) -> tuple[CheckResult, ...]:
    """What every recording must hold without being asked (the stream's own
    checks are in `checks`)."""
    frames = metrics.frames
    classes = sum(metrics.total.counts.values())
    written = metrics.total.counts["video_only"] + metrics.total.counts["changed"]
    coded = frames.encoded

    def result(name: str, ok: bool, text: str) -> CheckResult:
        return CheckResult(name, Status.PASSED if ok else Status.FAILED, text)

    return (
        result("no frame dropped", frames.dropped == 0, f"{frames.dropped} dropped"),
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
