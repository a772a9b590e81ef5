"""What a recording measured: classes, accounts, bytes, quality, times."""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .recorder import Picture, RecorderSettings, Recording, Tick, TickClass

FORMAT = 2
"""Version of metrics.json; rises when a field changes its meaning."""

_TIMED = ("diff", "convert", "encode", "read", "check", "splice", "digest", "latency")


@dataclass(frozen=True)
class PhaseSpan:
    """A phase of the scenario: seconds from the recording's start. `duration`
    is what the scenario asked for, None if it lasted as long as its steps."""

    name: str
    start: float
    end: float
    duration: float | None = None
    line: int = 0


@dataclass(frozen=True)
class Mark:
    """A moment that a step named."""

    name: str
    time: float


@dataclass(frozen=True)
class Frames:
    """The five accounts of presents. They add up, or something is lost uncounted."""

    presented: int
    encoded: int
    identical: int
    coalesced: int
    dropped: int

    @property
    def add_up(self) -> bool:
        return self.presented == self.encoded + self.identical + self.coalesced + self.dropped

    def __str__(self) -> str:
        return (
            f"presented {self.presented} = encoded {self.encoded} + identical {self.identical} "
            f"+ coalesced {self.coalesced} + dropped {self.dropped}"
        )


@dataclass(frozen=True)
class Spread:
    """Milliseconds."""

    median: float
    p95: float
    max: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        ordered = sorted(values)
        if not ordered:
            return None
        p95 = ordered[min(len(ordered) - 1, math.ceil(0.95 * len(ordered)) - 1)]
        return cls(round(statistics.median(ordered), 3), round(p95, 3), round(ordered[-1], 3))


@dataclass(frozen=True)
class Measures:
    """Measured over some ticks: a whole recording or one phase of it.

    counts and shares are keyed by class in lower case; shares are percent of
    the ticks. bytes are of access units; bitrate is bit/s over the ticks'
    time. psnr_y is dB over the luma of all pictures, None without a picture.
    patched_mbs went out as I_PCM because they could not be expressed; fallbacks
    are keyframes because parts of a picture did not fit together. presents and
    coalesced are the accounts of `Frames`. regions is the most that one picture has.
    peak_bitrate is the largest bitrate over any second, None where there are fewer ticks.
    ssim is the mean over the pictures, None where it was not measured; latency is
    from present to access unit in ms, None in a replay and without a picture that
    had a present.
    """

    ticks: int
    duration: float
    counts: dict[str, int]
    shares: dict[str, float]
    bytes: int
    bitrate: float
    pictures: dict[str, int]
    keyframes: int
    region_idrs: int
    region_leaks: int
    dropped: int
    psnr_y: float | None
    patched_mbs: int
    fallbacks: int
    presents: int
    coalesced: int
    regions: int
    ssim: float | None
    latency: Spread | None
    peak_bitrate: float | None

    @property
    def coded(self) -> int:
        """Pictures in the stream."""
        return sum(count for kind, count in self.pictures.items() if kind != "none")

    @classmethod
    def of(cls, ticks: Sequence[Tick], settings: RecorderSettings, *, live: bool) -> Measures:
        """Of any ticks of a recording made with `settings`; `live` as in Recording."""
        fps = settings.fps
        counts = {kind.name.lower(): 0 for kind in TickClass}
        pictures = {kind.name.lower(): 0 for kind in Picture}
        for tick in ticks:
            counts[tick.tick_class.name.lower()] += 1
            pictures[tick.picture.name.lower()] += 1
        total = len(ticks)
        size = sum(tick.bytes for tick in ticks)
        coded = [tick for tick in ticks if tick.picture is not Picture.NONE]
        peak = peak_bitrate(ticks, fps, fps)
        return cls(
            ticks=total,
            duration=total / fps,
            counts=counts,
            shares={k: round(100 * n / total, 2) if total else 0.0 for k, n in counts.items()},
            bytes=size,
            bitrate=round(size * 8 * fps / total, 1) if total else 0.0,
            pictures=pictures,
            keyframes=sum(tick.keyframe for tick in ticks),
            region_idrs=sum(tick.region_idr for tick in ticks),
            region_leaks=sum(tick.region_leaks > 0 for tick in ticks),
            dropped=sum(tick.dropped for tick in ticks),
            psnr_y=psnr(
                sum(tick.sse_y for tick in coded), len(coded) * settings.width * settings.height
            ),
            patched_mbs=sum(tick.patched_mbs for tick in ticks),
            fallbacks=sum(tick.fallback for tick in ticks),
            presents=sum(tick.presents + tick.dropped for tick in ticks),
            coalesced=sum(tick.coalesced for tick in ticks),
            regions=max((tick.regions for tick in ticks), default=0),
            ssim=round(statistics.fmean(tick.ssim for tick in coded), 6)
            if settings.measure and coded
            else None,
            latency=Spread.of(tick.latency_ms for tick in ticks if has_latency(tick))
            if live
            else None,
            peak_bitrate=round(peak[0], 1) if peak else None,
        )


def measured_with(recording: Recording) -> str:
    """Where the captured frames were that quality is measured against, for reports."""
    copied = sum(tick.copied_bytes for tick in recording.ticks)
    if not copied:
        return "frames in host memory"
    return f"frames on the GPU, of which {copied / 1e6:.1f} MB were copied to the host"


