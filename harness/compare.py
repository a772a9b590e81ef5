"""Pipelines side by side: one tape through several ways of coding it.

Every pipeline sees the same frames on the same ticks with the same preset and QP. What
is compared is what a user would compare: bytes, processor time of encoders and splicer,
and how close the picture on screen is to the captured one, over time, in the videos and
in the rest apart.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import statistics
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.table import Table

from .checks import Status, check_recording
from .errors import HarnessError
from .pipeline import Pipeline
from .recorder import Picture, RecorderSettings, Recording, Tick
from .tape import TapeStep

PIPELINES: Mapping[str, dict[str, Any]] = {
    "single": {"mode": "single", "mb_info": False},
    "single+mb_info": {"mode": "single"},
    "single-vfr": {"mode": "single-vfr", "mb_info": False},
    "single-vfr+mb_info": {"mode": "single-vfr"},
    "rows": {"splice": "rows"},
    "separate": {"splice": "separate"},
    "two-encoder": {},
    "two-encoder-mb_info": {"mb_info": False},
}
"""Name to RecorderSettings. `two-encoder` is what a recording uses; `rows` and `separate`
are its older forms (row slices; one slice, but CHANGED pictures in full); `single` codes
every tick, `single-vfr` those on which something changed."""

REFERENCE = "single-vfr"


class Frames(Protocol):
    """What can be compared on: a tape, or anything that yields its steps."""

    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def fps(self) -> int: ...
    def __iter__(self) -> Any: ...


@dataclass(frozen=True)
class Measured:
    """One pipeline on one tape.

    cpu is seconds of encoders and splicer on their thread, the median of the runs. psnr_y
    (dB) and ssim are over all ticks, of what is on screen then; psnr_video and psnr_ui are
    of the macroblocks that playing videos cover, and of the others. None: nothing such.
    `exact` tells whether both decoders show what the encoders reconstructed.
    """

    pipeline: str
    bytes: int
    cpu: float
    psnr_y: float | None
    psnr_video: float | None
    psnr_ui: float | None
    ssim: float | None
    pictures: dict[str, int]
    keyframes: int
    region_starts: int
    leaks: int
    patched_mbs: int
    fallbacks: int
    exact: bool


@dataclass(frozen=True)
class Comparison:
    """One tape through all pipelines."""

    name: str
    reference: str
    ticks: int
    classes: dict[str, int]
    measured: tuple[Measured, ...]

    def of(self, pipeline: str) -> Measured:
        return next(m for m in self.measured if m.pipeline == pipeline)

    def to_json(self) -> dict[str, Any]:
        """Plain data, with the ratios to the reference."""
        base = self.of(self.reference)
        data = dataclasses.asdict(self)
        for item, m in zip(data["measured"], self.measured, strict=True):
            item["bytes_ratio"] = round(m.bytes / base.bytes, 4)
            item["cpu_ratio"] = round(m.cpu / base.cpu, 4)
        data["vmaf"] = "not measured: no libvmaf here"
        return data


def _psnr(error: float, macroblocks: int) -> float | None:
    if macroblocks == 0:
        return None
    return 99.0 if error == 0 else round(10 * math.log10(255**2 * 256 * macroblocks / error), 3)


def _record(steps: Iterable[TapeStep], settings: RecorderSettings, folder: Path) -> Recording:
    coming = iter(steps)
    first = next(coming)
    origin = first.tick.arrival.tick_ns
    with Pipeline(settings, folder / "stream.mkv", origin) as pipeline:
        for tick, frame in itertools.chain([first], coming):
            pipeline.tick(frame, tick.videos, tick.damage, tick.arrival)
        return pipeline.finish()


def _judge(recording: Recording) -> bool:
    """Raises HarnessError where a check could not be made."""
    results = check_recording(recording)
    for result in results:
        if result.status is Status.NOT_RUN:
            raise HarnessError(f"{result.name} was not run: {result.summary}", "see `make setup`")
    return all(result.passed for result in results)


def measure(name: str, recording: Recording, cpu: Sequence[float], exact: bool) -> Measured:
    """Sums up a recording; `cpu` are the seconds of all runs."""
    settings = recording.settings
    macroblocks = -(-settings.width // 16) * -(-settings.height // 16)
    shown: Tick | None = None
    video_error = ui_error = 0.0
    video = ui = ticks = 0
    ssim = 0.0
    for tick in recording.ticks:
        if tick.picture is not Picture.NONE:
            shown = tick
        if shown is None:
            continue
        ticks += 1
        video_error += shown.sse_video
        ui_error += shown.sse_y - shown.sse_video
        video += shown.video_mbs
        ui += macroblocks - shown.video_mbs
        ssim += shown.ssim
    return Measured(
        pipeline=name,
        bytes=sum(tick.bytes for tick in recording.ticks),
        cpu=round(statistics.median(cpu), 4),
        psnr_y=_psnr(video_error + ui_error, video + ui),
        psnr_video=_psnr(video_error, video),
        psnr_ui=_psnr(ui_error, ui),
        ssim=round(ssim / ticks, 5) if settings.measure and ticks else None,
        pictures={
            kind.name.lower(): sum(tick.picture is kind for tick in recording.ticks)
            for kind in Picture
            if kind is not Picture.NONE
        },
        keyframes=sum(tick.keyframe for tick in recording.ticks),
        region_starts=sum(tick.region_idr for tick in recording.ticks),
        leaks=sum(tick.region_leaks > 0 for tick in recording.ticks),
        patched_mbs=sum(tick.patched_mbs for tick in recording.ticks),
        fallbacks=sum(tick.fallback for tick in recording.ticks),
        exact=exact,
    )


def compare(
    name: str,
    frames: Callable[[], Iterable[TapeStep]],
    settings: RecorderSettings,
    pipelines: Sequence[str],
    runs: int = 1,
    reference: str = REFERENCE,
    progress: Callable[[str, int], None] = lambda _pipeline, _run: None,
) -> Comparison:
    """Runs every pipeline `runs` times, all of them once before any a second time, so
    that a machine that grows slower does so for all.

    Args:
        frames: gives the steps anew each time it is called.
        settings: size, rate, preset and QP for all; the rest is the pipelines'.

    Raises:
        HarnessError: an unknown pipeline, or a check that could not be made.
    """
    unknown = [p for p in (*pipelines, reference) if p not in PIPELINES]
    if unknown:
        raise HarnessError(
            f"there is no pipeline '{unknown[0]}'", f"choose from {', '.join(PIPELINES)}"
        )
    chosen = list(dict.fromkeys((reference, *pipelines)))
    cpu: dict[str, list[float]] = {pipeline: [] for pipeline in chosen}
    measured: dict[str, Measured] = {}
    exact: dict[str, bool] = {}
    first: dict[str, Recording] = {}
    with tempfile.TemporaryDirectory(prefix="uisplice-compare-") as folder:
        for run in range(runs):
            for pipeline in chosen:
                progress(pipeline, run)
                # The first run is also judged and measured; SSIM is not the encoders' work.
                chosen_settings = dataclasses.replace(
                    settings, measure=run == 0, **PIPELINES[pipeline]
                )
                recording = _record(frames(), chosen_settings, Path(folder))
                cpu[pipeline].append(sum(tick.cpu_ms for tick in recording.ticks) / 1000)
                if run == 0:
                    exact[pipeline] = _judge(recording)
                    first[pipeline] = recording
        for pipeline in chosen:
            measured[pipeline] = measure(pipeline, first[pipeline], cpu[pipeline], exact[pipeline])
    ticks = first[reference].ticks
    classes: dict[str, int] = {}
    for tick in ticks:
        classes[tick.tick_class.name] = classes.get(tick.tick_class.name, 0) + 1
    return Comparison(name, reference, len(ticks), classes, tuple(measured.values()))


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def table(comparison: Comparison) -> Table:
    """Absolute figures and ratios to the reference."""
    base = comparison.of(comparison.reference)
    classes = ", ".join(f"{count} {name}" for name, count in comparison.classes.items())
    out = Table(
        title=f"{comparison.name}: {comparison.ticks} ticks ({classes}); "
        f"ratios to {comparison.reference}",
        title_justify="left",
    )
    for head in (
        "pipeline", "kB", "ratio", "CPU s", "ratio", "PSNR-Y", "video", "UI", "SSIM",
        "full/spliced/merged", "starts", "leaks", "patched", "exact",
    ):  # fmt: skip
        out.add_column(head, justify="left" if head == "pipeline" else "right")
    for m in comparison.measured:
        out.add_row(
            m.pipeline,
            f"{m.bytes / 1000:.0f}",
            f"{m.bytes / base.bytes:.3f}",
            f"{m.cpu:.2f}",
            f"{m.cpu / base.cpu:.2f}",
            _number(m.psnr_y, ".2f"),
            _number(m.psnr_video, ".2f"),
            _number(m.psnr_ui, ".2f"),
            _number(m.ssim, ".4f"),
            "/".join(str(count) for count in m.pictures.values()),
            str(m.region_starts),
            str(m.leaks),
            f"{m.patched_mbs}+{m.fallbacks}" if m.fallbacks else str(m.patched_mbs),
            "yes" if m.exact else "NO",
        )
    return out


def write(comparisons: Sequence[Comparison], folder: Path) -> list[Path]:
    """Writes comparison.json and comparison.svg (the tables as a picture)."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "comparison.json"
    data.write_text(json.dumps([c.to_json() for c in comparisons], indent=1), encoding="utf-8")
    picture = folder / "comparison.svg"
    console = Console(record=True, width=160, file=(folder / "comparison.txt").open("w"))
    for comparison in comparisons:
        console.print(table(comparison))
    console.save_svg(str(picture), title="Pipelines side by side")
    console.file.close()
    return [data, picture]
