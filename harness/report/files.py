"""The files beside the pages: metrics.json, ticks.csv and the MP4 remux."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import av

from ..checks import CheckResult
from ..metrics import Metrics
from ..recorder import Picture, Rect, Tick, TickClass
from ..verdict import Verdict

# Without B pictures, so that they come out in the order of their times.
_PREVIEW_OPTIONS = {"preset": "superfast", "crf": "30", "bf": "0", "movflags": "faststart"}


def write_ticks(path: Path, ticks: Sequence[Tick]) -> None:
    """One line a tick, every field; rectangles as `x y w h`, several with `;` between."""
    names = [field.name for field in dataclasses.fields(Tick)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for tick in ticks:
            writer.writerow([_cell(getattr(tick, name)) for name in names])


def _cell(value: Any) -> Any:
    if isinstance(value, (TickClass, Picture)):
        return value.name
    if isinstance(value, Rect):
        return " ".join(str(v) for v in value) if value.w else ""
    if isinstance(value, tuple):
        return "; ".join(str(_cell(part)) for part in value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return value


def write_metrics(
    path: Path,
    metrics: Metrics,
    checks: Iterable[CheckResult],
    verdicts: Iterable[Verdict],
    outcome: dict[str, Any],
) -> None:
    """metrics.json: the metrics, how the checks and expectations ended, and the outcome."""
    data = metrics.to_json()
    data["outcome"] = outcome
    data["checks"] = [
        {"name": c.name, "status": c.status.value, "summary": c.summary, "details": c.details}
        for c in checks
    ]
    data["expectations"] = [{**dataclasses.asdict(v), "status": v.status.value} for v in verdicts]
    temporary = path.with_suffix(".json.part")
    temporary.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def remux_to_mp4(source: Path, target: Path) -> bool:
    """The same packets in MP4, which browsers play. False if there is nothing to remux."""
    try:
        with av.open(str(source)) as read:
            stream = read.streams.video[0]
            with av.open(str(target), "w", options={"movflags": "faststart"}) as write:
                out = write.add_stream_from_template(stream, opaque=True)
                for packet in read.demux(stream):
                    if packet.dts is not None:
                        packet.stream = out
                        write.mux_one(packet)
    except (OSError, IndexError, av.error.FFmpegError):
        target.unlink(missing_ok=True)
        return False
    return True


def preview_of(source: Path, target: Path) -> bool:
    """A small MP4 of the stream in `source`, half as wide and high and coded for size: what
    was on screen, not how it was coded. False if there is nothing to show."""
    try:
        with av.open(str(source)) as read, av.open(str(target), "w", format="mp4") as write:
            stream = read.streams.video[0]
            size = [max(2, length // 4 * 2) for length in (stream.width, stream.height)]
            out = write.add_stream("libx264", options=_PREVIEW_OPTIONS)
            out.width, out.height = size
            out.pix_fmt = "yuv420p"
            out.time_base = out.codec_context.time_base = stream.time_base
            lasting: dict[int, int] = {}  # a picture stands until the next one, however long
            for packet in read.demux(stream):
                if packet.pts is not None and packet.duration:
                    lasting[packet.pts] = packet.duration
                for frame in packet.decode():
                    small = frame.reformat(*size, interpolation="FAST_BILINEAR")
                    small.pts, small.time_base = frame.pts, stream.time_base
                    small.pict_type = 0  # the encoder's to choose
                    _put(write, out.encode(small), lasting)
            _put(write, out.encode(None), lasting)
    except (OSError, IndexError, av.error.FFmpegError):
        target.unlink(missing_ok=True)
        return False
    return True


def _put(write: Any, packets: Iterable[Any], lasting: dict[int, int]) -> None:
    for packet in packets:
        packet.duration = lasting.get(packet.pts, packet.duration)
        write.mux_one(packet)