def has_latency(tick: Tick) -> bool:
    """False without a picture of a present, and for the first one: its frame was there
    before the recording began."""
    return tick.picture is not Picture.NONE and tick.latency_ms > 0 and tick.index > 0


def peak_bitrate(ticks: Sequence[Tick], fps: int, window: int) -> tuple[float, int] | None:
    """The largest mean bitrate in bit/s over `window` ticks in a row, and the place in
    `ticks` where they begin. None where there are fewer ticks."""
    if not 0 < window <= len(ticks):
        return None
    sums = [0, *itertools.accumulate(tick.bytes for tick in ticks)]
    most, start = max(
        (sums[first + window] - sums[first], -first) for first in range(len(ticks) - window + 1)
    )
    return most * 8 * fps / window, -start


@dataclass(frozen=True)
class Phase:
    """One phase and what was measured in it. Ticks `first_tick` up to, not
    including, `end_tick`."""

    name: str
    start: float
    end: float
    first_tick: int
    end_tick: int
    overran: float
    measures: Measures


@dataclass(frozen=True)
class Metrics:
    """All that `metrics.json` holds, without the checks and expectations."""

    scenario: str
    fps: int
    width: int
    height: int
    total: Measures
    frames: Frames
    phases: tuple[Phase, ...]
    marks: tuple[Mark, ...]
    times: dict[str, Spread]
    environment: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dump."""
        data = dataclasses.asdict(self)
        data["format"] = FORMAT
        data["frames"]["add_up"] = self.frames.add_up
        return data


def psnr(squared_error: float, samples: int) -> float | None:
    """dB; None if there is nothing to measure, 99.0 for no error at all."""
    if samples == 0:
        return None
    if squared_error == 0:
        return 99.0
    return round(10 * math.log10(255**2 * samples / squared_error), 3)


def count_frames(recording: Recording) -> Frames:
    """Adds up the accounts. `presented` comes from the layer's own numbering of
    presents, the others from what the recorder did with them."""
    ticks = recording.ticks
    numbers = [tick.sequence for tick in ticks if tick.sequence]
    presented = numbers[-1] - numbers[0] + 1 if numbers else 0
    return Frames(
        presented=presented + recording.unseen_drops,
        # A keyframe that was due on a tick without a new frame encodes no present.
        encoded=sum(
            tick.picture is not Picture.NONE and tick.tick_class is not TickClass.UNCHANGED
            for tick in ticks
        ),
        identical=sum(tick.identical for tick in ticks),
        coalesced=sum(tick.coalesced for tick in ticks),
        dropped=sum(tick.dropped for tick in ticks) + recording.unseen_drops,
    )


def _first_tick(seconds: float, fps: int) -> int:
    """The first tick at or behind a time."""
    return math.ceil(seconds * fps - 1e-6)


def measure(
    recording: Recording,
    scenario: str,
    spans: Sequence[PhaseSpan],
    marks: Sequence[Mark] = (),
    environment: dict[str, str] | None = None,
) -> Metrics:
    """Computes all metrics of a recording. A tick belongs to the phase whose
    span holds its time; ticks behind the last span belong to the last phase. Less than a tick
    between two spans, or before the first, is no gap; ticks of a gap belong to the whole alone."""
    settings = recording.settings
    phases = []
    first = 0
    before = 0.0  # where the span before ends
    for number, span in enumerate(spans):
        if span.start - before >= 1 / settings.fps:
            first = max(first, min(_first_tick(span.start, settings.fps), len(recording.ticks)))
        before = span.end
        last_span = number == len(spans) - 1
        end = (
            len(recording.ticks)
            if last_span
            # A tick at a phase's very end belongs to the next one.
            else min(_first_tick(span.end, settings.fps), len(recording.ticks))
        )
        overran = span.end - span.start - span.duration if span.duration is not None else 0.0
        phases.append(
            Phase(
                name=span.name,
                start=round(span.start, 3),
                end=round(span.end, 3),
                first_tick=first,
                end_tick=max(first, end),
                overran=round(max(0.0, overran), 3),
                measures=Measures.of(recording.ticks[first:end], settings, live=recording.live),
            )
        )
        first = max(first, end)
    frames = count_frames(recording)
    times = {}
    for name in _TIMED:
        if name == "latency" and not recording.live:
            continue
        field = f"{name}_ms"
        for kind in (Picture.FULL, Picture.SPLICED, Picture.MERGED):
            spread = Spread.of(
                getattr(tick, field)
                for tick in recording.ticks
                if tick.picture is kind and (name != "latency" or has_latency(tick))
            )
            if spread:
                times[f"{name}_{kind.name.lower()}"] = spread
    return Metrics(
        scenario=scenario,
        fps=settings.fps,
        width=settings.width,
        height=settings.height,
        # Drops behind the last frame read belong to no phase, but to the whole.
        total=dataclasses.replace(
            Measures.of(recording.ticks, settings, live=recording.live),
            dropped=frames.dropped,
            presents=frames.presented,
        ),
        frames=frames,
        phases=tuple(phases),
        marks=tuple(marks),
        times=times,
        environment={**(environment or {}), "measured with": measured_with(recording)},
    )
