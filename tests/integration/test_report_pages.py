"""The report's pages in a real browser, headless, opened as files and from a server."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import io
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Browser, FrameLocator, Page
from support import content, reporting, streams
from support.reporting import HEIGHT, HOSTILE, WIDTH, Reported
from support.ticks import recording as ticks_alone
from support.ticks import tick

from harness.allure_report import _PLAYER
from harness.checks import access_units
from harness.metrics import PhaseSpan, measure
from harness.muxer import Muxer
from harness.pipeline import Pipeline
from harness.recorder import Picture, RecorderSettings, Rect, TickClass
from harness.report import remux_to_mp4, write_viewer
from harness.report.macroblock_maps import PictureMap, read_maps
from harness.report.viewer_page import map_bytes

pytestmark = pytest.mark.chrome


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    folder = tmp_path_factory.mktemp("report")
    return reporting.report(folder, reporting.record(folder / "live.mkv"), HOSTILE)


@dataclass
class Watch:
    """A page's faults and requests."""

    faults: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def on(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda told: told.type == "error" and self.faults.append(told.text))
        page.on("request", lambda request: self.requests.append(request.url))


@contextlib.contextmanager
def framed(browser: Browser, document: Path) -> Iterator[tuple[Page, FrameLocator]]:
    """A document in a frame, as attachments are shown, with the page around it. No page may
    report a fault."""
    around = document.parent / "attachments.html"
    around.write_text(
        f'<iframe sandbox="allow-scripts" src="{document.name}" height="600"></iframe>'
    )
    watch = Watch()
    page = browser.new_page()
    watch.on(page)
    page.goto(around.as_uri())
    yield page, page.frame_locator("iframe")
    page.close()
    assert watch.faults == []


Open = Callable[[str], Page]
Look = Callable[[Page], npt.NDArray[np.uint8]]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Opens a page and waits until its scripts are done. Nothing may be logged, and nothing
    asked for but files and loopback."""
    watch = Watch()
    pages: list[Page] = []

    def visit(address: str) -> Page:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(20_000)
        pages.append(page)
        watch.on(page)
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        return page

    yield visit
    for page in pages:
        assert page.evaluate("document.body.dataset.pwned") is None
        page.close()
    assert watch.faults == []
    local = ("file://", "data:", "blob:", "http://127.0.0.1:")
    assert [url for url in watch.requests if not url.startswith(local)] == []


def settled(page: Page, number: int) -> None:
    """Waits until the picture of tick `number` is drawn."""
    page.wait_for_function(
        "n => document.body.dataset.tick == n"
        " && document.body.dataset.drawn == document.body.dataset.picture",
        arg=str(number),
    )


def png(data: bytes) -> npt.NDArray[np.uint8]:
    """A PNG's pixels in the recording's size, shape (height, width, 3)."""
    with av.open(io.BytesIO(data)) as container:
        frame = next(container.decode(video=0))
        scaled = frame.reformat(WIDTH, HEIGHT, "rgb24", interpolation="AREA")
        return np.asarray(scaled.to_ndarray(), np.uint8)


def canvas(page: Page) -> npt.NDArray[np.uint8]:
    """What the viewer's canvas holds."""
    url = page.evaluate("document.querySelector('.screen').toDataURL('image/png')")
    return png(base64.b64decode(url.partition(",")[2]))


def on_screen(page: Page) -> npt.NDArray[np.uint8]:
    """The same, seen from outside: a canvas that a file's video was drawn on cannot be read."""
    return png(page.locator(".stage").screenshot())


