"""What the page says about its videos: place, whether they play, and when they go."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from playwright.sync_api import Page, sync_playwright

from harness.browser import BrowserSession
from harness.browser_program import find_browser
from harness.display import VirtualDisplay
from harness.video_state import MAX_REGIONS, VideoRegion, VideoStateTracker

pytestmark = pytest.mark.chrome

WIDTH, HEIGHT = 640, 360
Rect = tuple[int, int, int, int]


def write_clip(path: Path, seconds: int, fps: int = 24) -> None:
    """A grey bar that wanders, 160x96."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(seconds * fps):
            picture = np.full((96, 160, 3), 40, np.uint8)
            picture[:, (number * 4) % 150 : (number * 4) % 150 + 10] = 200
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def end_headers(self) -> None:
        # Two pages of one second and one name are the same to a cache.
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def send_head(self) -> object:  # type: ignore[override]
        del self.headers["If-Modified-Since"]
        return super().send_head()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_clip(folder / "long.mp4", 20)
    write_clip(folder / "short.mp4", 1)
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Watcher:
    """A page, what its tracker last said, and how often it said something."""

    def __init__(self, page: Page, folder: Path, address: str) -> None:
        self.page = page
        self.folder = folder
        self.address = address
        self.calls: list[Sequence[VideoRegion]] = []
        self.tracker = VideoStateTracker(self.calls.append, WIDTH, HEIGHT)

    def open(self, html: str, name: str = "page.html") -> None:
        self.write(html, name)
        self.page.goto(f"{self.address}/{name}")

    def write(self, html: str, name: str) -> None:
        (self.folder / name).write_text(f"<!doctype html><body style='margin:0'>{html}")

    @property
    def seen(self) -> list[tuple[Rect, bool]]:
        return [((r.x, r.y, r.w, r.h), r.playing) for r in self.tracker.regions]

    def expect(self, *wanted: tuple[Rect, bool], seconds: float = 4.0) -> None:
        self.until(lambda: self.seen == list(wanted), seconds)
        assert self.seen == list(wanted)

    def until(self, done: Callable[[], bool], seconds: float = 4.0) -> None:
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            self.page.wait_for_timeout(20)

    def run(self, script: str) -> None:
        self.page.evaluate(script)


@pytest.fixture(scope="module")
def watcher(
    folder: Path, address: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watcher]:
    run = tmp_path_factory.mktemp("run")
    with (
        VirtualDisplay(WIDTH, HEIGHT) as display,
        sync_playwright() as playwright,
        BrowserSession(
            find_browser(), display.name, WIDTH, HEIGHT, run, playwright=playwright
        ) as session,
    ):
        watcher = Watcher(session.page, folder, address)
        watcher.tracker.attach(session.context)
        yield watcher


def video(style: str, more: str = "autoplay loop", clip: str = "long.mp4") -> str:
    return f"<video src={clip} muted {more} style='position:absolute;{style}'></video>"


PLACE = "left:40px;top:30px;width:160px;height:96px"


def test_plays_pauses_and_plays_on(watcher: Watcher) -> None:
    watcher.open(video(PLACE))
    watcher.expect(((40, 30, 160, 96), True))
    (first,) = watcher.tracker.regions
    assert 0 <= time.monotonic_ns() - first.changed_ns < 5_000_000_000
    count = len(watcher.calls)
    watcher.page.wait_for_timeout(600)
    assert len(watcher.calls) == count, "nothing changed, nothing said"
    before = time.monotonic_ns()
    watcher.run("document.querySelector('video').pause()")
    watcher.expect(((40, 30, 160, 96), False))
    (paused,) = watcher.tracker.regions
    assert paused.id == first.id
    assert before - 20_000_000 < paused.changed_ns < time.monotonic_ns()
    watcher.run("document.querySelector('video').play()")
    watcher.expect(((40, 30, 160, 96), True))


def test_ends(watcher: Watcher) -> None:
    watcher.open(video(PLACE, "autoplay", "short.mp4"))
    watcher.expect(((40, 30, 160, 96), True))
    watcher.expect(((40, 30, 160, 96), False))


def test_not_started(watcher: Watcher) -> None:
    watcher.open(video(PLACE, ""))
    watcher.expect(((40, 30, 160, 96), False))


def test_a_page_without_video_says_nothing(watcher: Watcher) -> None:
    watcher.open("<p>none")
    watcher.expect()
    count = len(watcher.calls)
    watcher.run("document.body.append(document.createElement('p'))")
    watcher.page.wait_for_timeout(200)
    assert len(watcher.calls) == count


