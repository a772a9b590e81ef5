"""Small recordings with everything that a report shows, and the report of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.checks import CheckResult, Status, check_recording
from harness.metrics import Mark, Metrics, PhaseSpan, measure
from harness.pipeline import Pipeline
from harness.recorder import RecorderSettings, Recording
from harness.report import remux_to_mp4, write_report
from harness.ring import VideoRegion
from harness.verdict import Verdict

from . import content

WIDTH, HEIGHT = 640, 384
VIDEO = (192, 112, 192, 112)

HOSTILE = (
    "</script><script>document.body.dataset.pwned=1</script>",
    '"><img src=x onerror="document.body.dataset.pwned=2">',
    "<!--<script>' onmouseover='document.body.dataset.pwned=3'",
    "javascript:document.body.dataset.pwned=4//\u2028\u202e&lt;b&gt;",
)


def record(path: Path, count: int = 48, **settings: Any) -> Recording:
    """A page, then a video in it; every ninth tick a card beside it changes, every fifth
    brings nothing."""
    page = content.ui(WIDTH, HEIGHT)
    chosen = RecorderSettings(WIDTH, HEIGHT, **{"adopt_after": 0, **settings})
    with Pipeline(chosen, path) as pipeline:
        pipeline.tick(page)
        pipeline.tick(None)
        for number, picture in enumerate(content.natural(VIDEO[2], VIDEO[3], count - 2)):
            if number % 9 == 8:
                page = content.paste(page, content.ui(60, 40, seed=number), 20, 20)
            frame = content.paste(page, picture, *VIDEO[:2])
            nothing = number % 5 == 4
            pipeline.tick(None if nothing else frame, [VideoRegion(1, *VIDEO, True, 0)])
        return pipeline.finish()


@dataclass(frozen=True)
class Reported:
    """A recording and what its report says."""

    folder: Path
    recording: Recording
    metrics: Metrics
    checks: tuple[CheckResult, ...]
    verdicts: tuple[Verdict, ...]


def report(
    folder: Path, recording: Recording, names: Sequence[str] = ("One", "Two", "Three", "Four")
) -> Reported:
    """Writes the report of `recording` into `folder`, with a failed expectation in its
    second phase. `names` are used wherever a text can come from outside."""
    half = recording.duration / 2
    metrics = measure(
        recording,
        names[0],
        [PhaseSpan(names[1], 0, half), PhaseSpan(names[2], half, recording.duration)],
        [Mark(names[3], half / 2)],
        {names[0]: names[1]},
    )
    second = metrics.phases[1]
    verdicts = (
        Verdict(
            where=names[2],
            name=names[3],
            limit=names[0],
            measured=names[1],
            margin="-1 %",
            status=Status.FAILED,
            first_tick=second.first_tick,
            end_tick=second.end_tick,
            look=names[0],
        ),
    )
    checks = check_recording(recording) if recording.stream.is_file() else ()
    mp4 = folder / "live_spliced.mp4"
    has_mp4 = recording.stream.is_file() and remux_to_mp4(recording.stream, mp4)
    write_report(folder, recording, metrics, checks, verdicts, names[0], mp4 if has_mp4 else None)
    return Reported(folder, recording, metrics, checks, verdicts)
