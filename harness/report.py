"""What a run leaves to look at: metrics.json, ticks.csv, an MP4 remux and report.html."""

from __future__ import annotations

import csv
import dataclasses
import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import av

from .checks import CheckResult, Status
from .failure_table import FAILURE_HEAD, failure_rows
from .metrics import Measures, Metrics
from .recorder import Picture, Rect, Tick, TickClass
from .verdict import Verdict

# Okabe and Ito's palette: told apart by colour-blind readers too.
_COLOUR = {
    TickClass.UNCHANGED: "#5b6470",
    TickClass.VIDEO_ONLY: "#56b4e9",
    TickClass.CHANGED: "#e69f00",
}
_MARK = {Status.PASSED: "✔", Status.FAILED: "✘", Status.NOT_RUN: "–"}  # noqa: RUF001


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


def measures_row(name: str, m: Measures) -> list[str]:
    """A line of the phase table, as text."""
    return [
        name,
        f"{m.duration:.1f}",
        str(m.ticks),
        f"{m.shares['unchanged']:.1f}",
        f"{m.shares['video_only']:.1f}",
        f"{m.shares['changed']:.1f}",
        f"{m.bytes / 1000:.0f}",
        f"{m.bitrate / 1e6:.2f}",
        f"{m.psnr_y:.1f}" if m.psnr_y is not None else "–",  # noqa: RUF001
    ]


MEASURES_HEAD = [
    "phase",
    "s",
    "ticks",
    "unchanged %",
    "video only %",
    "changed %",
    "kB",
    "Mbit/s",
    "PSNR-Y dB",
]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], classes: Sequence[str] = ()) -> str:
    parts = [
        "<table><thead><tr>",
        *(f"<th>{html.escape(h)}</th>" for h in head),
        "</tr></thead><tbody>",
    ]
    for number, row in enumerate(rows):
        kind = f' class="{classes[number]}"' if classes else ""
        parts.append(f"<tr{kind}>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>")
    return "".join(parts) + "</tbody></table>"


def _timeline(metrics: Metrics, ticks: Sequence[Tick]) -> str:
    """Classes a tick, phases above, bytes below, as one SVG that scales with the page."""
    if not ticks:
        return "<p>No tick was recorded.</p>"
    lane, bars, top = 26, 90, 34
    largest = max(max(tick.bytes for tick in ticks), 1)
    count = len(ticks)
    parts = [
        f'<svg viewBox="0 0 {count} {top + lane + bars + 4}" preserveAspectRatio="none" '
        'role="img" aria-label="Class and bytes of every tick">'
    ]
    for number, phase in enumerate(metrics.phases):
        x, w = phase.first_tick, max(phase.end_tick - phase.first_tick, 1)
        shade = "#232a33" if number % 2 else "#1a2027"
        parts.append(
            f'<rect x="{x}" y="0" width="{w}" height="{top - 4}" fill="{shade}">'
            f"<title>{html.escape(phase.name)}</title></rect>"
        )
    for tick in ticks:
        facts = (
            f"tick {tick.index} at {tick.time:.2f} s: {tick.tick_class.name}, "
            f"{tick.picture.name.lower()}, {tick.bytes} bytes, {tick.dirty_mbs} macroblocks"
        )
        height = tick.bytes / largest * bars
        parts.append(
            f"<g><title>{facts}</title>"
            f'<rect x="{tick.index}" y="{top}" width="1" height="{lane}" '
            f'fill="{_COLOUR[tick.tick_class]}"/>'
        )
        if tick.bytes:
            parts.append(
                f'<rect x="{tick.index}" y="{top + lane + 4 + bars - height:.1f}" width="1" '
                f'height="{height:.1f}" fill="#9aa7b4"/>'
            )
        if tick.dropped:
            parts.append(
                f'<rect x="{tick.index}" y="{top}" width="2" height="{lane}" fill="#d55e00"/>'
            )
        parts.append("</g>")
    parts.append("</svg>")
    names = "".join(
        f'<span style="flex:{max(p.end_tick - p.first_tick, 1)}">{number + 1}</span>'
        for number, p in enumerate(metrics.phases)
    )
    legend = "".join(
        f'<span class="key"><i style="background:{_COLOUR[kind]}"></i>{kind.name}</span>'
        for kind in TickClass
    )
    return (
        f'<div class="numbers">{names}</div><div class="lane">{"".join(parts)}</div>'
        f'<p class="legend">{legend}<span class="key">bars: bytes of the access unit, '
        f"largest {largest / 1000:.0f} kB</span></p>"
    )