def test_fractions_are_covered(watcher: Watcher) -> None:
    watcher.open(video("left:40.5px;top:30.25px;width:160.25px;height:96px"))
    watcher.expect(((40, 30, 161, 97), True))


def test_moves_while_playing_and_while_paused(watcher: Watcher) -> None:
    watcher.open(video(PLACE))
    watcher.expect(((40, 30, 160, 96), True))
    watcher.run("document.querySelector('video').style.left = '100px'")
    watcher.expect(((100, 30, 160, 96), True))
    watcher.run(
        "(v => { v.pause(); v.style.transition = 'left 200ms'; v.style.left = '300px' })"
        "(document.querySelector('video'))"
    )
    watcher.expect(((300, 30, 160, 96), False))
    watcher.run("document.querySelector('video').style.width = '200px'")
    watcher.expect(((300, 30, 200, 96), False))


def test_scrolls_out_of_view_and_back(watcher: Watcher) -> None:
    watcher.open(video(PLACE) + "<div style='height:3000px'></div>")
    watcher.expect(((40, 30, 160, 96), True))
    watcher.run("scrollTo(0, 70)")
    watcher.expect(((40, 0, 160, 56), True))
    watcher.run("scrollTo(0, 1000)")
    watcher.expect()
    watcher.run("scrollTo(0, 0)")
    watcher.expect(((40, 30, 160, 96), True))


def test_hidden_removed_and_added(watcher: Watcher) -> None:
    watcher.open(video(PLACE))
    watcher.expect(((40, 30, 160, 96), True))
    watcher.run("document.querySelector('video').style.display = 'none'")
    watcher.expect()
    watcher.run("document.querySelector('video').style.display = ''")
    watcher.expect(((40, 30, 160, 96), True))
    watcher.run("window.kept = document.querySelector('video'); kept.remove()")
    watcher.expect()
    watcher.run("document.body.append(kept); kept.play()")
    watcher.expect(((40, 30, 160, 96), True))
    watcher.run("document.body.innerHTML = ''")
    watcher.expect()


def test_a_frozen_source_stops_playing(watcher: Watcher) -> None:
    """No pause, no end: only the frames stay away, as with a stream that stalls."""
    watcher.open(
        f"<canvas width=160 height=96></canvas><video muted style='position:absolute;{PLACE}'>"
        "</video><script>"
        "const pen = document.querySelector('canvas').getContext('2d'); let n = 0;"
        "const draw = () => { pen.fillStyle = `rgb(${n++ % 255},0,0)`; pen.fillRect(0,0,160,96) };"
        "draw(); window.timer = setInterval(draw, 40); const v = document.querySelector('video');"
        "v.srcObject = document.querySelector('canvas').captureStream(); v.play();</script>"
    )
    watcher.expect(((40, 30, 160, 96), True))
    watcher.run("clearInterval(timer)")
    watcher.expect(((40, 30, 160, 96), False))
    watcher.run("window.timer = setInterval(draw, 40)")
    watcher.expect(((40, 30, 160, 96), True))


def test_clipped_by_ancestors(watcher: Watcher) -> None:
    clip = (
        "position:absolute;left:50px;top:40px;width:100px;height:50px;"
        "overflow:hidden;border:5px solid"
    )
    watcher.open(
        f"<div style='{clip}'>{video('left:-20px;top:10px;width:160px;height:96px')}</div>"
    )
    watcher.expect(((55, 55, 100, 40), True))
    # A static ancestor does not clip what is placed absolutely; a fixed element escapes.
    loose = clip.replace("position:absolute", "")
    watcher.open(f"<div style='{loose}'>{video(PLACE)}</div>")
    watcher.expect(((40, 30, 160, 96), True))
    fixed = f"<div style='{clip}'>{video(PLACE)}</div>".replace("absolute;left:40", "fixed;left:40")
    watcher.open(fixed)
    watcher.expect(((40, 30, 160, 96), True))


def test_scaled(watcher: Watcher) -> None:
    watcher.open(
        "<div style='transform:scale(2);transform-origin:0 0;width:60px;height:60px;"
        f"overflow:hidden'>{video(PLACE)}</div>"
    )
    watcher.expect(((80, 60, 40, 60), True))


