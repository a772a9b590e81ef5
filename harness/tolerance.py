"""How far a metric may move from its baseline before that is a regression.

A tolerance is an amount in the metric's unit (`3 points`, `2 kB`, `0.5 dB`, `2`), a share
of the value before (`5%`), the larger of two such (`5% or 2 kB`), or `off`. Of `shares`
both a plain number and `%` are points, as in expectations, and `2 ticks` are as many
points as two ticks of the phase.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from typing import Any


class Worse(Enum):
    """The direction in which a metric gets worse."""

    UP = "up"
    DOWN = "down"
    EITHER = "either"


@dataclass(frozen=True)
class Kind:
    """What a metric counts in: `units` by name with their size in the metric's own unit,
    the first one for people; `relative` says that `%` means a share of the value before,
    `plain` that a number may stand without a unit."""

    units: Mapping[str, float]
    relative: bool
    plain: bool
    example: str
    digits: int
    shown: str = ""

    def format(self, value: float, movement: bool = False) -> str:
        """A value, or a movement, in the metric's own unit, as a person reads it."""
        unit = next(iter(self.units), "")
        scaled = value / self.units.get(unit, 1)
        text = f"{scaled:{'+' if movement else ''},.{self.digits}f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        if self.shown and not movement:
            return text + self.shown
        return f"{text} {unit}".rstrip()


POINTS = Kind({"points": 1, "point": 1, "%": 1}, False, True, "3 points", 2, "%")
SIZE = Kind({"kB": 1e3, "B": 1, "MB": 1e6}, True, False, "5% or 2 kB", 2)
RATE = Kind({"kbit/s": 1e3, "bit/s": 1, "Mbit/s": 1e6}, True, False, "5% or 4 kbit/s", 2)
LEVEL = Kind({"dB": 1}, False, True, "0.5 dB", 3)
RATIO = Kind({}, False, True, "0.005", 5)
COUNT = Kind({}, True, True, "2 or 10%", 0)
TIME = Kind({"ms": 1}, True, False, "25% or 5 ms", 2)


@dataclass(frozen=True)
class Tolerance:
    """What a metric may move by: `relative` to the value before (0.05: 5 %), `absolute` in
    its unit, or `ticks` of a share, whichever is larger. Values above `ceiling` count as
    that. `fails` False: more than that is said, and does not fail; `off`: not compared."""

    relative: float = 0.0
    absolute: float = 0.0
    text: str = "0"
    fails: bool = True
    off: bool = False
    ticks: float = 0.0
    ceiling: float = math.inf

    def allowed(self, before: float, ticks: float = math.inf) -> float:
        """The movement that is still within, in the metric's unit; `ticks` are the phase's."""
        points = 100 * self.ticks / ticks if ticks else 0.0
        return max(self.relative * abs(before), self.absolute, points)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Metric:
    """One number of metrics.json. `path` leads to it in a phase's measures, or in `times`
    for the whole recording's times."""

    name: str
    kind: Kind
    worse: Worse
    default: Tolerance
    timed: bool = False

    def value(self, measures: Mapping[str, Any]) -> float | None:
        """Its value, None where it was not measured."""
        found: Any = measures
        for part in self.name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return None if found is None or isinstance(found, bool) else float(found)


def _metric(name: str, kind: Kind, worse: Worse, tolerance: str, **more: Any) -> Metric:
    default = dataclasses.replace(_read(name, kind, tolerance), **more)
    return Metric(name, kind, worse, default, kind is TIME)


_AMOUNT = re.compile(r"(?P<number>\d[\d_]*(?:\.\d+)?|\.\d+)\s*(?P<unit>[^\s\d]\S*)?")


def _read(name: str, kind: Kind, text: str) -> Tolerance:
    """Raises ValueError with a sentence that names the metric and quotes the text."""
    relative = absolute = ticks = 0.0
    for part in re.split(r"\s+or\s+", text.strip()):
        match = _AMOUNT.fullmatch(re.sub(r"^(±|\+-|\+/-)\s*", "", part))
        if match is None:
            raise ValueError(
                f"'{text}' is not a tolerance for {name}; write one such as "
                f"'{kind.example}', or 'off'"
            )
        number, unit = float(match["number"].replace("_", "")), match["unit"] or ""
        if unit in kind.units or (not unit and kind.plain):
            absolute = max(absolute, number * kind.units.get(unit, 1))
        elif unit == "%" and kind.relative:
            relative = max(relative, number / 100)
        elif unit in ("tick", "ticks") and kind is POINTS:
            ticks = max(ticks, number)
        else:
            missing = f"has no unit; {name}" if not unit else f"has the unit '{unit}'; {name}"
            allowed = ["%"] if kind.relative or "%" in kind.units else []
            allowed += [unit for unit in kind.units if unit not in ("%", "point")]
            allowed += ["ticks"] if kind is POINTS else []
            units = f"is in {' or '.join(allowed)}" if allowed else "has none"
            raise ValueError(f"'{part}' {missing} {units}, such as '{kind.example}'")
    return Tolerance(relative, absolute, text.strip(), ticks=ticks)