_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;background:#0f1318;color:#dde3ea;margin:0 auto;
max-width:1180px;padding:24px}h1{margin:0 0 4px;font-size:26px}h2{margin:28px 0 8px;font-size:18px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:4px 10px;border-bottom:1px solid #262e38}
th:first-child,td:first-child,.text th,.text td{text-align:left}th{color:#93a1b0;font-weight:500}
.lane svg{width:100%;height:190px;display:block;background:#141a21}
.numbers{display:flex;color:#93a1b0;font-size:12px;text-align:center}
.numbers span{min-width:0;overflow:hidden}.legend{color:#93a1b0;font-size:13px}
.key{margin-right:18px}.key i{display:inline-block;width:12px;height:12px;margin-right:6px}
.failures td:not(:last-child){white-space:nowrap}
.failed td{color:#ff9d8a}.not_run td{color:#d9c27a}.banner{padding:10px 14px;border-radius:6px;
white-space:pre-wrap;background:#173226}.banner.bad{background:#401d1a}video{width:100%;
max-width:860px;background:#000}
"""


def write_html(
    path: Path,
    metrics: Metrics,
    ticks: Sequence[Tick],
    checks: Sequence[CheckResult],
    verdicts: Sequence[Verdict],
    broken: str,
    video: str | None,
) -> None:
    """report.html: one page, no script, nothing loaded but the video beside it. `broken`
    says what broke the recording off, if anything did."""
    m, frames = metrics.total, metrics.frames
    failed = failure_rows(verdicts, checks)
    told = [broken] if broken else []
    if failed:
        told.append(f"{len(failed)} of the expectations and checks did not pass.")
    banner = (
        f'<div class="banner bad">{html.escape(chr(10).join(told))}</div>'
        if told
        else '<div class="banner">Every check and expectation passed.</div>'
    )
    if failed:
        banner += f'<div class="text failures">{_table(FAILURE_HEAD, failed)}</div>'
    facts = [
        ["ticks", str(m.ticks), "presents", str(frames.presented)],
        ["duration", f"{m.duration:.2f} s", "encoded", str(frames.encoded)],
        ["bytes", f"{m.bytes:,}", "identical", str(frames.identical)],
        ["bitrate", f"{m.bitrate / 1e6:.3f} Mbit/s", "coalesced", str(frames.coalesced)],
        ["PSNR-Y", f"{m.psnr_y} dB", "dropped", str(frames.dropped)],
        [
            "pictures",
            ", ".join(f"{m.pictures[kind]} {kind}" for kind in ("full", "spliced", "merged")),
            "keyframes",
            f"{m.keyframes} (+{m.region_idrs} of the region)",
        ],
    ]
    phases = [measures_row(f"{n + 1}  {p.name}", p.measures) for n, p in enumerate(metrics.phases)]
    phases.append(measures_row("whole recording", m))
    times = [
        [name.replace("_", " "), f"{s.median:.2f}", f"{s.p95:.2f}", f"{s.max:.2f}"]
        for name, s in metrics.times.items()
    ]
    judged = [[_MARK[c.status], c.name, c.summary] for c in checks]
    expected = [[_MARK[v.status], v.where, v.name, v.limit, v.measured, v.margin] for v in verdicts]
    environment = [[k, v] for k, v in metrics.environment.items()]
    kind = [s.status.name.lower() for s in checks]
    kind_expected = [v.status.name.lower() for v in verdicts]
    player = f'<video controls src="{html.escape(video)}"></video>' if video else ""
    path.write_text(
        f"<!doctype html><html lang=en><meta charset=utf-8>"
        f"<title>{html.escape(metrics.scenario)}</title><style>{_STYLE}</style>"
        f"<h1>{html.escape(metrics.scenario)}</h1>"
        f"<p>{metrics.width}×{metrics.height}, {metrics.fps} ticks/s</p>{banner}"  # noqa: RUF001
        f"<h2>Timeline</h2>{_timeline(metrics, ticks)}"
        f"<h2>Phases</h2>{_table(MEASURES_HEAD, phases)}"
        f"<h2>Totals</h2>{_table(['', '', '', ''], facts)}"
        f'<div class="text"><h2>Expectations</h2>'
        f"{_table(['', 'where', 'what', 'limit', 'measured', 'margin'], expected, kind_expected)}"
        f"<h2>Checks</h2>{_table(['', 'check', 'result'], judged, kind)}</div>"
        f"<h2>Times, ms</h2>{_table(['', 'median', 'p95', 'max'], times)}"
        f'<h2>Stream</h2>{player}<div class="text"><h2>Environment</h2>'
        f"{_table(['', ''], environment)}</div></html>",
        encoding="utf-8",
    )
