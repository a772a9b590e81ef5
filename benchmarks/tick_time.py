"""What a tick takes, with and without threads for a picture's rows:
`python benchmarks/tick_time.py --size 3840x2160 --helpers 0,3`.

Natural video that fills the window, every tick a full picture of encoder 1; and a page with a
video of half its sides. No browser, no ring, no clock: frames lie in memory. Rounds are
alternated; times are medians over all ticks but a round's first (`--least`: the least, for a
machine on which others work), CPU is the process's, helpers included. Another build to compare
with: UISPLICE_LIB_DIR, with `--helpers auto` if it has none.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support import content

from harness.pipeline import Pipeline
from harness.recorder import RecorderSettings
from harness.ring import VideoRegion

STEPS = ("diff", "convert", "encode", "read", "check", "splice", "digest")
SHOWN = ("diff", "convert", "digest", "encode", "all steps", "call", "CPU")
PICTURES = 8  # of the clip, there and back: a film at 2160p takes 33 MB each

Measures = dict[str, list[float]]


def frames(name: str, width: int, height: int) -> tuple[list[np.ndarray], VideoRegion]:
    if name == "film":
        pictures = list(content.natural(width, height, PICTURES))
        return pictures, VideoRegion(1, 0, 0, width, height, True, 0)
    x, y, w, h = (side // 4 // 2 * 2 for side in (width, height, 2 * width, 2 * height))
    page = content.ui(width, height)
    clip = content.natural(w, h, PICTURES)
    return [content.paste(page, p, x, y) for p in clip], VideoRegion(1, x, y, w, h, True, 0)


def measure(
    pictures: list[np.ndarray],
    video: VideoRegion,
    settings: RecorderSettings,
    helpers: int | None,
    ticks: int,
    into: Measures,
) -> int:
    """Adds a round's ticks; bytes of its stream, which helpers must not change."""
    size = 0
    there_and_back = pictures + pictures[-2:0:-1]
    with tempfile.TemporaryDirectory() as folder:
        more = {} if helpers is None else {"helpers": helpers}
        with Pipeline(settings, Path(folder) / "s.mkv", **more) as pipeline:
            for number in range(ticks):
                frame = there_and_back[number % len(there_and_back)]
                began, cpu = time.perf_counter(), time.process_time()
                tick = pipeline.tick(frame, [video])
                spent, busy = time.perf_counter() - began, time.process_time() - cpu
                size += tick.bytes
                if number == 0:
                    continue
                steps = {name: getattr(tick, f"{name}_ms") for name in STEPS}
                for name, value in steps.items():
                    into[name].append(value)
                into["all steps"].append(sum(steps.values()))
                into["call"].append(spent * 1000)
                into["CPU"].append(busy * 1000)
            pipeline.finish()
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", default="1280x720", help="of the view (%(default)s)")
    parser.add_argument("--contents", default="film,page", help="default: %(default)s")
    parser.add_argument(
        "--helpers", default="0,1", help="threads beside the recorder's; 'auto': as a recording"
    )
    parser.add_argument("--preset", default="superfast")
    parser.add_argument("--ticks", type=int, default=60, help="in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--least", action="store_true", help="the least instead of the median")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    settings = RecorderSettings(width, height, preset=arguments.preset)
    kinds = arguments.helpers.split(",")
    typical, word = (min, "least") if arguments.least else (statistics.median, "medians")
    for name in arguments.contents.split(","):
        pictures, video = frames(name, width, height)
        measured: dict[str, Measures] = {kind: defaultdict(list) for kind in kinds}
        sizes = set()
        for number in range(arguments.rounds):
            for kind in kinds if number % 2 == 0 else kinds[::-1]:
                helpers = None if kind == "auto" else int(kind)
                sizes.add(
                    measure(pictures, video, settings, helpers, arguments.ticks, measured[kind])
                )
        assert len(sizes) == 1, f"streams of different sizes: {sizes}"
        table = Table(title=f"{name}, {arguments.size}, {arguments.preset}: ms a tick, {word}")
        for heading in ("helpers", *SHOWN):
            table.add_column(heading, justify="right")
        for kind in kinds:
            medians = (typical(measured[kind][shown]) for shown in SHOWN)
            table.add_row(kind, *(f"{value:.2f}" for value in medians))
        Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    main()
