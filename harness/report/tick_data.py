"""A recording's ticks as the scripts of the pages read them: plain columns."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..checks import CheckResult, Status
from ..metrics import Metrics
from ..recorder import Picture, Tick
from ..scenario.model import WHOLE
from ..verdict import Verdict

_TICK_IN_DETAIL = re.compile(r"\(tick (\d+)[,)]")


@dataclass(frozen=True)
class Problem:
    """Something to look at: ticks `first` to, not including, `end`."""

    first: int
    end: int
    text: str


def problems(
    ticks: Sequence[Tick], checks: Iterable[CheckResult], verdicts: Iterable[Verdict]
) -> list[Problem]:
    """Every problem that has a place in the recording, in its order: failed expectations of
    a phase, ticks that failed checks name, drops, leaks and fallbacks."""
    found = []
    for verdict in verdicts:
        if verdict.status is Status.PASSED or verdict.where == WHOLE:
            continue
        if verdict.first_tick < verdict.end_tick:
            text = f"{verdict.where}: {verdict.name}: {verdict.measured}, limit {verdict.limit}"
            found.append(Problem(verdict.first_tick, verdict.end_tick, text))
    for check in checks:
        if check.status is not Status.FAILED:
            continue
        places = {} if check.tick is None else {check.tick: check.summary}
        for detail in check.details:
            if match := _TICK_IN_DETAIL.search(detail):
                places.setdefault(int(match[1]), detail)
        found += [Problem(t, t + 1, f"{check.name}: {text}") for t, text in places.items()]
    for tick in ticks:
        for wrong, text in (
            (tick.dropped, f"{tick.dropped} presents dropped"),
            (tick.region_leaks, f"{tick.region_leaks} vectors reach out of the region"),
            (tick.fallback, "keyframe because the parts did not fit together"),
        ):
            if wrong:
                found.append(Problem(tick.index, tick.index + 1, text))
    return sorted(found, key=lambda problem: (problem.first, problem.end))


def tick_data(
    metrics: Metrics,
    ticks: Sequence[Tick],
    checks: Iterable[CheckResult],
    verdicts: Iterable[Verdict],
) -> dict[str, Any]:
    """Plain data. Rectangles are indices into `rects`, a tick's regions into `regions`;
    times are seconds, costs milliseconds."""
    rects, regions = _Numbered(), _Numbered()
    return {
        "title": metrics.scenario,
        "width": metrics.width,
        "height": metrics.height,
        "fps": metrics.fps,
        "phases": [[p.name, p.first_tick, p.end_tick] for p in metrics.phases],
        "marks": [[mark.name, round(mark.time, 3)] for mark in metrics.marks],
        "problems": [[p.first, p.end, p.text] for p in problems(ticks, checks, verdicts)],
        "ticks": {
            "class": [int(t.tick_class) for t in ticks],
            "picture": [int(t.picture) for t in ticks],
            "bytes": [t.bytes for t in ticks],
            "presents": [t.presents for t in ticks],
            "coalesced": [t.coalesced for t in ticks],
            "dropped": [t.dropped for t in ticks],
            "encode": [round(t.encode_ms, 2) for t in ticks],
            "splice": [round(t.read_ms + t.check_ms + t.splice_ms, 2) for t in ticks],
            "latency": [round(t.latency_ms, 1) for t in ticks],
            "dirtyMbs": [t.dirty_mbs for t in ticks],
            "patched": [t.patched_mbs for t in ticks],
            "flags": [
                t.keyframe | t.region_idr << 1 | t.fallback << 2 | t.deblocked << 3 for t in ticks
            ],
            "dirty": [rects.number(tuple(t.dirty) if t.dirty.w else ()) for t in ticks],
            "regions": [regions.number(tuple(tuple(r) for r in t.region_rects)) for t in ticks],
        },
        "rects": rects.items,
        "regions": regions.items,
    }


def picture_ticks(ticks: Iterable[Tick]) -> list[int]:
    """The tick of every picture in the stream."""
    return [tick.index for tick in ticks if tick.picture is not Picture.NONE]


class _Numbered:
    """Each distinct value once."""

    def __init__(self) -> None:
        self.items: list[Hashable] = []
        self._numbers: dict[Hashable, int] = {}

    def number(self, value: Hashable) -> int:
        if value not in self._numbers:
            self._numbers[value] = len(self.items)
            self.items.append(value)
        return self._numbers[value]
