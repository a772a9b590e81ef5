"""Views and regions of every shape in a real Chrome: each decoded picture must be what
was encoded, without a keyframe behind the first one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from harness.checks import access_units
from harness.pytest_plugin import RecordedSession
from harness.recorder import Picture, Rect, Tick, TickClass
from harness.result import Result
from harness.run import RunOptions, run_scenario
from harness.scenario import load_scenario
from harness.structure import describe

pytestmark = pytest.mark.chrome

Record = Callable[..., AbstractContextManager[RecordedSession]]

IDR_SLICE = 5  # nal_unit_type, H.264 table 7-1
# A page that never changes but for its videos, which stand still until they are told.
PAGE = """<!doctype html><title>t</title><style>
html{{background:linear-gradient(120deg,#123,#a53 60%,#fe9) fixed;height:100%}}
body{{margin:0;overflow:hidden;color:#fff;font:15px/1.8 sans-serif}}
video{{position:absolute;object-fit:cover;background:#000}}
i{{position:absolute;width:9%;height:7%;background:#fff3}}</style>
<p>äöü — 1234567890 — the quick brown fox</p>{videos}
<script>
for (let k = 0; k < 30; k++) {{ const e = document.createElement('i');
  e.style.left = (k * 83 % 97) + '%'; e.style.top = (k * 57 % 97) + '%';
  document.body.prepend(e); }}
const videos = [...document.querySelectorAll('video')];
const shown = (video) => new Promise((done) => video.requestVideoFrameCallback(done));
const play = () => Promise.all(videos.map(async (video) => {{
  const first = shown(video); await video.play(); await first; }}));
document.body.classList.add(`wide${{innerWidth}}`);
Promise.all(videos.map((video) => new Promise((done) => {{
  if (video.readyState >= 3) done(); else video.addEventListener('canplay', done);
}}))).then(() => document.body.classList.add('ready'));
</script>"""
CLIPS = ("bigbuckbunny", "bikes")


def video(style: str, clip: str = "bigbuckbunny") -> str:
    return f"<video muted loop preload=auto src=/media/{clip}.mp4 style='{style}'></video>"


def box(left: int, top: int, width: int, height: int) -> str:
    return f"left:{left}px;top:{top}px;width:{width}px;height:{height}px"


def write(folder: Path, *videos: str) -> None:
    (folder / "page.html").write_text(PAGE.format(videos="".join(videos)))


def recorded(
    recording: Record,
    folder: Path,
    videos: Sequence[str],
    act: Callable[[RecordedSession], None] = lambda session: session.wait(2),
    **settings: object,
) -> tuple[Result, list[Tick]]:
    """Plays `videos`, does `act` meanwhile, and demands what holds for every recording
    here; the `recording` fixture itself demands exactness in both decoders."""
    write(folder, *videos)
    with recording(
        open="page.html", site=folder, clips=CLIPS, ready="body.ready", **settings
    ) as session:
        session.wait(0.3)
        session.page.evaluate("play()")
        act(session)
    result = session.result
    assert result.passed and result.recording is not None and result.metrics is not None
    metrics = result.metrics
    assert metrics.frames.dropped == 0 and metrics.frames.add_up
    assert metrics.total.fallbacks == 0
    ticks = list(result.recording.ticks)
    assert [tick.index for tick in ticks if tick.keyframe] == [0]
    return result, ticks


def cover(rect: Rect, guard: int, view: tuple[int, int]) -> Rect:
    """The macroblocks that `rect` touches and `guard` more around, in pixels, inside the view."""
    x, y = max(rect.x // 16 - guard, 0) * 16, max(rect.y // 16 - guard, 0) * 16
    right = min((-(-(rect.x + rect.w) // 16) + guard) * 16, view[0])
    bottom = min((-(-(rect.y + rect.h) // 16) + guard) * 16, view[1])
    return Rect(x, y, right - x, bottom - y)


def moving(ticks: Sequence[Tick]) -> list[Tick]:
    """The ticks on which nothing but videos moved."""
    return [tick for tick in ticks if tick.tick_class is TickClass.VIDEO_ONLY]


def united(rects: Sequence[Rect]) -> Rect:
    x, y = min(r.x for r in rects), min(r.y for r in rects)
    right, bottom = max(r.x + r.w for r in rects), max(r.y + r.h for r in rects)
    return Rect(x, y, right - x, bottom - y)


def assert_only_videos(ticks: Sequence[Tick]) -> None:
    """From the first tick on which the videos move nothing else does."""
    assert len(moving(ticks)) > 20, "what moves is where the page says that videos are"
    start = moving(ticks)[0].index
    assert {tick.tick_class for tick in ticks[start:]} <= {
        TickClass.VIDEO_ONLY,
        TickClass.UNCHANGED,
    }


def assert_one_region(ticks: Sequence[Tick], rect: Rect, view: tuple[int, int]) -> None:
    """One video at `rect` (device pixels) whose region is what it should be, and inside
    of which everything lies that was seen to change."""
    assert_only_videos(ticks)
    assert united([tick.dirty for tick in moving(ticks)]) == cover(rect, 0, view)
    spliced = [tick for tick in ticks if tick.picture is Picture.SPLICED]
    assert {tick.region for tick in spliced} == {cover(rect, 3, view)}
    # All but the first few, before the video has stood long enough.
    assert len(moving(ticks)) - len(spliced) <= 8


def test_two_videos_at_once(recording: Record, tmp_path: Path) -> None:
    videos = (video(box(33, 47, 320, 180)), video(box(801, 419, 401, 226), "bikes"))
    _, ticks = recorded(recording, tmp_path, videos, lambda session: session.wait(2.5))
    assert_only_videos(ticks)
    assert {tick.videos for tick in moving(ticks)} == {2}
    two = [tick for tick in ticks if tick.regions == 2]
    before = [tick for tick in moving(ticks) if tick.index < two[0].index]
    assert len(before) <= 8, "both have stood still by then"
    later = [tick for tick in moving(ticks) if tick.index > two[0].index]
    assert len(later) > 20
    assert {(tick.picture, tick.regions) for tick in later} == {(Picture.SPLICED, 2)}
    # Guards included: (32, 32) and (800, 416) are the first macroblocks.
    assert {tick.region for tick in later} == {Rect(0, 0, 1264, 704)}


@pytest.mark.parametrize("view", [(1366, 768), (1920, 1080), (998, 562)], ids=lambda v: f"{v[0]}")
def test_views_that_are_cropped(recording: Record, tmp_path: Path, view: tuple[int, int]) -> None:
    """Not a multiple of 16, and a video in the very corner that is cut."""
    width, height = view
    rect = Rect(width - 480, height - 270, 480, 270)
    result, ticks = recorded(recording, tmp_path, [video(box(*rect))], width=width, height=height)
    assert_one_region(ticks, rect, view)
    assert result.recording is not None
    sequence = describe(access_units(result.recording.stream)).sequence
    assert (sequence.mb_width, sequence.mb_height) == (-(-width // 16), -(-height // 16))
    assert sequence.mb_width * 16 - sequence.crop_left - sequence.crop_right == width
    assert sequence.mb_height * 16 - sequence.crop_top - sequence.crop_bottom == height


@pytest.mark.parametrize(("scale", "css"), [(2, (640, 360)), (1.6, (800, 450))])
def test_device_pixel_ratio(
    recording: Record, tmp_path: Path, scale: float, css: tuple[int, int]
) -> None:
    def act(session: RecordedSession) -> None:
        assert session.page.evaluate("[innerWidth, innerHeight]") == list(css)
        assert session.page.evaluate("devicePixelRatio") == pytest.approx(scale)
        session.wait(2)

    _, ticks = recorded(recording, tmp_path, [video(box(105, 55, 240, 130))], act, scale=scale)
    rect = Rect(*(round(side * scale) for side in (105, 55, 240, 130)))
    assert_one_region(ticks, rect, (1280, 720))


def test_wider_than_the_view(recording: Record, tmp_path: Path) -> None:
    """From edge to edge: no guard left and right, where the decoder repeats pixels too."""
    videos = [video(box(-160, 200, 1600, 280))]
    _, ticks = recorded(recording, tmp_path, videos)
    assert_one_region(ticks, Rect(0, 200, 1280, 280), (1280, 720))


def test_larger_than_the_view(recording: Record, tmp_path: Path) -> None:
    """All that is seen is the video: encoder 1's, because no region is worth it."""
    _, ticks = recorded(recording, tmp_path, [video(box(-100, -60, 1500, 850))])
    assert_only_videos(ticks)
    assert {tick.picture for tick in moving(ticks)} == {Picture.FULL}


def test_as_large_as_the_view(recording: Record, tmp_path: Path) -> None:
    _, ticks = recorded(recording, tmp_path, [video(box(0, 0, 1280, 720))], region_limit=100)
    assert_one_region(ticks, Rect(0, 0, 1280, 720), (1280, 720))


def test_in_two_corners(recording: Record, tmp_path: Path) -> None:
    videos = (video(box(-40, -20, 300, 200)), video(box(1000, 560, 300, 200), "bikes"))
    _, ticks = recorded(recording, tmp_path, videos)
    assert_only_videos(ticks)
    # What is seen of both, with everything in between.
    assert {tick.region for tick in ticks if tick.regions == 2} == {Rect(0, 0, 1280, 720)}
    assert ticks[-1].index > 30 and moving(ticks)[-1].regions == 2


def test_moves_and_resizes_while_it_plays(recording: Record, tmp_path: Path) -> None:
    """At once, in steps while it stands between, and smoothly."""

    def act(session: RecordedSession) -> None:
        for left, top, width, height in (
            (500, 300, 320, 180),
            (500, 300, 481, 271),
            (960, 540, 320, 180),
            (37, 21, 200, 400),
        ):
            session.wait(0.6)
            session.page.evaluate(
                "style => { videos[0].style.cssText = style }", box(left, top, width, height)
            )
        session.wait(0.4)
        session.page.evaluate(
            "videos[0].style.transition = 'all 600ms linear';"
            f"videos[0].style.cssText += '{box(640, 300, 400, 226)}'"
        )
        session.wait(1.6)

    _, ticks = recorded(recording, tmp_path, [video(box(100, 80, 320, 180))], act)
    assert len({tick.region for tick in ticks if tick.regions}) >= 3, "it got several regions"
    assert moving(ticks)[-1].picture is Picture.SPLICED
    assert moving(ticks)[-1].region == cover(Rect(640, 300, 400, 226), 3, (1280, 720))


def test_appears_and_vanishes(recording: Record, tmp_path: Path) -> None:
    def act(session: RecordedSession) -> None:
        for _ in range(2):
            session.wait(0.9)
            session.page.evaluate("videos[0].style.display = 'none'")
            session.wait(0.3)
            session.page.evaluate("videos[0].style.display = ''")
        session.wait(0.9)
        session.page.evaluate("videos[0].remove()")
        session.wait(0.4)

    _, ticks = recorded(recording, tmp_path, [video(box(300, 200, 400, 226))], act)
    # It has gone three times: each time what was below is seen again.
    gone = [t for t in ticks if t.tick_class is TickClass.CHANGED and t.videos == 0 and t.index > 5]
    assert len(gone) >= 3
    assert {tick.regions for tick in moving(ticks)} >= {0, 1}


def keyframes_in(stream: Path) -> set[int]:
    """Ordinals of the pictures that are IDR, by their NAL units."""
    units = describe(access_units(stream))
    return {
        picture
        for nal, picture in zip(units.units, units.picture_of, strict=True)
        if nal.type == IDR_SLICE
    }


def assert_keyframes(result: Result, wanted: Sequence[int]) -> None:
    """IDR pictures at these ticks, in the accounts and in the file, and a region anew
    behind each."""
    assert result.recording is not None and result.metrics is not None
    ticks = result.recording.ticks
    assert [tick.index for tick in ticks if tick.keyframe] == list(wanted)
    assert result.metrics.total.keyframes == len(wanted)
    assert result.metrics.total.fallbacks == 0
    assert result.metrics.frames.add_up and result.metrics.frames.dropped == 0
    coded = [tick for tick in ticks if tick.picture is not Picture.NONE]
    assert keyframes_in(result.recording.stream) == {
        number for number, tick in enumerate(coded) if tick.keyframe
    }


def test_a_keyframe_on_request(recording: Record, tmp_path: Path) -> None:
    write(tmp_path, video(box(320, 176, 640, 360)))
    with recording(open="page.html", site=tmp_path, clips=CLIPS, ready="body.ready") as session:
        with session.phase("still"):
            session.wait(1)
        recorder = session._session.recorder
        done = recorder.ticks
        session.request_keyframe()  # nothing moves yet
        done_then = recorder.ticks
        session.wait(0.5)
        session.page.evaluate("play()")
        session.wait(1)
        session.request_keyframe()
        session.wait(1)
    ticks = session.result.recording.ticks
    first, still, playing = (tick for tick in ticks if tick.keyframe)
    assert (first.index, still.tick_class) == (0, TickClass.UNCHANGED)
    # One may have been half done.
    assert done <= still.index <= done_then + 1, "on the next tick"
    # Chrome may paint the video's first frame late, but not that late.
    assert {tick.picture for tick in ticks[still.index - 6 : still.index]} == {Picture.NONE}
    regions = [tick.region_idr for tick in ticks if tick.index > playing.index]
    assert ticks[playing.index - 1].regions == 1 and any(regions), "and the region begins anew"
    assert_keyframes(session.result, [0, still.index, playing.index])


def test_a_scenario_with_keyframes_at_an_interval(tmp_path: Path) -> None:
    """And with a finer page, which the scenario asks for too."""
    write(tmp_path, video(box(100, 60, 400, 240)))
    (tmp_path / "case.yaml").write_text("""open: page.html
clips: [bigbuckbunny]
viewport: 1280x720
device_pixel_ratio: 2
ready: "body.ready"
encoder: {keyframe_every: 1500ms}
phases:
  - phase: Still, then the video
    duration: 4s
    steps:
      - wait_for: "body.wide640"
      - wait: 1s
      - click: "video"
expect: {keyframes: 3, dropped: 0, ticks: 96}
""")
    page = (tmp_path / "page.html").read_text()
    (tmp_path / "page.html").write_text(page + "<script>onclick = play</script>")
    result = run_scenario(load_scenario(tmp_path / "case.yaml"), tmp_path / "run", RunOptions())
    assert result.problems == []
    assert_keyframes(result, [0, 36, 72])
    assert result.recording is not None
    # 200, 120, 800x480 in device pixels.
    region = cover(Rect(200, 120, 800, 480), 3, (1280, 720))
    assert {tick.region for tick in result.recording.ticks if tick.regions} == {region}
