"""One recording session: display, site, ring, Chrome and recorder, up and down together."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal

import av
from playwright.sync_api import Page
from typing_extensions import Self

from . import __version__
from .browser import BrowserSession
from .browser_launch import LayerEnvironment
from .browser_program import find_browser
from .captured import CapturedPicture
from .display import VirtualDisplay
from .encoder import ChosenEncoder, choose_encoder
from .errors import CaptureError, RecorderError, StepError
from .headroom import Usage, UsageMeter
from .interrupts import heed_interrupts
from .media import prepare_clips
from .metrics import Mark
from .native import LIBRARY, layer_dir
from .observer import Observer
from .output_folder import forget_results, make_output_folder
from .page_setup import NetworkShaper, StorageState, restore
from .recorder import EncoderName, Recorder, RecorderSettings, Recording
from .result import Evidence
from .ring import DeviceFrames, FrameRing
from .scenario import Locator, Network
from .server import SiteServer
from .steps import StepRunner, Window
from .video_state import VideoStateTracker
from .vulkan import driver_of, require_vulkan_driver

STREAM_NAME = "live_spliced.mkv"
SCREENSHOTS, CAPTURED = "screenshots", "captured"
"""A recording's folders of pictures: of the page, and of frames as they were captured."""

_SLOTS = 12  # half a second at 24 frames a second
_TAPE_SLOTS = 24  # a tape costs the recorder time as well, and a frame lost is lost for good
FIRST_FRAME_TIMEOUT = 20.0  # seconds from the page's load to its first captured frame


@dataclass(frozen=True)
class SessionSettings:
    """What a session is made with.

    folder takes everything it leaves. site is served at `/`, clips at
    `/media/NAME.mp4`; open is a path on the site or a URL. ready is a selector (or Locator)
    that must be visible before recording. scale is device pixels a CSS pixel: the
    recorder's size stays, the page has the less room. browser and display None: found.
    encode "layer": encoders run in Chrome's GPU process, beside the capture; with NVENC frames
    then stay on the GPU, if that is possible and no tape is made. $UIS_CAPTURE, where it is set,
    has the last word.
    storage_state is a file in Playwright's form; network shapes the page's requests;
    variables are a scenario's, for steps in Python.
    """

    folder: Path
    open: str
    recorder: RecorderSettings = field(default_factory=RecorderSettings)
    title: str = "recording"
    site: Path | None = None
    clips: tuple[str, ...] = ()
    clip_folders: tuple[Path, ...] = ()
    wsi: Literal["virtual", "passthrough"] = "virtual"
    encode: Literal["recorder", "layer"] = "recorder"
    scale: float = 1
    ready: str | Locator | None = None
    timeout: float = 10.0
    browser: str | None = None
    display: str | None = None
    port: int = 0
    scenario_path: Path = Path("(python)")
    storage_state: Path | None = None
    network: Network = field(default_factory=Network)
    reduced_motion: bool = False
    variables: tuple[tuple[str, str], ...] = ()

    def keeps_frames_on_device(self, encoder: EncoderName, *, taped: bool) -> bool:
        """Whether captured frames should stay on the GPU: `encoder`, which codes, takes them
        there, and nobody asks for all of their pixels."""
        return self.encode == "layer" and encoder == "nvenc" and self.wsi == "virtual" and not taped


def capture_fact(frames: DeviceFrames) -> str:
    """Where captured frames were, for reports: "device", or "host" with the reason in brackets
    where it was to be the device."""
    if frames.wanted == "host":
        return "host"
    if frames.active == "host":
        return f"host ({frames.fallback or 'no frame was captured'})"
    if frames.active == "verify":
        return "host, compared with the device's"
    if not frames.downloaded:
        return "device"
    if not frames.encoded:
        return f"device, copied to the host ({frames.download_reason})"
    some = f"{frames.downloaded} of {frames.downloaded + frames.encoded}"
    return f"device, {some} copied to the host ({frames.download_reason})"