def decoded(reported: Reported) -> list[npt.NDArray[np.uint8]]:
    with av.open(str(reported.recording.stream)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def apart(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> float:
    return float(np.abs(a.astype(int) - b).mean())


def written(reported: Reported) -> list[int]:
    return [t.index for t in reported.recording.ticks if t.picture is not Picture.NONE]


def ten(count: int) -> list[int]:
    """Ten pictures, not in order, so that both ways are stepped."""
    spread = np.linspace(0, count - 1, 10).astype(int).tolist()
    return spread[::2] + spread[1::2][::-1]


def check_qps_and_slices(page: Page, picture: PictureMap) -> None:
    """Of every macroblock of the picture on show."""
    count = picture.kinds.size
    qps = page.evaluate("n => Array.from({length: n}, (_, i) => viewer.qpAt(i))", count)
    assert qps == picture.qps.ravel().tolist()
    slices = page.evaluate("n => Array.from({length: n}, (_, i) => viewer.sliceAt(i))", count)
    assert slices == (np.searchsorted(picture.slices, range(count), side="right") - 1).tolist()


def pixel(page: Page, x: float, y: float) -> list[int]:
    """R, G, B, A of the overlay at a pixel of the picture."""
    found: list[int] = page.evaluate(
        """([x, y]) => {
          const c = document.querySelector('.over');
          return [...c.getContext('2d').getImageData(x * c.width, y * c.height, 1, 1).data];
        }""",
        [x / WIDTH, y / HEIGHT],
    )
    return found


@pytest.fixture(scope="module")
def adaptive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The viewer of twelve pictures whose QPs differ, in slices of three rows."""
    folder = tmp_path_factory.mktemp("adaptive")
    frames = streams.pictures("natural", 12, WIDTH, HEIGHT)
    options = f"threads=1:aq-mode=1:aq-strength=2:slice-max-mbs={WIDTH // 16 * 3}"
    encoded = folder / "adaptive.h264"
    encoded.write_bytes(streams.with_x264(frames, "superfast", 23, options, adaptive=True))
    ticks = [
        tick(n, tick_class=TickClass.CHANGED, picture=Picture.FULL, bytes=1, slices=8)
        for n in range(12)
    ]
    recording = replace(
        ticks_alone(folder, ticks, width=WIDTH, height=HEIGHT), stream=folder / "adaptive.mkv"
    )
    muxer = Muxer(recording.stream)
    for n, unit in enumerate(access_units(encoded)):
        muxer.add(unit, n / 24, n == 0)
    muxer.close(0.5)
    assert remux_to_mp4(recording.stream, folder / "live_spliced.mp4")
    metrics = measure(recording, "Adaptive", [PhaseSpan("One", 0, 0.5)], (), {})
    path = folder / "viewer.html"
    write_viewer(path, recording, metrics, (), (), folder / "live_spliced.mp4")
    return path


def test_qps_and_slices_that_differ_are_shown(visit: Open, adaptive: Path):
    maps = list(read_maps(access_units(adaptive.with_name("adaptive.mkv"))))
    page = visit(adaptive.as_uri())
    assert len(maps) == 12
    for picture in ten(12):
        page.evaluate("tick => { viewer.go(tick) }", picture)
        settled(page, picture)
        check_qps_and_slices(page, maps[picture])
    page.keyboard.press("n")
    edge = (WIDTH / 2 + 5, 48)  # where the second slice begins
    assert pixel(page, *edge)[:3] == [255, 154, 193] and pixel(page, edge[0], 40)[3] == 0
    assert "slice border" in page.locator(".legend").inner_text()
    page.keyboard.press("o")
    assert pixel(page, *edge)[3] == 0
    assert "slice border" not in page.locator(".legend").inner_text()

    page.keyboard.press("q")
    shown = maps[ten(12)[-1]].qps
    low = min(int(m.qps.min()) for m in maps)
    high = max(int(m.qps.max()) for m in maps)
    legend = page.locator(".legend").inner_text()
    assert legend.startswith(f"QP {low}") and legend.endswith(f"QP {high}")
    places = [np.argwhere(shown == qp)[0] for qp in (shown.min(), shown.max())]
    dark, light = (sum(pixel(page, x * 16 + 2, y * 16 + 2)[:3]) for y, x in places)
    assert dark + 100 < light
    box = page.locator(".over").bounding_box()
    assert box
    y, x = (int(n) for n in places[1])
    scale = box["width"] / WIDTH
    page.mouse.move(box["x"] + (x * 16 + 8) * scale, box["y"] + (y * 16 + 8) * scale)
    assert f"QP {shown.max()}, slice {y // 3 + 1}, page" in page.locator(".mb").inner_text()


def check_pictures(page: Page, reported: Reported, look: Look = canvas) -> None:
    """Ten pictures: what is shown, its class, and its map."""
    frames = decoded(reported)
    maps = list(read_maps(access_units(reported.recording.stream)))
    ticks = written(reported)
    for picture in ten(len(ticks)):
        page.evaluate("tick => { viewer.go(tick) }", ticks[picture])
        settled(page, ticks[picture])
        told = page.evaluate("({...document.body.dataset})")
        assert told["picture"] == str(picture)
        assert told["class"] == reported.recording.ticks[ticks[picture]].tick_class.name
        assert page.locator(".pill").inner_text() == told["class"]
        shown = page.evaluate("p => viewer.mapOf(p).then(map => [...map])", picture)
        assert bytes(shown) == map_bytes(maps[picture])
        check_qps_and_slices(page, maps[picture])
        drawn = look(page)
        near = apart(drawn, frames[picture])
        assert near < 3
        others = [n for n in range(len(frames)) if apart(frames[n], frames[picture]) > 1]
        assert others and near < min(apart(drawn, frames[n]) for n in others[::7])


def test_the_viewer_shows_pictures_classes_and_maps(visit: Open, reported: Reported):
    page = visit((reported.folder / "viewer.html").as_uri())
    check_pictures(page, reported)


def test_keys_step_through_the_stream(visit: Open, reported: Reported):
    ticks, pictures = reported.recording.ticks, written(reported)
    page = visit((reported.folder / "viewer.html").as_uri() + f"#tick={pictures[4]}")
    settled(page, pictures[4])

    def press(key: str, expected: int) -> None:
        page.keyboard.press(key)
        settled(page, expected)
        page.wait_for_function("hash => location.hash === hash", arg=f"#tick={expected}")

    press("ArrowRight", pictures[5])
    press("ArrowRight", pictures[6])
    press("ArrowLeft", pictures[5])
    press("Shift+ArrowRight", pictures[5] + 1)
    press("ArrowLeft", pictures[5])
    changed = [t.index for t in ticks if t.tick_class is TickClass.CHANGED]
    after = [index for index in changed if index > pictures[5]]
    press("c", after[0])
    press("c", after[1])
    press("Shift+c", after[0])
    press("Home", 0)
    press("p", reported.verdicts[0].first_tick)
    press("End", len(ticks) - 1)
    press("ArrowLeft", pictures[-2] if pictures[-1] == len(ticks) - 1 else pictures[-1])
    page.get_by_role("button", name="first").focus()
    press("Space", 0)  # what has the focus is pressed, nothing is played
    page.wait_for_timeout(200)
    settled(page, 0)
    unchanged = next(t.index for t in ticks if t.tick_class is TickClass.UNCHANGED)
    page.evaluate("tick => { viewer.go(tick) }", unchanged)
    settled(page, unchanged)
    stands = max(n for n in pictures if n < unchanged)
    assert f"picture {pictures.index(stands)} of tick {stands} stands" in (
        page.locator(".standing").inner_text()
    )
    strip = page.get_by_role("slider")
    assert strip.get_attribute("aria-valuenow") == str(unchanged)
    for key, mode in (
        ("r", "reference"),
        ("w", "owner"),
        ("q", "qp"),
        ("n", "none"),
        ("s", "slice"),
    ):
        page.keyboard.press(key)
        assert page.evaluate("document.body.dataset.mode") == mode
    page.evaluate("location.hash = '#tick=3'")
    settled(page, 3)


def test_the_map_is_drawn_where_the_region_is(visit: Open, reported: Reported):
    page = visit((reported.folder / "viewer.html").as_uri())
    one = [t for t in reported.recording.ticks if t.picture is Picture.SPLICED][-1]
    page.evaluate("tick => { viewer.go(tick) }", one.index)
    settled(page, one.index)
    page.keyboard.press("w")
    region = one.region_rects[0]
    box = page.locator(".over").bounding_box()
    assert box
    scale = box["width"] / WIDTH
    for x, y, owner in (
        (region.x + 40, region.y + 40, "region 1"),
        (region.x - 20 if region.x >= 32 else region.x + region.w + 20, region.y + 40, "page"),
    ):
        page.mouse.move(box["x"] + x * scale, box["y"] + y * scale)
        assert page.locator(".mb").inner_text().endswith(owner)
        alpha = pixel(page, x // 16 * 16 + 8, y // 16 * 16 + 8)[3]
        assert (alpha > 0) == (owner != "page")


def without_stream(reported: Reported, folder: Path) -> Path:
    """The viewer of a stream that is too large to be embedded."""
    shutil.copy(reported.folder / "live_spliced.mp4", folder)
    write_viewer(
        folder / "viewer.html",
        reported.recording,
        reported.metrics,
        reported.checks,
        reported.verdicts,
        folder / "live_spliced.mp4",
        embed_limit=0,
    )
    return folder / "viewer.html"


def at_its_own_size(page: Page) -> None:
    """Shows the picture alone, each of its pixels as one of the screen."""
    page.keyboard.press("n")
    page.keyboard.press("o")
    page.evaluate(
        "w => Object.assign(viewer.stage.style, {width: w + 'px', borderRadius: 0})", WIDTH
    )


def test_a_large_stream_is_sought_in_the_file_beside(
    visit: Open, reported: Reported, tmp_path: Path
):
    page = visit(without_stream(reported, tmp_path).as_uri())
    assert "live_spliced.mp4" in page.locator(".note").inner_text()
    at_its_own_size(page)
    check_pictures(page, reported, on_screen)
    page.locator("input[type=file]").set_input_files(tmp_path / "live_spliced.mp4")
    page.wait_for_selector(".note", state="hidden")
    page.evaluate("viewer.shownPicture = -1; viewer.go(0)")
    settled(page, 0)
    check_pictures(page, reported)  # WebCodecs on the chosen file


# On a busy machine `seeked` comes before the picture; with this it always does.
EAGER = """() => {
  const {get, set} = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "currentTime");
  Object.defineProperties(viewer.source.video, {
    currentTime: {get, set(to) { set.call(this, to); this.dispatchEvent(new Event("seeked")); }},
    seeking: {value: false},
  });
}"""


def test_a_sought_picture_is_waited_for(visit: Open, reported: Reported, tmp_path: Path):
    page = visit(without_stream(reported, tmp_path).as_uri())
    at_its_own_size(page)
    page.evaluate(EAGER)
    check_pictures(page, reported, on_screen)


def test_a_picture_that_stands_for_long_is_not_taken_for_the_one_before_it(
    visit: Open, tmp_path: Path
):
    """It begins close behind that one, and a seek to its middle lands far away from both."""
    pictures = [content.ui(WIDTH, HEIGHT, seed=seed) for seed in range(4)]
    with Pipeline(RecorderSettings(WIDTH, HEIGHT), tmp_path / "live.mkv") as pipeline:
        for picture in pictures:
            pipeline.tick(picture)
        for _ in range(60):
            pipeline.tick(None)
        pipeline.tick(pictures[0])
        recording = pipeline.finish()
    assert remux_to_mp4(recording.stream, tmp_path / "live_spliced.mp4")
    metrics = measure(recording, "Sparse", [PhaseSpan("One", 0, recording.duration)], (), {})
    page_file, mp4 = tmp_path / "viewer.html", tmp_path / "live_spliced.mp4"
    write_viewer(page_file, recording, metrics, (), (), mp4, embed_limit=0)
    page = visit(page_file.as_uri())
    at_its_own_size(page)
    page.evaluate(EAGER)
    with av.open(str(recording.stream)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for chosen in (2, 3, 0, 3, 4, 3, 1):
        page.evaluate("tick => { viewer.go(tick) }", 64 if chosen == 4 else chosen)
        settled(page, 64 if chosen == 4 else chosen)
        drawn = on_screen(page)
        others = [n for n in range(4) if n != chosen % 4]
        assert apart(drawn, frames[chosen]) < min(apart(drawn, frames[n]) for n in others)


def test_only_the_last_of_many_pictures_asked_for_is_decoded(visit: Open, reported: Reported):
    """A held key asks for more than can be decoded, and each step back begins at a keyframe."""
    page = visit((reported.folder / "viewer.html").as_uri())
    page.evaluate(
        """() => {
          window.brought = [];
          const bring = viewer.source.bring;
          viewer.source.bring = function (picture, signal) {
            window.brought.push(picture);
            return bring.call(this, picture, signal);
          };
        }"""
    )
    ticks = written(reported)
    page.evaluate("ticks => { for (const tick of ticks) viewer.go(tick); }", ticks[::-1])
    settled(page, ticks[0])
    page.evaluate(
        "ticks => Promise.all(ticks.map((tick, p) => { viewer.go(tick); "
        "return viewer.source.get(p); }))",
        ticks,
    )
    brought = page.evaluate("window.brought")
    assert len(brought) <= 3 and brought[-1] == len(ticks) - 1, brought


def test_an_error_of_a_picture_that_was_left_does_not_clear_the_one_on_show(
    visit: Open, reported: Reported
):
    page = visit((reported.folder / "viewer.html").as_uri())
    page.evaluate(
        """async () => {
          let fail;
          viewer.source.get = () => new Promise((_, reject) => { fail = reject; });
          const left = viewer.go(5);
          while (!fail) await new Promise(requestAnimationFrame);
          await viewer.go(0); // what stands on the canvas: nothing is asked for
          fail(new Error("broken"));
          await left;
          delete viewer.source.get;
        }"""
    )
    assert page.evaluate("viewer.shownPicture") == 0
    assert apart(canvas(page), decoded(reported)[0]) < 3


def test_a_picture_that_takes_long_is_announced(visit: Open, reported: Reported):
    page = visit((reported.folder / "viewer.html").as_uri())
    page.evaluate(
        """() => {
          const get = viewer.source.get;
          viewer.source.get = async function (picture) {
            await new Promise((resolve) => { window.release = resolve; });
            return get.call(this, picture);
          };
          viewer.go(5);
        }"""
    )
    told = page.locator(".pending")
    told.wait_for()
    assert told.inner_text() == f"picture {written(reported).index(5)} is being decoded"
    page.evaluate("delete viewer.source.get; window.release()")
    settled(page, 5)
    assert told.is_hidden()


def test_a_video_that_breaks_is_told_at_once(visit: Open, reported: Reported, tmp_path: Path):
    address = without_stream(reported, tmp_path)
    page = visit(address.as_uri())
    page.evaluate(
        "() => { viewer.source.video.src = URL.createObjectURL(new Blob(['no video'])); }"
    )
    page.evaluate("viewer.go(9)")
    said = page.locator(".warning").inner_text()
    assert "shows no picture" in said and "does not seek" not in said


def test_playing_ends_where_someone_moves(visit: Open, reported: Reported):
    page = visit((reported.folder / "viewer.html").as_uri())
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Space")
    page.wait_for_function("() => viewer.tick > 2")
    page.get_by_role("button", name="first").click()
    settled(page, 0)
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(200)
    settled(page, 0)


def test_paused_and_begun_again_it_plays_once(visit: Open, reported: Reported):
    """Also while a picture of the first time was still on its way."""
    page = visit((reported.folder / "viewer.html").as_uri())
    at_once = page.evaluate(
        """async () => {
          const stand = viewer.stand;
          let [again, inside, most] = [false, 0, 0];
          viewer.stand = async function (tick) {
            const counts = again;
            if (counts) most = Math.max(most, ++inside);
            await new Promise((wake) => setTimeout(wake, 150));
            await stand.call(this, Math.min(tick, 20));
            if (counts) inside--;
            if (!counts) this.arrived = true;
          };
          viewer.play();
          while (viewer.tick === 0 && !viewer.arrived) await new Promise(requestAnimationFrame);
          viewer.play();
          again = true;
          viewer.play();
          await new Promise((wake) => setTimeout(wake, 700));
          viewer.playing = null;
          return most;
        }"""
    )
    assert at_once == 1


def test_the_address_names_the_tick_after_a_key_that_was_held(visit: Open, reported: Reported):
    """Chrome takes two hundred in ten seconds, unless Playwright has started it."""
    page = visit((reported.folder / "viewer.html").as_uri())
    page.evaluate(
        """() => {
          window.told = 0;
          const replace = history.replaceState;
          history.replaceState = function (...a) { window.told++; replace.apply(this, a); };
          for (let n = 0; n < 300; n++) viewer.go(n % 40);
          viewer.go(7);
        }"""
    )
    page.wait_for_function("() => location.hash === '#tick=7'")
    assert page.evaluate("window.told") < 20


def test_a_picture_that_did_not_come_in_the_background_is_asked_for_again(
    visit: Open, reported: Reported, tmp_path: Path
):
    """A page in a background tab is given no pictures of a video."""
    page = visit(without_stream(reported, tmp_path).as_uri())
    page.evaluate("() => { viewer.source.get = () => Promise.reject(new Error('hidden')); }")
    page.evaluate("viewer.go(9)")
    warning = page.locator(".warning")
    assert "shows no picture" in warning.inner_text()
    page.evaluate("delete viewer.source.get")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    settled(page, 9)
    assert warning.is_hidden() or "shows no picture" not in warning.inner_text()


@pytest.fixture
def served(reported: Reported, tmp_path: Path) -> Iterator[str]:
    without_stream(reported, tmp_path)
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/viewer.html"
        server.shutdown()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


def test_a_large_stream_is_fetched_from_a_server(visit: Open, reported: Reported, served: str):
    page = visit(served)
    assert page.locator(".note").is_hidden()
    check_pictures(page, reported)


def test_a_stream_that_breaks_is_told_and_still_has_its_map(
    visit: Open, reported: Reported, tmp_path: Path
):
    stream = visit((without_stream(reported, tmp_path)).as_uri()).evaluate("viewer.data.stream")
    mp4 = tmp_path / "live_spliced.mp4"
    damaged = bytearray(mp4.read_bytes())
    begin, size = stream["offsets"][10], stream["sizes"][10]
    damaged[begin + 5 : begin + size] = b"\xff" * (size - 5)
    mp4.write_bytes(damaged)
    write_viewer(
        tmp_path / "broken.html",
        reported.recording,
        reported.metrics,
        reported.checks,
        reported.verdicts,
        mp4,
    )
    ticks = written(reported)
    page = visit((tmp_path / "broken.html").as_uri() + f"#tick={ticks[9]}")
    settled(page, ticks[9])
    page.keyboard.press("ArrowRight")
    page.locator(".warning", has_text="The browser shows no picture 10").wait_for()
    assert page.evaluate("viewer.mapOf(10).then(map => map.length)") == WIDTH * HEIGHT // 256
    page.keyboard.press("ArrowLeft")
    settled(page, ticks[9])


def test_the_viewer_works_in_a_frame_as_attachments_are_shown(
    browser: Browser, reported: Reported, tmp_path: Path
):
    shutil.copy(reported.folder / "viewer.html", tmp_path)
    with framed(browser, tmp_path / "viewer.html") as (_, inside):
        inside.locator("body[data-ready][data-drawn='0']").wait_for()
        inside.locator("button", has_text="next ▶").click()
        inside.locator("body[data-drawn='1']").wait_for()


def test_the_report_opens_with_its_cause_its_timeline_and_its_video(
    visit: Open, reported: Reported
):
    page = visit((reported.folder / "report.html").as_uri())
    cause = page.locator(".failures tbody tr").first.bounding_box()
    assert cause and cause["y"] + cause["height"] < 900
    page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    page.evaluate("document.querySelector('video').play()")
    page.wait_for_function("() => document.querySelector('video').currentTime > 0.2")
    broken = page.evaluate("[...document.images].filter(i => !i.naturalWidth).length")
    assert broken == 0

    detail = page.locator("#timeline .detail")
    box = detail.bounding_box()
    assert box
    ticks = reported.recording.ticks
    first = page.evaluate("timeline.x(0)")
    step = page.evaluate("timeline.scale")
    chosen = 25
    detail.hover(position={"x": first + (chosen + 0.5) * step, "y": 60})
    page.wait_for_function("() => document.querySelector('.detail').dataset.tick == '25'")
    facts = page.locator(".tip dl").inner_text()
    assert ticks[chosen].tick_class.name in facts
    assert f"{ticks[chosen].bytes:,}" in facts
    place = {"x": first + (chosen + 0.5) * step, "y": 60}
    detail.click(position=place, button="right")
    with page.expect_popup() as opened:
        detail.click(position=place)
    assert len(page.context.pages) == 2  # the right button opened none
    viewer = opened.value
    settled(viewer, chosen)
    viewer.close()


def test_the_timeline_is_walked_by_keys_and_opens_at_a_tick(visit: Open, reported: Reported):
    address = (reported.folder / "report.html").as_uri()
    page = visit(address)
    detail = page.locator("#timeline .detail")
    detail.focus()
    classes = [t.tick_class for t in reported.recording.ticks]
    changed = [n for n, kind in enumerate(classes) if kind is TickClass.CHANGED]
    problem = reported.verdicts[0].first_tick
    for key, expected in (
        ("c", changed[0]),
        ("c", changed[1]),
        ("Shift+c", changed[0]),
        ("p", problem),
        ("End", len(classes) - 1),
        ("Shift+p", problem),
        ("ArrowRight", problem + 1),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        assert detail.get_attribute("data-tick") == str(expected), key
    page.get_by_role("button", name="next problem").click()
    assert detail.get_attribute("data-tick") == str(problem)
    with page.expect_popup() as opened:
        detail.press("Enter")
    viewer = opened.value
    settled(viewer, problem)
    viewer.keyboard.press("ArrowRight")
    settled(viewer, problem + 1)
    viewer.get_by_role("link", name="report").click()  # and back
    viewer.wait_for_selector("body[data-ready]")
    back = viewer.locator("#timeline .detail")
    assert back.get_attribute("data-tick") == str(problem + 1)
    box = back.bounding_box()
    assert box and 0 <= box["y"] < 200
    viewer.close()


def test_the_reports_links_work_where_attachments_are_shown(
    browser: Browser, reported: Reported, tmp_path: Path
):
    """Without neighbours: a tick is shown in the timeline, and nothing leaves the frame."""
    text = (reported.folder / "report.html").read_text(encoding="utf-8")
    (tmp_path / "report.html").write_text(_PLAYER.sub("", text), encoding="utf-8")
    with framed(browser, tmp_path / "report.html") as (page, inside):
        inside.locator("body[data-ready]").wait_for()
        first = reported.verdicts[0].first_tick
        inside.locator(".failures a").first.click()
        assert inside.locator("#timeline .detail").get_attribute("data-tick") == str(first)
        inside.locator("nav a", has_text="Checks").click()
        page.wait_for_timeout(100)
        box = inside.locator("h2", has_text="Checks").bounding_box()
        assert box and box["y"] < 300
        assert len(page.context.pages) == 1 and page.frames[1].url.endswith("report.html")


def test_ten_minutes_scroll_without_drawing_more_than_is_seen(visit: Open, tmp_path: Path):
    rng = np.random.default_rng(2)
    ticks = [
        tick(
            n,
            tick_class=TickClass(n // 50 % 3),
            picture=Picture(n // 50 % 3),
            bytes=int(rng.integers(1, 20_000)),
            encode_ms=float(rng.random() * 20),
            region_rects=(Rect(n // 100 % 300, 16, 160, 160),),
        )
        for n in range(14_400)
    ]
    reporting.report(tmp_path, ticks_alone(tmp_path, ticks))
    page = visit((tmp_path / "report.html").as_uri())
    page.evaluate(
        """() => {
          window.rects = 0;
          const draw = CanvasRenderingContext2D.prototype.fillRect;
          CanvasRenderingContext2D.prototype.fillRect = function (...a) {
            window.rects++;
            draw.apply(this, a);
          };
        }"""
    )
    detail = page.locator("#timeline .detail")
    detail.scroll_into_view_if_needed()
    box = detail.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    page.keyboard.down("Control")
    for _ in range(18):
        page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    page.wait_for_function("() => document.querySelector('.detail').dataset.span < 600")
    span = int(detail.get_attribute("data-span") or 0)
    begin = int(detail.get_attribute("data-first") or 0)
    before = int(detail.get_attribute("data-draws") or 0)
    page.evaluate("window.rects = 0")
    for _ in range(60):
        page.mouse.wheel(120, 0)
        page.evaluate("new Promise(requestAnimationFrame)")
    page.wait_for_function("n => document.querySelector('.detail').dataset.first > n", arg=begin)
    page.evaluate("new Promise(requestAnimationFrame)")
    draws = int(detail.get_attribute("data-draws") or 0) - before
    assert draws >= 30  # it follows the wheel
    # A few boxes for each tick in view, whatever the recording's length.
    assert page.evaluate("window.rects") / draws < 8 * span + 60
    page.locator("button", has_text="all").click()
    page.wait_for_function("() => document.querySelector('.detail').dataset.span == 14400")
    page.evaluate("new Promise(requestAnimationFrame)")
    page.evaluate("window.rects = 0; timeline.draw()")
    page.evaluate("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")
    # Now a few for each pixel.
    assert 0 < page.evaluate("window.rects") < 8 * box["width"]
    # Zoomed and moved on every frame, milliseconds: its drawing, and from frame to frame, with
    # all that the browser does. Medians, and generous: the machine may be busy.
    drawing, frames = page.evaluate(
        """async () => {
          const [drawing, frames] = [[], []];
          let before = await new Promise(requestAnimationFrame);
          for (let n = 0; n < 60; n++) {
            if (n % 2) timeline.view(timeline.first + 40, timeline.span);
            else timeline.zoom(n < 30 ? 0.8 : 1.25);
            const began = performance.now();
            timeline.drawDetail();
            timeline.drawOverview();
            drawing.push(performance.now() - began);
            const now = await new Promise(requestAnimationFrame);
            frames.push(now - before);
            before = now;
          }
          return [drawing, frames].map((times) => times.sort((a, b) => a - b)[30]);
        }"""
    )
    assert drawing < 40 and frames < 100, (drawing, frames)
