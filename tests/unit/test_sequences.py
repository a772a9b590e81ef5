"""Any geometry, any sequence of classes, any content: the stream stays exact.

Hypothesis draws sessions; the native pipeline codes them frame by frame, and both
decoders must show what the encoders reconstructed. `UISPLICE_SEQUENCES` sets how
many are drawn (default 300; a long run: 10000).
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import content

from harness.checks import check_recording
from harness.pipeline import Pipeline
from harness.recorder import EncoderName, Picture, RecorderSettings, Recording
from harness.ring import VideoRegion

SEQUENCES = int(os.environ.get("UISPLICE_SEQUENCES", "300"))
CLIP = (320, 192)


@dataclass(frozen=True)
class Drawn:
    width: int
    height: int
    qp: int
    preset: str
    splice: Literal["syntax", "separate", "rows"]
    guard: int
    region_limit: int
    deblock: bool
    adopt_after: int
    mb_info: bool
    threads: int
    seed: int
    videos: list[tuple[int, int, int, int]]
    events: list[str]


EVENTS = [
    *["video"] * 6,
    *["all videos"] * 3,
    "ui",
    "ui",
    "ui near",
    "ui near",
    "ui near and video",
    "slide",
    "slide and video",
    "photo",
    "photo and video",
    "nothing",
    "identical",
    "move",
    "noise",
    "pause",
    "vanish",
    "appear",
    "new page",
    "keyframe",
]


@st.composite
def sessions(draw) -> Drawn:
    width, height = 2 * draw(st.integers(24, 240)), 2 * draw(st.integers(24, 160))
    videos = []
    for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
        most = draw(st.sampled_from([64, 128, 300]))  # small ones leave room around them
        w, h = (
            draw(st.integers(16, min(width, most))),
            draw(st.integers(16, min(height, most, 180))),
        )
        # Edges and corners as often as the middle.
        x = draw(st.sampled_from([0, width - w]) | st.integers(0, width - w))
        y = draw(st.sampled_from([0, height - h]) | st.integers(0, height - h))
        videos.append((x, y, w, h))
    return Drawn(
        width=width,
        height=height,
        qp=draw(st.integers(10, 45)),
        preset=draw(st.sampled_from(["ultrafast", "superfast", "veryfast", "medium", "slower"])),
        splice=draw(st.sampled_from(["syntax", "syntax", "syntax", "syntax", "separate", "rows"])),
        guard=draw(st.sampled_from([3, 1, 2, 0, 5])),
        region_limit=draw(st.sampled_from([100, 100, 70])),
        deblock=draw(st.sampled_from([True, True, False])),
        adopt_after=draw(st.sampled_from([0, 1, 3])),
        mb_info=draw(st.sampled_from([True, True, True, False])),
        threads=draw(st.sampled_from([1, 1, 2, 4])),
        seed=draw(st.integers(0, 1000)),
        videos=videos,
        events=draw(st.lists(st.sampled_from(EVENTS), min_size=6, max_size=24)),
    )


class Stage:
    """What a session shows, and how its events change it."""

    def __init__(self, drawn: Drawn) -> None:
        self.drawn = drawn
        self.rng = np.random.default_rng(drawn.seed)
        self.page = content.ui(drawn.width, drawn.height, seed=drawn.seed)
        self.strip = content.ui(drawn.width * 2, 24, seed=drawn.seed + 1)
        self.clip = content.natural(*CLIP, 40)
        self.shown = int(self.rng.integers(0, 30))
        self.slid = 0
        self.videos = list(drawn.videos)
        self.pictures: list[np.ndarray | None] = [None] * len(drawn.videos)
        self.playing = [True] * len(drawn.videos)
        self.there = [True] * len(drawn.videos)

    def frame(self) -> np.ndarray:
        frame = self.page.copy()
        for there, picture, (x, y, _, _) in zip(
            self.there, self.pictures, self.videos, strict=True
        ):
            if there and picture is not None:
                frame[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
        return frame

    def regions(self) -> list[VideoRegion]:
        return [
            VideoRegion(number, *rect, self.playing[number], 0)
            for number, rect in enumerate(self.videos)
            if self.there[number]
        ]

    def play(self, count: int, noise: bool = False) -> None:
        self.shown += 1
        for number in range(count):
            _, _, w, h = self.videos[number]
            self.playing[number] = True
            self.pictures[number] = self.clip[(self.shown + 7 * number) % len(self.clip)][:h, :w]
            if noise:
                self.pictures[number] = self.rng.integers(0, 255, (h, w, 4), dtype=np.uint8)

    def happen(self, event: str) -> None:
        width, height = self.drawn.width, self.drawn.height
        if event in ("video", "noise") or event.endswith("and video"):
            self.play(1, event == "noise")
        if event == "all videos":
            self.play(len(self.videos))
        if event.startswith("ui"):
            x, y = int(self.rng.integers(0, width - 20)), int(self.rng.integers(0, height - 12))
            if event.startswith("ui near"):  # in the guard, just outside it, or inside the video
                vx, vy, vw, vh = self.videos[0]
                reach = 16 * self.drawn.guard + 40
                x = max(0, min(vx + int(self.rng.integers(-reach, vw + reach)), width - 20))
                y = max(0, min(vy + int(self.rng.integers(-reach, vh + reach)), height - 12))
            patch = content.ui(20, 12, seed=int(self.rng.integers(0, 99)))
            self.page[y : y + 12, x : x + 20] = patch
        if event.startswith("slide"):  # a row of cards that moves
            self.slid += 10
            y = (self.drawn.seed * 7) % max(1, height - 24)
            row = np.roll(self.strip, -self.slid, axis=1)[:, :width]
            self.page[y : y + 24] = row[: height - y]
        if event.startswith("photo"):  # a high one: it crosses the seams of encoder 1's slices
            w, h = min(48, width), height * 3 // 4
            x, y = int(self.rng.integers(0, width - w + 1)), int(self.rng.integers(0, height - h))
            self.page[y : y + h, x : x + w] = content.natural(w, h, 1, start=self.slid % 90)[0]
        if event == "move":
            x, y, w, h = self.videos[0]
            self.videos[0] = (width - w - x, height - h - y, w, h)
        if event == "pause":
            self.playing[-1] = False
        if event == "vanish":
            self.there[0] = False
        if event == "appear":
            self.there = [True] * len(self.there)
        if event == "new page":
            self.page = content.ui(width, height, seed=int(self.rng.integers(0, 999)))
            self.there = [False] * len(self.there)


def play(drawn: Drawn, path: Path, encoder: EncoderName = "x264") -> Recording:
    stage = Stage(drawn)
    settings_ = RecorderSettings(
        drawn.width,
        drawn.height,
        qp=drawn.qp,
        encoder=encoder,
        preset=drawn.preset,
        guard=drawn.guard,
        splice=drawn.splice,
        region_limit=drawn.region_limit,
        deblock=drawn.deblock,
        adopt_after=drawn.adopt_after,
        mb_info=drawn.mb_info,
        threads=drawn.threads,
    )
    with Pipeline(settings_, path) as pipeline:
        pipeline.tick(stage.frame())
        for event in drawn.events:
            if event == "keyframe":
                pipeline.request_keyframe()
            if event in ("nothing", "keyframe"):
                pipeline.tick(None)
                continue
            stage.happen(event)
            pipeline.tick(stage.frame(), stage.regions())
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
                assert tick.slices == 1 or drawn.threads > 1
        if drawn.splice == "syntax":
            count(recording)


SEEN: Counter[str] = Counter()


def count(recording: Recording) -> None:
    coded = [tick for tick in recording.ticks if tick.picture is not Picture.NONE]
    for tick in coded:
        name = tick.picture.name.lower()
        SEEN[name] += 1
        SEEN[f"{name}, deblocked"] += tick.deblocked
        SEEN["region started beside encoder 1"] += tick.region_idr and name == "merged"
        SEEN["two regions or more"] += tick.regions > 1
        SEEN["leaks"] += tick.region_leaks > 0
        SEEN["patched"] += tick.patched_mbs > 0
        SEEN["keyframe"] += tick.keyframe
        SEEN[f"{name}, several slices"] += tick.slices > 1
        SEEN[f"{name}, several slices, deblocked"] += tick.slices > 1 and tick.deblocked
    for before, after in itertools.pairwise(coded):
        SEEN["region taken over"] += (
            before.regions > 0 and after.picture is Picture.FULL and not after.keyframe
        )


@pytest.mark.skipif(SEQUENCES < 300, reason="too few sequences to expect everything of them")
def test_the_sequences_are_not_all_alike():
    """What is claimed of any sequence means little if none of them merges."""
    least = {
        "full": 100,
        "spliced": 100,
        "spliced, deblocked": 10,
        "merged": 20,
        "region started beside encoder 1": 1,
        "region taken over": 3,
        "two regions or more": 6,
        "leaks": 2,
        "patched": 3,
        "keyframe": 100,
        "full, several slices": 50,
        "merged, several slices": 1,
        "spliced, several slices": 5,
    }
    assert {name: SEEN[name] for name in least if SEEN[name] < least[name]} == {}