class Session:
    """Everything a recording needs, while the context lasts.

    >>> with Session(settings) as session:
    ...     session.open()
    ...     session.start()
    ...     session.page.click("text=Play")
    ...     session.wait(2)
    ...     recording = session.stop()

    `spool` takes what the recorder took, for a tape; it must outlive the context.
    Leaving the context ends Chrome, the display, the server and the ring, whatever
    happened inside; a recording that still runs is ended and its file finished.

    Raises on entry: EnvironmentProblem, BrowserError, MediaError.
    """

    def __init__(
        self,
        settings: SessionSettings,
        observer: Observer | None = None,
        spool: BinaryIO | None = None,
    ) -> None:
        self.settings = settings
        self._spool = spool
        self.observer = observer or Observer()
        self.marks: list[Mark] = []
        self.screenshots: list[Path] = []
        self.captured: list[CapturedPicture] = []
        self.recording: Recording | None = None
        self._cleanup = contextlib.ExitStack()
        self._recorder: Recorder | None = None
        self._browser: BrowserSession | None = None
        self._server: SiteServer | None = None
        self._meter: UsageMeter | None = None
        self._usage: Usage | None = None
        self._encoder: ChosenEncoder | None = None

    def __enter__(self) -> Self:
        s = self.settings
        make_output_folder(s.folder)
        forget_results(s.folder)
        # A run before this one in the same folder may have ended elsewhere.
        for name in (SCREENSHOTS, CAPTURED):
            shutil.rmtree(s.folder / name, ignore_errors=True)
        try:
            self._cleanup.enter_context(heed_interrupts())
            self._encoder = choose_encoder(s.recorder)
            r = self._encoder.settings
            if self._encoder.warning:
                self.observer.stage(self._encoder.warning)
            executable = find_browser(s.browser)
            require_vulkan_driver()
            layers = layer_dir()
            if s.clips:
                self.observer.stage("preparing clips")
            clips = prepare_clips(s.clips, s.clip_folders)
            self.observer.stage("starting Chrome")
            self._server = self._cleanup.enter_context(SiteServer(s.site, clips, port=s.port))
            display = self._cleanup.enter_context(VirtualDisplay(r.width, r.height, s.display))
            # The ring outlives Chrome, and the recorder's end is pushed last: it goes first.
            self._ring = self._cleanup.enter_context(
                FrameRing(
                    r.width,
                    r.height,
                    slots=_SLOTS if self._spool is None else _TAPE_SLOTS,
                    encode=s.encode,
                )
            )
            self._browser = self._cleanup.enter_context(
                BrowserSession(
                    executable,
                    display.name,
                    r.width,
                    r.height,
                    s.folder,
                    scale=s.scale,
                    layer=self._layer_environment(layers),
                    context_options={"reduced_motion": "reduce"} if s.reduced_motion else None,
                )
            )
            if s.storage_state is not None:
                state = StorageState.read(s.storage_state)
                restore(self._browser.context, state, self._server.url)
            self._tracker = VideoStateTracker(self._ring.set_regions, r.width, r.height)
            self._tracker.attach(self._browser.context)
            self._recorder = Recorder(r, self._ring, s.folder / STREAM_NAME, self._spool)
            self._cleanup.callback(self._recorder.close)
            self.runner = StepRunner(
                self.page,
                s.scenario_path,
                base_url=f"{self._server.url}/",
                timeout=s.timeout,
                dead=lambda: self._browser.dead if self._browser else None,
                tick=self._tick,
                on_mark=self._mark,
                on_screenshot=self._screenshot,
                around=self.observer.step,
                window=_SessionWindow(self),
                variables=dict(s.variables),
            )
            if s.network != Network():
                self.runner.window.shape_network(s.network)
        except BaseException as error:
            self._cleanup.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def _layer_environment(self, folder: Path) -> LayerEnvironment:
        """What the layer is told. To encode in Chrome's process it needs the library, and
        the spool by its name, which is removed once the recording has begun."""
        layer = LayerEnvironment(folder, self._ring.name, self.settings.wsi)
        if self.settings.encode != "layer":
            return layer
        spool = None
        if self._spool is not None:
            spool = Path(self._spool.name).absolute()
            self._cleanup.callback(spool.unlink, missing_ok=True)
        return dataclasses.replace(
            layer,
            encoders=folder / LIBRARY,
            spool=spool,
            capture=self._capture(),
        )

    def _capture(self) -> Literal["host", "device"]:
        assert self._encoder is not None
        keeps = self.settings.keeps_frames_on_device(
            self._encoder.settings.encoder, taped=self._spool is not None
        )
        return "device" if keeps else "host"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cleanup.__exit__(kind, value, trace)

    @property
    def page(self) -> Page:
        """Playwright's page."""
        return self.browser.page

    @property
    def browser(self) -> BrowserSession:
        assert self._browser is not None
        return self._browser

    @property
    def recorder(self) -> Recorder:
        assert self._recorder is not None
        return self._recorder

    @property
    def missing(self) -> tuple[str, ...]:
        """Paths of the site that the page asked for and that do not exist."""
        return tuple(self._server.missing) if self._server else ()

    @property
    def evidence(self) -> Evidence:
        """What was recorded; once it was stopped."""
        assert self.recording is not None
        return Evidence(
            self.settings.title,
            self.settings.folder,
            self.recording,
            tuple(self.screenshots),
            self.missing,
            self._usage,
            tuple(self.captured),
        )

    def open(self) -> None:
        """Opens the page, waits until it is ready and until its frames arrive.

        Raises:
            StepError: the page does not load, or `ready` does not appear.
            CaptureError: no frame arrives, or frames come without damage.
        """
        self.observer.stage("opening the page")
        self.runner.open(self.settings.open, timeout=max(self.settings.timeout, 20.0))
        if self.settings.ready:
            try:
                self.runner.wait_until_visible(self.settings.ready)
            except StepError as error:
                # Nothing was recorded, so there is no report that shows the page.
                self.picture_of_failure("not ready")
                if self.screenshots:
                    error.remedy += f"; the page as it was: {self.screenshots[-1]}"
                raise
        self._await_frames()

    def start(self) -> None:
        """Starts the recording with the frame now on screen."""
        self._meter = UsageMeter()
        self.recorder.start()
        if self._spool is not None and self.settings.encode == "layer":
            Path(self._spool.name).unlink(missing_ok=True)

    def wait(self, seconds: float) -> None:
        """Lets time pass. Use it instead of time.sleep: the page is watched meanwhile.

        Raises:
            BrowserError: Chrome died.
            RecorderError: the recording broke off.
        """
        self._check_recorder()
        self.runner.sleep(seconds)
        self._check_recorder()

    def resize(self, width: int, height: int) -> None:
        """Resizes the window, device pixels; the stream keeps its size, and what the window
        does not cover is black in it. Raises BrowserError as BrowserSession.resize does.
        """
        self._check_recorder()
        self.browser.resize(width, height)
        self._ring.set_window(width, height)

    def crash_page(self, seconds: float = 0.0) -> None:
        """Crashes the page and leaves Chrome's page for crashes on screen for so long. Only
        `recover` and `stop` may follow.

        Raises:
            BrowserError: the page did not crash, or Chrome ended with it.
            RecorderError: the recording broke off.
        """
        self._check_recorder()
        self.browser.crash_page()
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))  # Playwright waits on no page that has crashed
            self._check_recorder()

    def recover(self, prepare: Callable[[Page], None] = lambda _page: None) -> Page:
        """Opens the crashed page's address again in its place, and gives the new Page, which
        is `page` from now on; `prepare` gets it before. Raises BrowserError as
        BrowserSession.recover does.
        """

        def prepared(page: Page) -> None:
            self._tracker.follow(page)
            prepare(page)

        self._check_recorder()
        self.runner.page = self.browser.recover(prepared)
        return self.runner.page

    def _check_recorder(self) -> None:
        if self.recorder.failed:
            raise RecorderError(self.recorder.failed, "see the report of what was recorded")

    def stop(self, duration: float | None = None) -> Recording:
        """Ends the recording; `duration` in seconds, default now."""
        if self.recording is None:
            self.recording = self.recorder.stop(duration)
            self._usage = self._meter.usage() if self._meter else None
        return self.recording

    def environment(self) -> dict[str, str]:
        """What the recording was made with, for reports."""
        assert self._encoder is not None
        counters = self._ring.counters()
        return {
            "uisplice": __version__,
            "browser": self._browser.version if self._browser else "",
            "vulkan device": counters.device,
            "vulkan driver": driver_of(counters.device),
            "wsi": "passthrough" if counters.passthrough else "virtual",
            "encode": self.settings.encode,
            "capture": capture_fact(counters.on_device),
            **self._encoder.environment,
            "preset": self.settings.recorder.preset,
            "qp": str(self.settings.recorder.qp),
            "system": platform.platform(),
            "python": platform.python_version(),
            "cpus": str(os.cpu_count()),
        }

    def _await_frames(self) -> None:
        until = time.monotonic() + FIRST_FRAME_TIMEOUT
        while True:
            counters = self._ring.counters()
            if counters.state == "failed":
                raise CaptureError(
                    f"the capture layer gave up: {counters.error}",
                    f"read {self.settings.folder / 'chrome.log'}",
                )
            if counters.published > 0:
                break
            if time.monotonic() > until:
                raise self._no_frames(counters.state)
            self.runner.sleep(0.05)
        if counters.presented and counters.without_damage == counters.presented:
            raise CaptureError(
                f"{counters.presented} frames came without damage rectangles",
                "let Chrome present through its own Vulkan output: --use-angle=vulkan with "
                "--enable-features=Vulkan,VulkanFromANGLE, without --disable-features=Vulkan "
                "and without --in-process-gpu",
            )

    def _no_frames(self, state: str) -> CaptureError:
        log = self.settings.folder / "chrome.log"
        if state == "none":
            return CaptureError(
                f"Chrome did not load the capture layer within {FIRST_FRAME_TIMEOUT:g} s",
                f"check that Vulkan works (vulkaninfo --summary) and read {log}",
            )
        if state == "attached":
            return CaptureError(
                "Chrome loaded the capture layer but made no Vulkan swapchain of the view's size",
                "Chrome fell back from Vulkan: check --ignore-gpu-blocklist and "
                f"--enable-features=Vulkan,VulkanFromANGLE, and read {log}",
            )
        return CaptureError(
            f"no frame was presented within {FIRST_FRAME_TIMEOUT:g} s",
            f"check that the page paints anything, and read {log}",
        )

    def _mark(self, name: str, _when_ns: int) -> None:
        self.marks.append(Mark(name, round(self.recorder.elapsed, 3)))

    def _screenshot(self, name: str, png: bytes) -> None:
        path = self._picture_path(SCREENSHOTS, len(self.screenshots), name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png)
        self.screenshots.append(path)

    def _picture_path(self, folder: str, number: int, name: str) -> Path:
        safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in name).strip("-") or "page"
        return self.settings.folder / folder / f"{number + 1:02d}-{safe}.png"

    def _tick(self) -> int | None:
        """The tick of the recording; None before it has begun."""
        recorder = self._recorder
        return recorder.ticks if recorder is not None and recorder.started else None

    def picture_of_failure(self, name: str = "at failure") -> None:
        """For a diagnosis: the frame that the recorder took last, from the ring, and a
        screenshot, if Chrome can still give one."""
        with contextlib.suppress(OSError, av.error.FFmpegError):
            frame = self._ring.held_frame()
            if frame is not None:
                path = self._picture_path(CAPTURED, len(self.captured), name)
                self.captured.append(CapturedPicture.write(frame, name, path))
        with contextlib.suppress(Exception):
            self._screenshot(name, self.page.screenshot(timeout=3000))


class _SessionWindow(Window):
    """The session's window, as steps see it. What is said of the network holds for the page
    that comes after a crash, too."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._shaper: NetworkShaper | None = None
        self._network = Network()

    def resize(self, width: int, height: int) -> None:
        self._session.resize(width, height)

    def crash(self) -> None:
        self._session.crash_page()

    def recover(self) -> Page:
        return self._session.recover(self._prepare)

    def shape_network(self, network: Network) -> None:
        self._network = network
        if self._shaper is None:
            self._shaper = NetworkShaper(self._session.page)
        self._shaper.shape(network)

    def _prepare(self, page: Page) -> None:
        self._shaper = None
        if self._network != Network():
            self._shaper = NetworkShaper(page)
            self._shaper.shape(self._network)