PICTURES = ("full", "spliced", "merged")
METRICS: tuple[Metric, ...] = (
    _metric("ticks", COUNT, Worse.EITHER, "2% or 3"),
    _metric("shares.unchanged", POINTS, Worse.DOWN, "3 points or 3 ticks"),
    # Down: a video that did not play looks like an improvement everywhere else.
    _metric("shares.video_only", POINTS, Worse.DOWN, "3 points or 3 ticks"),
    _metric("shares.changed", POINTS, Worse.UP, "3 points or 3 ticks"),
    # A page that paints once more before it is quiet: 4 kB were measured at 1280x720.
    _metric("bytes", SIZE, Worse.UP, "5% or 5 kB"),
    _metric("bitrate", RATE, Worse.UP, "5% or 20 kbit/s"),
    _metric("peak_bitrate", RATE, Worse.UP, "10% or 40 kbit/s"),
    # At 50 dB the mean squared error is 0.65 of a level: nobody sees what lies beyond.
    _metric("psnr_y", LEVEL, Worse.DOWN, "0.3 dB", ceiling=50.0),
    _metric("ssim", RATIO, Worse.DOWN, "0.003"),
    _metric("dropped", COUNT, Worse.UP, "0"),
    _metric("keyframes", COUNT, Worse.UP, "0"),
    _metric("fallbacks", COUNT, Worse.UP, "0"),
    _metric("patched_mbs", COUNT, Worse.UP, "20% or 48"),
    *(_metric(f"latency_{picture}", TIME, Worse.UP, "25% or 15 ms") for picture in PICTURES),
    # Processor time depends on what else the machine does: said, not judged.
    *(
        _metric(f"{what}_{picture}", TIME, Worse.UP, "25% or 1 ms", fails=False)
        for what in ("encode", "splice")
        for picture in PICTURES
    ),
)
"""Everything that is compared, in the order in which it is reported."""


def families() -> dict[str, tuple[Metric, ...]]:
    """Every name that a tolerance may be stated for, with the metrics it is about:
    `shares.changed` is one metric, `shares` three, `encode` the times of all pictures."""
    names: dict[str, tuple[Metric, ...]] = {metric.name: (metric,) for metric in METRICS}
    for metric in METRICS:
        family = metric.name.split("_")[0] if metric.timed else metric.name.split(".")[0]
        if family != metric.name:
            names[family] = (*names.get(family, ()), metric)
    return names


def parse_tolerance(name: str, text: str) -> Tolerance:
    """The tolerance that is stated for a metric, or for a family of them (`shares`).

    >>> parse_tolerance("bytes", "10%").allowed(2000)
    200.0

    Raises:
        ValueError: there is no such metric, or the amount cannot be read or has the wrong
            unit; a sentence that quotes it and says what may stand there.
    """
    known = families()
    if name not in known:
        near = get_close_matches(name.lower(), known, n=1)
        question = f"; did you mean '{near[0]}'?" if near else ";"
        raise ValueError(f"unknown metric '{name}'{question} compared are: {', '.join(known)}")
    if str(text).strip().lower() == "off":
        return Tolerance(text="off", fails=False, off=True)
    return _read(name, known[name][0].kind, str(text))


def parse_option(text: str) -> tuple[str, Tolerance]:
    """`METRIC:AMOUNT`, as the command lines take it. Raises ValueError as parse_tolerance."""
    name, colon, amount = text.partition(":")
    if not colon:
        raise ValueError(f"'{text}' is not METRIC:AMOUNT, such as 'bytes:10%'")
    return name.strip(), parse_tolerance(name.strip(), amount)


def tolerance_of(metric: Metric, *stated: Mapping[str, Tolerance]) -> Tolerance:
    """The metric's tolerance: the first of `stated` that has it wins, by its own name
    before its family's; the default where none has."""
    for tolerances in stated:
        for name in _names(metric):
            if name in tolerances:
                return tolerances[name]
    return metric.default


def _names(metric: Metric) -> Iterable[str]:
    yield metric.name
    yield metric.name.split("_")[0] if metric.timed else metric.name.split(".")[0]
