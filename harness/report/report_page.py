"""report.html: outcome and cause first, then phases, timeline, pictures and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from ..captured import CapturedPicture
from ..checks import CheckResult, Status, access_units
from ..errors import TapeError
from ..failure_table import FAILURE_HEAD, failure_rows, finding
from ..metrics import Metrics
from ..recorder import Picture, Recording, TickClass
from ..scenario.model import WHOLE
from ..tape import Tape
from ..verdict import Verdict
from .differences import (
    AMPLIFIED,
    DIFFERENCES,
    Compared,
    failures_seen,
    find_differences,
)
from .macroblock_maps import read_maps
from .markup import data_block, escape, packed, page, table, tick_links
from .measures_table import MEASURES_HEAD, measures_row
from .pictures import (
    RAMP_CSS,
    CodedHeat,
    Film,
    Image,
    changed_heat,
    data_url,
    heat_image,
    make_film,
)
from .tick_data import tick_data
from .viewer_page import write_viewer

VIEWER = "viewer.html"
_NO_FRAMES = (
    "No captured frame of these ticks was kept, so that the decoders are compared with each "
    "other and with the encoders' digests. A tape keeps them all: run it with --tape-record, "
    "or replay the tape."
)
_MARK = {Status.PASSED: "✔", Status.FAILED: "✘", Status.NOT_RUN: "–"}  # noqa: RUF001
_CLASS_COLOUR = {
    TickClass.UNCHANGED: "#7a8695",
    TickClass.VIDEO_ONLY: "#56b4e9",
    TickClass.CHANGED: "#ffb52e",
}


def write_report(
    folder: Path,
    recording: Recording,
    metrics: Metrics,
    checks: Sequence[CheckResult],
    verdicts: Sequence[Verdict],
    broken: str,
    mp4: Path | None,
    *,
    pictures: bool = True,
    captured: Sequence[CapturedPicture] = (),
    tape: Path | None = None,
    filed_under: Sequence[str] = (),
    headroom: str = "",
) -> None:
    """Writes report.html into `folder` and, beside it, viewer.html for the stream in `mp4`,
    which lies there too. Both are single files that load nothing from elsewhere.

    `broken` says what broke the recording off, if anything did. `pictures` False: nothing is
    decoded, and there is no viewer (for a run that was interrupted). A stream that cannot be
    read leaves the report without its pictures, and says so. `captured` are frames that were
    kept when something failed; `tape` has all of them, where there is one. `filed_under` are
    the titles of the categories of what failed, the most telling first; `headroom` says that
    the machine did not keep up.
    """
    said = ""
    viewer = None
    film, heats, different = Film((), None), [], ""
    has_picture = any(tick.picture is not Picture.NONE for tick in recording.ticks)
    (folder / VIEWER).unlink(missing_ok=True)  # of an earlier run
    if pictures and has_picture and mp4 is not None:
        try:
            coded = CodedHeat(metrics.width, metrics.height)
            maps = coded.through(read_maps(access_units(recording.stream)))
            write_viewer(folder / VIEWER, recording, metrics, checks, verdicts, mp4, maps=maps)
            viewer = VIEWER
            film = make_film(recording, metrics.phases)
            heats = _heats(recording, coded)
            if any(c.name.startswith(("exact", "decodes")) and not c.passed for c in checks):
                different = "".join(_differences(recording, tape))
        except (OSError, ValueError, IndexError, av.error.FFmpegError, TapeError) as error:
            said = f"<p>The stream cannot be shown: {escape(str(error))}</p>"
    decodes = pictures and has_picture and not said
    data = tick_data(metrics, recording.ticks, checks, verdicts) | {"viewer": viewer}
    sections = (
        ("When it failed", _failures(recording, captured, decode=decodes)),
        ("Pictures that are not exact", [different]),
        ("Timeline", _timeline(metrics)),
        ("Phases", [_phases(metrics, verdicts)]),
        ("What was on screen", _filmstrips(metrics, film, viewer)),
        ("Heat maps", _heat_maps(heats, film.last)),
        ("Stream", [_player(mp4)]),
        *_tables(metrics, checks, verdicts),
    )
    shown = [(title, text) for title, parts in sections if (text := "".join(parts))]
    body = (
        *_head(metrics, viewer),
        _contents([title for title, _ in shown]),
        *_outcome(checks, verdicts, broken, viewer, filed_under, headroom),
        said,
        *(f'<h2 id="{_anchor(title)}">{title}</h2>{text}' for title, text in shown),
        data_block("facts", packed(data)),
    )
    text = page(metrics.scenario, ("page.css",), ("common.js", "timeline.js"), body)
    (folder / "report.html").write_text(text, encoding="utf-8")


def _head(metrics: Metrics, viewer: str | None) -> Iterator[str]:
    yield f"<h1>{escape(metrics.scenario)}</h1>"
    yield f'<div class="faint">{metrics.width}×{metrics.height}, {metrics.fps} ticks/s, '  # noqa: RUF001
    yield f"{metrics.total.duration:.1f} s"
    if viewer:
        yield f' · <a href="{escape(viewer)}" target="viewer">step through the stream</a>'
    yield "</div>"


def _outcome(
    checks: Sequence[CheckResult],
    verdicts: Sequence[Verdict],
    broken: str,
    viewer: str | None,
    filed_under: Sequence[str],
    headroom: str,
) -> Iterator[str]:
    failed = failure_rows(verdicts, checks)
    told = [broken] if broken else []
    if failed:
        told.append(f"{len(failed)} of the expectations and checks did not pass.")
        if not broken:
            told.append(finding(failed))
    if told:
        yield '<div class="banner bad">'
        if filed_under:
            yield f"<b>{escape('; '.join(filed_under))}</b>\n"
        yield f"{escape(chr(10).join(told))}</div>"
    else:
        yield '<div class="banner">Every check and expectation passed.</div>'
    if headroom:
        yield f'<div class="banner warn">{escape(headroom)}</div>'
    if failed:
        yield _failure_table(failed, f"{viewer}#tick=" if viewer else "")


def _failure_table(rows: Sequence[Sequence[str]], address: str) -> str:
    """Where to look stands below each row, so that a narrow window holds both."""
    *head, look = FAILURE_HEAD
    ticks = FAILURE_HEAD.index("ticks")
    parts = ['<div class="text failures"><table><thead><tr>', *(f"<th>{h}</th>" for h in head)]
    parts.append("</tr></thead><tbody>")
    for *row, place in rows:
        cells = [escape(text) for text in row]
        if row[ticks]:  # one tick is a number alone
            named = row[ticks] if ".." in row[ticks] else f"tick {row[ticks]}"
            cells[ticks] = tick_links(named, address)
        parts += ["<tr>", *(f"<td>{cell}</td>" for cell in cells), "</tr>"]
        if place:
            parts.append(
                f'<tr class="look"><td colspan="{len(head)}"><span class="faint">{look}:</span> '
                f"{tick_links(place, address)}</td></tr>"
            )
    return "".join([*parts, "</tbody></table></div>"])


def _anchor(title: str) -> str:
    return "section-" + title.partition(",")[0].lower().replace(" ", "-")


def _contents(titles: Sequence[str]) -> str:
    links = "".join(f'<a href="#{_anchor(title)}">{title}</a>' for title in titles)
    return f'<nav aria-label="On this page">{links}</nav>'


def _phases(metrics: Metrics, verdicts: Sequence[Verdict]) -> str:
    failed = {v.where for v in verdicts if v.status is Status.FAILED}
    rows = [measures_row(f"{n + 1}  {p.name}", p.measures) for n, p in enumerate(metrics.phases)]
    classes = ["failed" if phase.name in failed else "" for phase in metrics.phases]
    whole = "failed" if WHOLE in failed else ""
    rows.append(measures_row("whole recording", metrics.total))
    return _wide(table(MEASURES_HEAD, rows, [*classes, whole]))


def _player(mp4: Path | None) -> str:
    if mp4 is None:
        return ""
    return f'<video controls preload="metadata" src="{escape(mp4.name)}"></video>'


def _timeline(metrics: Metrics) -> Iterator[str]:
    if not metrics.total.ticks:
        yield "<p>No tick was recorded.</p>"
        return
    yield '<div id="timeline"><noscript>The timeline needs JavaScript.</noscript></div>'
    yield '<p class="legend">'
    for kind, colour in _CLASS_COLOUR.items():
        hatched = ' class="hatch"' if kind is TickClass.VIDEO_ONLY else ""
        yield f'<span><i{hatched} style="background-color:{colour}"></i>{kind.name}</span>'
    yield (
        '<span>◆ keyframe</span><span>◇ a region starts over</span><span style="color:#ff7a45">'
        '✖ present dropped &nbsp; ▼ problem</span><span><i style="background:#7389a3"></i>'
        'encode</span><span><i style="background:#ffc2e0"></i>splice</span>'
        "<span>bytes: square-root scale</span></p>"
    )


def _filmstrips(metrics: Metrics, film: Film, viewer: str | None) -> Iterator[str]:
    if not any(film.strips):
        return
    for number, (phase, stills) in enumerate(zip(metrics.phases, film.strips, strict=True)):
        yield (
            f'<div class="strip-row"><div class="name">{number + 1}  {escape(phase.name)}'
            f'<span class="faint">{phase.start:.1f} to {phase.end:.1f} s</span></div>'
            '<div class="film">'
        )
        for still in stills:
            link = f'href="{escape(viewer)}#tick={still.tick}" ' if viewer else ""
            yield (
                f'<a {link}target="viewer"><img src="{still.url}" alt="tick {still.tick}">'
                f"<small>{still.tick / metrics.fps:.1f} s</small></a>"
            )
        yield "</div></div>"


def _heats(
    recording: Recording, coded: CodedHeat
) -> list[tuple[str, str, npt.NDArray[np.float64]]]:
    settings = recording.settings
    return [
        (
            "Where the screen changed",
            "ticks whose changes' bounding box holds the macroblock",
            changed_heat(recording.ticks, settings.width, settings.height),
        ),
        ("Where bits went", "pictures that do not skip the macroblock", coded.heat),
    ]


def _heat_maps(
    heats: Sequence[tuple[str, str, npt.NDArray[np.float64]]], last: Image | None
) -> Iterator[str]:
    if not heats or last is None:
        return
    grey = (last.mean(axis=2, keepdims=True) * 0.55).astype(np.uint8).repeat(3, axis=2)
    behind = data_url(grey, quality=55)
    yield '<div class="heat">'
    for title, unit, heat in heats:
        yield (
            f'<figure><div class="stack"><img src="{behind}" alt="the last picture">'
            f'<img class="map" src="{data_url(heat_image(heat), lossless=True)}" '
            f'alt="{escape(title)}"></div><div class="ramp" style="background:{RAMP_CSS}"></div>'
            f'<div class="ends"><span>1</span><span>{heat.max():.0f}</span></div>'
            f"<figcaption>{escape(title)}: {escape(unit)}</figcaption></figure>"
        )
    yield "</div>"


def _failures(
    recording: Recording, captured: Sequence[CapturedPicture], *, decode: bool
) -> Iterator[str]:
    if not captured:
        return
    try:
        for found in failures_seen(recording, captured, decode=decode):
            place = "no tick has it" if found.tick is None else f"tick {found.tick}"
            if found.picture is not None:
                place += f", picture {found.picture}"
            yield f"<h3>{escape(found.name)} ({place})</h3>"
            yield _compared(found.compared)
    except (OSError, ValueError, av.error.FFmpegError) as error:
        yield f"<p>The captured frame cannot be shown: {escape(str(error))}</p>"
    if len(captured) > DIFFERENCES:
        yield f"<p>{len(captured) - DIFFERENCES} more lie in the folder captured/.</p>"


def _compared(compared: Compared) -> str:
    apart = f"; at most {compared.apart} of 255" if compared.difference else ""
    return _figures(
        (compared.captured, "captured; regions yellow, changed white"),
        (compared.decoded, "decoded (FFmpeg), likewise"),
        (compared.difference, f"their difference in luma, times {AMPLIFIED}{apart}"),
    )


def _figures(*pictures: tuple[str | None, str]) -> str:
    parts = ['<div class="different">']
    for url, caption in pictures:
        shown = f'<img src="{url}" alt="">' if url else "<p>nothing to show</p>"
        parts.append(f"<figure>{shown}<figcaption>{escape(caption)}</figcaption></figure>")
    return "".join(parts) + "</div>"


def _differences(recording: Recording, path: Path | None) -> Iterator[str]:
    tape, told = None, _NO_FRAMES
    if path is not None:
        try:
            tape, told = Tape.open(path), ""
        except TapeError as error:
            told = f"The captured frames cannot be shown: {error.message}"
    if told:
        yield f'<p class="faint">{escape(told)}</p>'
    for found in find_differences(recording, tape):
        counts = ", ".join(f"{n} macroblocks in {name}" for name, n in found.wrong.items() if n)
        yield f"<h3>Picture {found.picture} (tick {found.tick}): not exact, {escape(counts)}</h3>"
        yield _figures(
            (found.ffmpeg, "FFmpeg; wrong macroblocks pink, regions yellow, changed white"),
            (found.openh264, "OpenH264, likewise"),
            (found.difference, f"the two decoders' difference in luma, times {AMPLIFIED}")
            if found.difference
            else (found.detail, "both decoders show the same, not what was encoded: enlarged"),
        )
        if found.captured:
            yield _compared(found.captured)


def _decibels(value: float | None) -> str:
    return "not measured" if value is None else f"{value} dB"


def _tables(
    metrics: Metrics, checks: Sequence[CheckResult], verdicts: Sequence[Verdict]
) -> Iterator[tuple[str, Sequence[str]]]:
    """Titles, and what stands below them."""
    m, frames = metrics.total, metrics.frames
    kinds = ", ".join(f"{m.pictures[kind]} {kind}" for kind in ("full", "spliced", "merged"))
    facts = [
        ["ticks", str(m.ticks), "presents", str(frames.presented)],
        ["duration", f"{m.duration:.2f} s", "encoded", str(frames.encoded)],
        ["bytes", f"{m.bytes:,}", "identical", str(frames.identical)],
        ["bitrate", f"{m.bitrate / 1e6:.3f} Mbit/s", "coalesced", str(frames.coalesced)],
        ["PSNR-Y", _decibels(m.psnr_y), "dropped", str(frames.dropped)],
        ["pictures", kinds, "keyframes", f"{m.keyframes} (+{m.region_idrs} of the region)"],
    ]
    times = [
        [name.replace("_", " "), f"{s.median:.2f}", f"{s.p95:.2f}", f"{s.max:.2f}"]
        for name, s in metrics.times.items()
    ]
    expected = [[_MARK[v.status], v.where, v.name, v.limit, v.measured, v.margin] for v in verdicts]
    judged = [[_MARK[c.status], c.name, c.summary] for c in checks]
    head = ("", "where", "what", "limit", "measured", "margin")
    statuses = [v.status.name.lower() for v in verdicts]
    yield "Expectations", _text(table(head, expected, statuses))
    statuses = [c.status.name.lower() for c in checks]
    yield "Checks", _text(table(("", "check", "result"), judged, statuses))
    yield "Totals", _wide(table(("", "", "", ""), facts))
    yield "Times, ms", _wide(table(("", "median", "p95", "max"), times))
    yield "Environment", _text(table(("", ""), list(metrics.environment.items())))


def _wide(table_of_numbers: str) -> str:
    """In a narrow window it moves sideways, not the page."""
    return f'<div class="wide">{table_of_numbers}</div>'


def _text(table_of_text: str) -> str:
    return f'<div class="text">{table_of_text}</div>'
