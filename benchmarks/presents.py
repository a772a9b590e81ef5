"""Frames a second on a scrolling page: Chrome alone against Chrome with the capture layer.

Runs alternate, so that what else the machine does hits both alike; the medians
and their ratio are printed. A frame is counted where both kinds have it: in the
page, by requestAnimationFrame, which Chrome calls once a frame it draws; with the
layer the ring's own count of presents is shown beside it.

    python benchmarks/presents.py --rounds 5
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
from pathlib import Path

from harness.browser import BrowserSession
from harness.browser_launch import LayerEnvironment
from harness.browser_program import find_browser
from harness.display import VirtualDisplay
from harness.native import layer_dir
from harness.recorder import Recorder, RecorderSettings
from harness.ring import FrameRing
from harness.server import SiteServer

SITE = Path(__file__).parents[1] / "scenarios" / "site"
# Chrome draws at most 60 frames a second: where it reaches that alone, or with the
# layer, the ratio says no more than that.
PAGES = {"plain": "scroll.html?auto=1", "rich": "scroll.html?auto=1&rich=1"}
# `frames` counts from the moment it is read until it is read again.
COUNT = """seconds => new Promise(done => {
  let frames = 0; const start = performance.now();
  const tick = () => {
    frames++;
    const past = (performance.now() - start) / 1000;
    if (past < seconds) requestAnimationFrame(tick); else done(frames / past);
  };
  requestAnimationFrame(tick);
})"""


def alone(url: str, width: int, height: int, seconds: float, folder: Path) -> float:
    """Frames a second without any layer."""
    with (
        VirtualDisplay(width, height) as display,
        BrowserSession(find_browser(), display.name, width, height, folder) as browser,
    ):
        return measure(browser, url, seconds)


def captured(
    url: str, width: int, height: int, seconds: float, folder: Path
) -> tuple[float, float]:
    """Frames a second with capture, and presents a second by the ring's count."""
    with (
        VirtualDisplay(width, height) as display,
        FrameRing(width, height) as ring,
        BrowserSession(
            find_browser(),
            display.name,
            width,
            height,
            folder,
            layer=LayerEnvironment(layer_dir(), ring.name),
        ) as browser,
    ):
        # A recorder that was not started reads every frame; it also sets the pace.
        recorder = Recorder(RecorderSettings(width, height, fps=60), ring, folder / "unused.mkv")
        try:
            browser.page.goto(url)
            browser.page.wait_for_timeout(1500)
            before = ring.counters().presented
            frames = float(browser.page.evaluate(COUNT, seconds))
            return frames, (ring.counters().presented - before) / seconds
        finally:
            recorder.close()


def measure(browser: BrowserSession, url: str, seconds: float) -> float:
    browser.page.goto(url)
    browser.page.wait_for_timeout(1500)
    return float(browser.page.evaluate(COUNT, seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--sizes", nargs="+", default=["1280x720", "1920x1080"])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as name, SiteServer(SITE) as server:
        for size, page in itertools.product(arguments.sizes, PAGES):
            url = f"{server.url}/{PAGES[page]}"
            width, height = (int(n) for n in size.split("x"))
            without, with_layer, presents = [], [], []
            for round_ in range(arguments.rounds):
                without.append(alone(url, width, height, arguments.seconds, Path(name)))
                frames, seen = captured(url, width, height, arguments.seconds, Path(name))
                with_layer.append(frames)
                presents.append(seen)
                print(
                    f"{size} {page} round {round_ + 1}: alone {without[-1]:.1f}, "
                    f"captured {frames:.1f} ({seen:.1f} presents/s)",
                    flush=True,
                )
            ratio = statistics.median(with_layer) / statistics.median(without)
            results[f"{size} {page}"] = {
                "alone": round(statistics.median(without), 2),
                "captured": round(statistics.median(with_layer), 2),
                "presents": round(statistics.median(presents), 2),
                "ratio": round(ratio, 3),
            }
            print(f"{size} {page}: {results[f'{size} {page}']}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
