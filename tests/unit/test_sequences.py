"""Any geometry, any sequence of classes, any content: the stream stays exact.

Hypothesis draws sessions; the native pipeline codes them frame by frame, and both
decoders must show what the encoders reconstructed. `UISPLICE_SEQUENCES` sets how
many are drawn (default 300; a long run: 10000).
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import content

from harness.checks import check_recording
from harness.pipeline import Pipeline
from harness.recorder import Picture, RecorderSettings, Recording
from harness.ring import VideoRegion

SEQUENCES = int(os.environ.get("UISPLICE_SEQUENCES", "300"))
CLIP = (320, 192)


@dataclass(frozen=True)
class Drawn:
    width: int
    height: int
    qp: int
    preset: str
    splice: str
    guard: int
    seed: int
    videos: list[tuple[int, int, int, int]]
    events: list[str]


@st.composite
def sessions(draw) -> Drawn:
    width, height = 2 * draw(st.integers(24, 150)), 2 * draw(st.integers(24, 100))
    videos = []
    for _ in range(draw(st.integers(1, 2))):
        w, h = draw(st.integers(16, min(width, 300))), draw(st.integers(16, min(height, 180)))
        # Edges and corners as often as the middle.
        x = draw(st.sampled_from([0, width - w]) | st.integers(0, width - w))
        y = draw(st.sampled_from([0, height - h]) | st.integers(0, height - h))
        videos.append((x, y, w, h))
    event = st.sampled_from(
        [
            "video",
            "video",
            "video",
            "both",
            "ui",
            "ui near",
            "nothing",
            "identical",
            "move",
            "noise",
            "stop",
        ]
    )
    return Drawn(
        width=width,
        height=height,
        qp=draw(st.integers(10, 45)),
        preset=draw(st.sampled_from(["ultrafast", "superfast", "veryfast", "medium", "slower"])),
        splice=draw(st.sampled_from(["syntax", "syntax", "syntax", "separate", "rows"])),
        guard=draw(st.sampled_from([3, 3, 3, 0, 1, 5])),
        seed=draw(st.integers(0, 1000)),
        videos=videos,
        events=draw(st.lists(event, min_size=4, max_size=14)),
    )


def play(drawn: Drawn, path: Path) -> Recording:
    rng = np.random.default_rng(drawn.seed)
    clip = content.natural(*CLIP, 40)
    frame = content.ui(drawn.width, drawn.height, seed=drawn.seed)
    videos = list(drawn.videos)
    playing = [True] * len(videos)
    shown = int(rng.integers(0, 30))
    settings_ = RecorderSettings(
        drawn.width,
        drawn.height,
        qp=drawn.qp,
        preset=drawn.preset,
        guard=drawn.guard,
        splice=drawn.splice,
    )
    with Pipeline(settings_, path) as pipeline:
        pipeline.tick(frame)
        for event in drawn.events:
            if event == "nothing":
                pipeline.tick(None)
                continue
            frame = frame.copy()
            shown += 1
            if event in ("video", "both", "noise"):
                for number, (x, y, w, h) in enumerate(videos):
                    if number and event != "both":
                        continue
                    playing[number] = True
                    picture = clip[shown % len(clip)][:h, :w]
                    if event == "noise":
                        picture = rng.integers(0, 255, (h, w, 4), dtype=np.uint8)
                    frame[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
            elif event in ("ui", "ui near"):
                x, y = rng.integers(0, drawn.width - 20), rng.integers(0, drawn.height - 12)
                if event == "ui near":  # in the guard, or inside the video
                    vx, vy, _, _ = videos[0]
                    x = max(0, min(vx - 20 + int(rng.integers(0, 60)), drawn.width - 20))
                    y = max(0, min(vy - 20 + int(rng.integers(0, 60)), drawn.height - 12))
                frame[y : y + 12, x : x + 20, :3] = rng.integers(0, 255, 3)
            elif event == "move":
                x, y, w, h = videos[0]
                videos[0] = (drawn.width - w - x, drawn.height - h - y, w, h)
            elif event == "stop":
                playing[-1] = False
            pipeline.tick(
                frame,
                [
                    VideoRegion(number, *rect, playing[number], 0)
                    for number, rect in enumerate(videos)
                ],
            )
        return pipeline.finish()


@given(sessions())
@settings(
    max_examples=SEQUENCES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
def test_every_sequence_is_exact(drawn: Drawn):
    with tempfile.TemporaryDirectory() as folder:
        recording = play(drawn, Path(folder) / "s.mkv")
        for result in check_recording(recording):
            assert result.passed, f"{result.name}: {result.summary}"
        for tick in recording.ticks:
            if tick.picture in (Picture.SPLICED, Picture.MERGED) and drawn.splice != "rows":
                assert tick.slices == 1