def test_in_frames(watcher: Watcher) -> None:
    watcher.write(video("left:10px;top:10px;width:160px;height:96px"), "inner.html")
    watcher.write(
        "<iframe src=inner.html style='position:absolute;left:20px;top:0;width:120px;"
        "height:200px;border:3px solid;padding:4px'></iframe>",
        "middle.html",
    )
    watcher.open(
        "<iframe src=middle.html style='position:absolute;left:100px;top:50px;width:400px;"
        "height:250px;border:0'></iframe><div style='height:2000px'></div>"
    )
    watcher.expect(((137, 67, 110, 96), True))
    watcher.run("scrollTo(0, 100)")
    watcher.expect(((137, 0, 110, 63), True))
    watcher.run("scrollTo(0, 0)")
    watcher.expect(((137, 67, 110, 96), True))
    watcher.run("document.querySelector('iframe').remove()")
    watcher.expect()


def test_in_a_frame_that_goes_elsewhere(watcher: Watcher) -> None:
    watcher.write(video("left:0;top:0;width:160px;height:96px"), "inner.html")
    watcher.write("nothing", "empty.html")
    watcher.open("<iframe src=inner.html style='width:300px;height:200px;border:0'></iframe>")
    watcher.expect(((0, 0, 160, 96), True))
    watcher.run("document.querySelector('iframe').src = 'empty.html'")
    watcher.expect()


def test_other_origin_cannot_be_placed(watcher: Watcher) -> None:
    watcher.write(video(PLACE), "inner.html")
    other = watcher.address.replace("127.0.0.1", "localhost")
    watcher.open(f"<iframe src={other}/inner.html style='width:300px;height:200px'></iframe>")
    watcher.until(lambda: watcher.tracker.unplaced == 1)
    assert watcher.tracker.unplaced == 1
    assert watcher.seen == []


def test_in_a_shadow_root(watcher: Watcher) -> None:
    watcher.open("<div id=host></div>")
    watcher.run(
        "document.querySelector('#host').attachShadow({mode: 'closed'}).innerHTML = "
        f'"{video(PLACE)}"'
    )
    watcher.expect(((40, 30, 160, 96), True))


def test_pages_follow_each_other(watcher: Watcher) -> None:
    watcher.open(video(PLACE))
    watcher.expect(((40, 30, 160, 96), True))
    (before,) = watcher.tracker.regions
    watcher.run("history.pushState({}, '', 'else.html')")
    watcher.page.wait_for_timeout(200)
    assert watcher.tracker.regions == (before,), "the same document"
    watcher.open("<p>none", "other.html")
    watcher.expect()
    watcher.open(video(PLACE))
    watcher.expect(((40, 30, 160, 96), True))
    assert watcher.tracker.regions[0].id != before.id
    watcher.page.goto("about:blank")
    watcher.expect()
    watcher.open(video(PLACE))
    watcher.expect(((40, 30, 160, 96), True))
    with pytest.raises(Exception, match=r"ERR_CONNECTION_REFUSED|ERR_UNSAFE_PORT"):
        watcher.page.goto("http://127.0.0.1:9/")
    watcher.expect()


def test_at_most_eight_and_those_that_play_first(watcher: Watcher) -> None:
    many = "".join(
        video(f"left:{60 * n}px;top:0;width:{40 + n}px;height:24px", "") for n in range(9)
    )
    watcher.open(many + video("left:0;top:200px;width:16px;height:16px"))
    watcher.until(lambda: any(region.playing for region in watcher.tracker.regions))
    regions = watcher.tracker.regions
    assert len(regions) == MAX_REGIONS
    assert [region.w for region in regions if region.playing] == [16]
    assert [region.w for region in regions if not region.playing] == list(range(42, 49))


def test_asks_for_no_work_while_nothing_happens(watcher: Watcher) -> None:
    """Nothing of ours may lay out or style the page again, and so make it draw."""
    watcher.open(video(PLACE, ""))
    watcher.expect(((40, 30, 160, 96), False))
    watcher.page.wait_for_timeout(500)
    devtools = watcher.page.context.new_cdp_session(watcher.page)
    devtools.send("Performance.enable")

    def work() -> dict[str, float]:
        metrics = devtools.send("Performance.getMetrics")["metrics"]
        names = ("LayoutCount", "RecalcStyleCount")
        return {one["name"]: one["value"] for one in metrics if one["name"] in names}

    before = work()
    watcher.page.wait_for_timeout(1500)
    assert work() == before
    devtools.detach()
