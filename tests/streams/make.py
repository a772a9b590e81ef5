"""Makes the sample streams of this folder with the project's own pipeline.

    python tests/streams/make.py [NAME...]

Each is an Annex B file and a list of MD5s, one a picture, of its I420 bytes (cropped to
the view). A stream is written only if all checks pass, so the pictures are those that the
encoders reconstructed.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

from support import content  # noqa: E402
from support.decoders import md5  # noqa: E402

from harness.checks import access_units, check_recording, ffmpeg_pictures  # noqa: E402
from harness.pipeline import Pipeline  # noqa: E402
from harness.recorder import RecorderSettings, Recording  # noqa: E402
from harness.ring import VideoRegion  # noqa: E402

Box = tuple[int, int, int, int]  # x, y, width, height
TICKS = 18


@dataclass(frozen=True)
class Sample:
    """What a stream shows: UI that changes now and then, and playing videos."""

    name: str
    videos: tuple[Box, ...]
    view: tuple[int, int] = (320, 192)
    splice: Literal["syntax", "separate", "rows"] = "syntax"
    guard: int = 3
    threads: int = 1
    moves: bool = False  # the first video, 8 pixels right every fourth tick
    goes: bool = False  # the videos go at tick 12, and what they covered changes
    slides: bool = False  # a row of cards slides just below the first video's guard
    keyframes: tuple[int, ...] = ()  # asked for at these ticks


SAMPLES = (
    Sample("syntax", ((112, 64, 96, 64),)),
    Sample("rows", ((112, 64, 96, 64),), splice="rows"),
    Sample("edge", ((224, 64, 96, 64),)),
    Sample("corner", ((224, 128, 96, 64),)),
    Sample("two-videos", ((16, 16, 64, 48), (208, 128, 96, 48)), view=(352, 224), guard=2),
    Sample("merged", ((160, 112, 96, 64),), view=(480, 288)),
    Sample("separate", ((160, 112, 96, 64),), view=(480, 288), splice="separate"),
    Sample("released", ((160, 112, 96, 64),), view=(480, 288), goes=True),
    Sample("patched", ((160, 64, 96, 64),), view=(480, 288), slides=True),
    Sample("keyframes", ((160, 112, 96, 64),), view=(480, 288), keyframes=(6, 13)),
    Sample("cropped", ((206, 118, 104, 64),), view=(310, 182)),
    Sample("full-width", ((0, 64, 320, 64),)),
    Sample("full-width-rows", ((0, 64, 320, 64),), splice="rows"),
    Sample("moving", ((64, 64, 96, 64),), moves=True),
    Sample("no-guard", ((112, 64, 96, 64),), guard=0),
    Sample("slices", ((96, 64, 256, 144),), view=(480, 288), threads=4),
)


def frames(sample: Sample) -> Iterator[tuple[content.Frame, list[VideoRegion]]]:
    width, height = sample.view
    ui, strip = content.ui(width, height), content.ui(3 * width, 40, seed=3)
    yield ui, []
    for tick in range(TICKS):
        if tick % 7 == 5:
            ui = content.paste(ui, content.ui(64, 32, seed=tick), 8, 8)
        if sample.slides and tick > 6:
            y = sample.videos[0][1] + sample.videos[0][3] + 16 * sample.guard
            ui = content.paste(ui, strip[:, 24 * tick : 24 * tick + width], 0, y)
        if sample.goes and tick == 12:
            ui = content.paste(ui, content.ui(240, 200, seed=9), 100, 60)
        frame, regions = ui, []
        for number, (x, y, w, h) in enumerate(sample.videos):
            if sample.goes and tick >= 12:
                break
            if sample.moves and number == 0:
                x += 8 * (tick // 4)
            # The second video stands still now and then.
            shown = tick - (number and tick % 3 == 0)
            frame = content.paste(frame, content.natural(w, h, TICKS)[shown], x, y)
            regions.append(VideoRegion(number, x, y, w, h, True, 0))
        yield frame, regions


def record(sample: Sample, path: Path) -> Recording:
    settings = RecorderSettings(
        *sample.view,
        qp=28,
        splice=sample.splice,
        guard=sample.guard,
        threads=sample.threads,
        adopt_after=0,
        region_limit=100,
    )
    with Pipeline(settings, path) as pipeline:
        for tick, (frame, regions) in enumerate(frames(sample)):
            if tick in sample.keyframes:
                pipeline.request_keyframe()
            pipeline.tick(frame, regions)
        return pipeline.finish()


def make(sample: Sample) -> None:
    with tempfile.TemporaryDirectory() as folder:
        recording = record(sample, Path(folder) / "s.mkv")
        for result in check_recording(recording):
            if not result.passed:
                raise SystemExit(f"{sample.name}: {result.name}: {result.summary}")
        data = b"".join(access_units(recording.stream))
        errors: list[str] = []
        digests = [md5(picture) for picture in ffmpeg_pictures(recording.stream, errors)]
    (FOLDER / f"{sample.name}.h264").write_bytes(data)
    (FOLDER / f"{sample.name}.md5").write_text("\n".join(digests) + "\n")
    kinds = [tick.picture.name[0] for tick in recording.ticks if tick.bytes]
    leaks = sum(tick.region_leaks > 0 for tick in recording.ticks)
    patched = sum(tick.patched_mbs for tick in recording.ticks)
    slices = {tick.slices for tick in recording.ticks if tick.bytes}
    print(
        f"{sample.name}: {len(data)} bytes, pictures {''.join(kinds)}, {leaks} with leaks, "
        f"{patched} macroblocks patched, {'/'.join(map(str, sorted(slices)))} slices"
    )


if __name__ == "__main__":
    known = {sample.name for sample in SAMPLES}
    names = set(sys.argv[1:]) or known
    if unknown := names - known:
        raise SystemExit(f"no such sample: {', '.join(sorted(unknown))}")
    for one in SAMPLES:
        if one.name in names:
            make(one)
    for old in (*FOLDER.glob("*.h264"), *FOLDER.glob("*.md5")):
        if old.stem not in known:
            old.unlink()
