"""A real Chrome whose window is resized, or whose page crashes, while it is recorded."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from support.capture import capture

from harness.browser import BrowserSession, find_browser
from harness.checks import Planes, access_units, ffmpeg_pictures, openh264_pictures
from harness.display import VirtualDisplay
from harness.errors import BrowserError
from harness.metrics import PhaseSpan, measure
from harness.observer import Observer
from harness.recorder import RecorderSettings, Tick, TickClass
from harness.result import Evidence, Result, conclude
from harness.session import Session, SessionSettings
from harness.structure import describe

pytestmark = pytest.mark.chrome

WIDTH, HEIGHT = 960, 540
VIDEO = (48, 32, 320, 180)
# A light page, so that black is not the page.
PAGE = """<!doctype html><title>t</title><style>
html{background:linear-gradient(120deg,#9bd,#fc9) fixed;height:100%}
body{margin:0;overflow:hidden;font:20px sans-serif}
video{position:absolute;left:48px;top:32px;width:320px;height:180px;object-fit:cover}
p{position:absolute;right:8px;bottom:0;margin:0}</style><p>corner</p>
<video muted loop autoplay src=/media/bigbuckbunny.mp4></video>"""
RESTING = 12  # ticks on which nothing but the video moves: the page is at rest


class Stay(NamedTuple):
    """While the window had one size and only the video moved; seconds of the recording."""

    width: int
    height: int
    start: float
    end: float


@contextmanager
def session(folder: Path) -> Iterator[Session]:
    (folder / "page.html").write_text(PAGE)
    settings = SessionSettings(
        folder=folder / "run",
        open="page.html",
        recorder=RecorderSettings(WIDTH, HEIGHT),
        site=folder,
        clips=("bigbuckbunny",),
    )
    with Session(settings) as running:
        running.open()
        await_video(running)
        running.start()
        yield running


def await_video(running: Session) -> None:
    running.page.wait_for_function("document.querySelector('video').currentTime > 0", polling=50)


def stay(running: Session, changed_after: float | None = None) -> Stay:
    """Until the page is at rest but for its video, and then until the video has moved for a
    while. `changed_after`: what the page does only begins then, seconds of the recording."""
    begin = running.recorder.elapsed if changed_after is None else changed_after

    def classes(start: float) -> list[TickClass]:
        return [tick.tick_class for tick in running.recorder._ticks if tick.time >= start]

    def until(done: Callable[[], bool]) -> None:
        end = time.monotonic() + 30
        while not done():
            assert time.monotonic() < end, [kind.name for kind in classes(begin)[-RESTING:]]
            running.wait(0.05)

    if changed_after is not None:
        until(lambda: TickClass.CHANGED in classes(begin))
    until(
        lambda: len(classes(begin)) > RESTING and TickClass.CHANGED not in classes(begin)[-RESTING:]
    )
    start = running.recorder.elapsed
    until(lambda: classes(start).count(TickClass.VIDEO_ONLY) >= 16)
    return Stay(*running.browser.window, start, running.recorder.elapsed)


def resized(running: Session, width: int, height: int) -> Stay:
    before = running.recorder.elapsed
    running.resize(width, height)
    assert running.page.evaluate("[innerWidth, innerHeight]") == [width, height]
    return stay(running, before)


def judged(running: Session) -> tuple[Result, list[Tick]]:
    """Every check of a recording, both decoders among them, and that nothing was lost."""
    recording = running.stop()
    spans = [PhaseSpan("all", 0.0, recording.duration)]
    metrics = measure(recording, "test", spans, running.marks, running.environment())
    evidence = Evidence("test", running.settings.folder, recording)
    result = conclude(evidence, metrics, (), None, Observer())
    assert result.problems == []
    assert metrics.frames.dropped == 0 and metrics.frames.add_up
    sequence = describe(access_units(recording.stream)).sequence
    assert (sequence.mb_width, sequence.mb_height) == (-(-WIDTH // 16), -(-HEIGHT // 16))
    return result, list(recording.ticks)


def during(ticks: Sequence[Tick], when: Stay) -> list[Tick]:
    return [tick for tick in ticks if when.start <= tick.time < when.end]


def each_picture(
    stream: Path, ticks: Sequence[Tick], when: Stay, look: Callable[[Planes], None]
) -> None:
    """Shows `look` what both decoders make of every picture coded in that time."""
    coded = [tick for tick in ticks if tick.bytes]
    for decode in (ffmpeg_pictures, openh264_pictures):
        errors: list[str] = []
        count = 0
        for tick, picture in zip(coded, decode(stream, errors), strict=True):
            assert picture.y.shape == (HEIGHT, WIDTH)
            if when.start <= tick.time < when.end:
                look(picture)
                count += 1
        assert errors == [] and count > 10


def assert_shows_window(picture: Planes, width: int, height: int) -> None:
    """The light page at the top left, with its last rows and columns, and black around; of
    the black, macroblocks outside the window but for what deblocking changes of them."""
    left, top = (-(-side // 16) * 16 + 3 for side in (width, height))
    for part in (picture.y[top:], picture.y[:, left:]):
        assert part.size == 0 or (part.min() >= 15 and part.max() <= 17)
    assert picture.y[8:24, 8 : width - 8].min() > 90
    assert picture.y[8 : height - 8, 8:32].min() > 90
    # The corner's text is dark on light: the right and the lowest edge are there.
    corner = picture.y[height - 24 : height, width - 72 : width]
    assert corner.min() < 60 and corner.max() > 120


def test_shrinks_and_grows_twice_while_a_video_plays(tmp_path: Path) -> None:
    with session(tmp_path) as running:
        stays = [stay(running)]
        for size in ((640, 360), (WIDTH, HEIGHT), (420, 540), (640, 300), (WIDTH, HEIGHT)):
            stays.append(resized(running, *size))
        result, ticks = judged(running)
        assert running.browser.window == (WIDTH, HEIGHT)
    assert [tick.index for tick in ticks if tick.keyframe] == [0]
    assert result.recording is not None
    for when in stays:
        inside = during(ticks, when)
        # The video is where it was, whatever the window's size: nothing else changes.
        assert {tick.tick_class for tick in inside} <= {TickClass.VIDEO_ONLY, TickClass.UNCHANGED}
        moving = [tick for tick in inside if tick.tick_class is TickClass.VIDEO_ONLY]
        assert len(moving) > 10
        x, y, w, h = VIDEO
        for tick in moving:
            assert tick.videos == 1
            assert tick.dirty.x >= x and tick.dirty.y >= y
            assert tick.dirty.x + tick.dirty.w <= x + w
            assert tick.dirty.y + tick.dirty.h <= -(-(y + h) // 16) * 16
        each_picture(
            result.recording.stream,
            ticks,
            when,
            lambda picture, when=when: assert_shows_window(picture, when.width, when.height),
        )
    # Between two of them the window's size changed: the page around did, too.
    for before, after in itertools.pairwise(stays):
        between = [tick for tick in ticks if before.end <= tick.time < after.start]
        assert any(tick.tick_class is TickClass.CHANGED for tick in between)


def test_a_window_that_cuts_the_video(tmp_path: Path) -> None:
    with session(tmp_path) as running:
        first = stay(running)
        cut = resized(running, 240, 130)
        last = resized(running, WIDTH, HEIGHT)
        _, ticks = judged(running)
    for when, (right, bottom) in ((first, (368, 224)), (cut, (240, 144)), (last, (368, 224))):
        moving = [t for t in during(ticks, when) if t.tick_class is TickClass.VIDEO_ONLY]
        assert len(moving) > 10
        assert max(tick.dirty.x + tick.dirty.w for tick in moving) == right
        assert max(tick.dirty.y + tick.dirty.h for tick in moving) == bottom


def test_sizes_that_cannot_be(tmp_path: Path) -> None:
    with (
        VirtualDisplay(640, 360) as display,
        BrowserSession(find_browser(), display.name, 640, 360, tmp_path, scale=1.6) as browser,
    ):
        for size, said in (
            ((642, 360), "the stream's pictures are 640x360"),
            ((640, 362), "the stream's pictures are 640x360"),
            ((62, 360), "below 64 pixels a side"),
            ((631, 360), "would cut a chroma sample"),
            ((630, 360), "1.6 device pixels a CSS pixel"),
        ):
            with pytest.raises(BrowserError, match=said) as raised:
                browser.resize(*size)
            assert f"the window cannot be {size[0]}x{size[1]}" in str(raised.value)
            assert browser.window == (640, 360)
        browser.resize(320, 64)
        assert browser.page.evaluate("[innerWidth, innerHeight]") == [200, 40]
        assert browser.window == (320, 64)
        with pytest.raises(BrowserError, match="the page has not crashed"):
            browser.recover()


@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (640, 360)], ids=["whole", "smaller"])
def test_a_page_crashes_and_is_recovered(tmp_path: Path, size: tuple[int, int]) -> None:
    with session(tmp_path) as running:
        before = stay(running) if size == (WIDTH, HEIGHT) else resized(running, *size)
        running.crash_page(1.5)
        assert running.browser.dead == "the page crashed"
        with pytest.raises(BrowserError, match="the page crashed"):
            running.wait(0.1)
        recovered_at = running.recorder.elapsed
        old = running.page
        addresses = []
        assert running.recover(lambda page: addresses.append(page.url)) is running.page
        assert addresses == ["data:text/html,"], "before the page's own address is opened"
        assert running.browser.dead is None
        assert old.is_closed() and running.page is not old
        assert running.page.url == old.url
        await_video(running)
        after = stay(running, recovered_at)
        running.page.mouse.move(100, 100)  # it can be used
        assert running.page.evaluate("[innerWidth, innerHeight]") == list(size)
        result, ticks = judged(running)
    assert result.recording is not None
    for when in (before, after):
        moving = [t for t in during(ticks, when) if t.tick_class is TickClass.VIDEO_ONLY]
        assert len(moving) > 10
        assert all(tick.videos == 1 for tick in moving)
        each_picture(
            result.recording.stream,
            ticks,
            when,
            lambda picture: assert_shows_window(picture, *size),
        )
    # Meanwhile Chrome's own page stood there: no video, and nothing moved any more.
    last = [tick for tick in ticks if recovered_at - 0.5 <= tick.time < recovered_at]
    assert {tick.tick_class for tick in last} == {TickClass.UNCHANGED}
    shown = [tick for tick in ticks if before.end <= tick.time < recovered_at and tick.bytes]
    assert shown[-1].videos == 0


def test_capture_follows_a_smaller_window_into_a_new_gpu_process(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(PAGE)
    with capture(tmp_path, WIDTH, HEIGHT) as shot:
        shot.page.goto((tmp_path / "page.html").as_uri())
        shot.settle()
        shot.browser.resize(640, 360)
        shot.ring.set_window(640, 360)
        shot.settle()
        presented = shot.ring.counters().presented
        shot.kill_gpu_process()
        shot.await_frame()  # the next one's
        shot.settle()
        shot.page.evaluate("document.querySelector('p').textContent = 'again'")
        shot.await_frame()
        assert shot.ring.counters().presented > presented
        assert shot.newest is not None
        assert shot.newest.shape == (360, 640, 3)
