"""One recording session: display, site, ring, Chrome and recorder, up and down together."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import BinaryIO, Literal

from playwright.sync_api import Page
from typing_extensions import Self

from . import __version__
from .browser import BrowserSession, LayerEnvironment, find_browser
from .checks import CheckResult, Status, check_recording
from .display import VirtualDisplay
from .errors import (
    CaptureError,
    EnvironmentProblem,
    HarnessError,
    RecorderError,
    StepError,
    TapeError,
)
from .failure_table import failure_table
from .headroom import Usage, UsageMeter, complaint
from .media import prepare_clips
from .metrics import Mark, Metrics, PhaseSpan, measure
from .native import layer_dir, native
from .observer import Observer
from .page_setup import NetworkShaper, StorageState, restore
from .recorder import Recorder, RecorderSettings, Recording
from .replay import Counter, environment_of, open_tape, replay
from .report import remux_to_mp4, write_metrics, write_report, write_ticks
from .ring import FrameRing
from .scenario import Locator, Network, Phase, Scenario
from .server import SiteServer
from .steps import StepRunner, Window
from .tape import TapedOutcome, TapedSpan, TapeHeader, recipe_of, tape_path
from .tape_writer import open_spool, require_folder, write_tape
from .verdict import PageOutcome, Verdict, failures, judge, standing_checks
from .video_state import VideoStateTracker

STREAM_NAME = "live_spliced.mkv"
_SLOTS = 12  # half a second at 24 frames a second
_TAPE_SLOTS = 24  # a tape costs the recorder time as well, and a frame lost is lost for good
_SHORTEST_LOOK = 0.25  # seconds that an expectation of the page has when its phase is over
FIRST_FRAME_TIMEOUT = 20.0  # seconds from the page's load to its first captured frame
_DRIVER_FOLDERS = ("/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d")


@dataclass(frozen=True)
class SessionSettings:
    """What a session is made with.

    folder takes everything it leaves. site is served at `/`, clips at
    `/media/NAME.mp4`; open is a path on the site or a URL. ready is a selector (or Locator)
    that must be visible before recording. scale is device pixels a CSS pixel: the
    recorder's size stays, the page has the less room. browser and display None: found.
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


@dataclass(frozen=True)
class Evidence:
    """What is left to judge when Chrome is gone, or when there was none."""

    title: str
    folder: Path
    recording: Recording
    screenshots: tuple[Path, ...] = ()
    missing: tuple[str, ...] = ()
    usage: Usage | None = None


@dataclass(frozen=True)
class Result:
    """How a session ended. `failure` is what broke it off, if anything did."""

    title: str
    folder: Path
    recording: Recording | None
    metrics: Metrics | None
    checks: tuple[CheckResult, ...]
    verdicts: tuple[Verdict, ...]
    failure: HarnessError | None
    screenshots: tuple[Path, ...] = ()
    missing: tuple[str, ...] = ()  # paths of the site that were asked for and not found
    headroom: str | None = None  # what is to be said where the machine did not keep up

    @property
    def problems(self) -> list[str]:
        """One line for everything that did not pass; empty when all is well."""
        broken = [str(self.failure)] if self.failure else []
        return broken + failures(self.verdicts, self.checks)

    @property
    def failure_table(self) -> str:
        """What did not pass as one table of text, without what broke it off; empty when
        every expectation and check passed."""
        return failure_table(self.verdicts, self.checks)

    @property
    def passed(self) -> bool:
        return not self.problems


def require_vulkan_driver(environment: Mapping[str, str] = os.environ) -> None:
    """Raises EnvironmentProblem where no Vulkan driver is installed."""
    named = environment.get("VK_DRIVER_FILES") or environment.get("VK_ICD_FILENAMES")
    if named:
        manifests = [Path(name) for name in named.split(os.pathsep) if name]
        found = [path for path in manifests if path.is_file()]
        where = f"$VK_DRIVER_FILES names {named}"
    else:
        found = [path for folder in _DRIVER_FOLDERS for path in Path(folder).glob("*.json")]
        where = f"no driver manifest in {', '.join(_DRIVER_FOLDERS)}"
    if not found:
        raise EnvironmentProblem(
            f"no Vulkan driver is installed: {where}",
            "install one: apt install mesa-vulkan-drivers (lavapipe runs without a GPU)",
        )


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
        self.recording: Recording | None = None
        self._cleanup = contextlib.ExitStack()
        self._recorder: Recorder | None = None
        self._browser: BrowserSession | None = None
        self._server: SiteServer | None = None
        self._meter: UsageMeter | None = None
        self._usage: Usage | None = None

    def __enter__(self) -> Self:
        s, r = self.settings, self.settings.recorder
        s.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._cleanup.enter_context(_terminate_as_interrupt())
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
                FrameRing(r.width, r.height, slots=_SLOTS if self._spool is None else _TAPE_SLOTS)
            )
            layer = LayerEnvironment(folder=layers, ring=self._ring.name, wsi=s.wsi)
            self._browser = self._cleanup.enter_context(
                BrowserSession(
                    executable,
                    display.name,
                    r.width,
                    r.height,
                    s.folder,
                    scale=s.scale,
                    layer=layer,
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
            self.runner.wait_until_visible(self.settings.ready)
        self._await_frames()

    def start(self) -> None:
        """Starts the recording with the frame now on screen."""
        self._meter = UsageMeter()
        self.recorder.start()

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
        library = native()
        counters = self._ring.counters()
        return {
            "uisplice": __version__,
            "browser": self._browser.version if self._browser else "",
            "vulkan device": counters.device,
            "wsi": "passthrough" if counters.passthrough else "virtual",
            "encoder": f"libx264 {library.text(library.lib.uis_x264_version())}",
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
        safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in name).strip("-") or "page"
        path = self.settings.folder / "screenshots" / f"{len(self.screenshots) + 1:02d}-{safe}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png)
        self.screenshots.append(path)

    def _tick(self) -> int | None:
        """The tick of the recording; None before it has begun."""
        recorder = self._recorder
        return recorder.ticks if recorder is not None and recorder.started else None

    def picture_of_failure(self, name: str = "at failure") -> None:
        """A screenshot for a diagnosis, if Chrome can still give one."""
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


class Terminated(KeyboardInterrupt):
    """SIGTERM, treated as Ctrl-C: clean up, keep what was recorded."""


@contextlib.contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """A polite kill (a CI runner's time limit) cleans up like Ctrl-C does."""
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def settings_of(scenario: Scenario, folder: Path, options: RunOptions) -> SessionSettings:
    """A scenario's settings, with what the command line overrides."""
    return SessionSettings(
        folder=folder,
        open=scenario.open,
        recorder=RecorderSettings(
            width=scenario.viewport.width,
            height=scenario.viewport.height,
            fps=scenario.fps,
            qp=scenario.encoder.qp,
            preset=scenario.encoder.preset,
            guard=scenario.encoder.guard,
            splice=scenario.encoder.splice,
            keyframe_interval=round((scenario.encoder.keyframe_every or 0) * scenario.fps),
            measure=any(
                expect.ssim is not None
                for expect in (scenario.expect, *(phase.expect for phase in scenario.phases))
            ),
        ),
        title=scenario.full_title,
        site=scenario.site_folder,
        clips=scenario.clips,
        clip_folders=(scenario.path.parent,),
        wsi=options.wsi or scenario.wsi,
        scale=scenario.device_pixel_ratio,
        ready=scenario.ready,
        timeout=scenario.timeout,
        browser=options.browser,
        display=options.display,
        port=options.port,
        scenario_path=scenario.path,
        storage_state=(
            scenario.path.parent / scenario.storage_state if scenario.storage_state else None
        ),
        network=scenario.network,
        reduced_motion=scenario.reduced_motion,
        variables=scenario.variables,
    )


@dataclass(frozen=True)
class RunOptions:
    """What the command line or pytest's options say for every scenario. At most one of
    tape_record and tape_replay is given: a folder of tapes."""

    browser: str | None = None
    wsi: Literal["virtual", "passthrough"] | None = None
    display: str | None = None
    port: int = 0
    tape_record: Path | None = None
    tape_replay: Path | None = None


@dataclass
class _Schedule:
    """Phases lie on the recording's clock: one that is late eats the next one's
    slack instead of moving everything behind it."""

    planned: float = 0.0
    spans: list[PhaseSpan] = field(default_factory=list)
    outcomes: list[PageOutcome] = field(default_factory=list)


def _play(session: Session, scenario: Scenario, schedule: _Schedule) -> None:
    start = 0.0
    for number, phase in enumerate(scenario.phases, 1):
        where = f"phase '{phase.name}' ({number} of {len(scenario.phases)})"
        try:
            with session.observer.phase(phase.name):
                for step in phase.steps:
                    session.runner.run(step, where)
                _ask_page(session, scenario, schedule, phase)
                if phase.duration is None:
                    schedule.planned = session.recorder.elapsed
                else:
                    schedule.planned += phase.duration
                    if phase is scenario.phases[-1]:
                        session.recorder.end_at(schedule.planned)
                    session.wait(schedule.planned - session.recorder.elapsed)
        finally:
            end = session.recorder.elapsed
            # Waking up a little late is not an overrun: the phase ends on the clock.
            if 0 <= end - schedule.planned < 1 / scenario.fps:
                end = schedule.planned
            schedule.spans.append(PhaseSpan(phase.name, start, end, phase.duration, phase.line))
            start = end


def _ask_page(session: Session, scenario: Scenario, schedule: _Schedule, phase: Phase) -> None:
    """What the page must show once a phase's steps are done; after the last phase's also
    what it must show at the end. It may come true until the phase ends."""
    asked = [(phase.name, one) for one in phase.expect.page]
    if phase is scenario.phases[-1]:
        asked += [("", one) for one in scenario.expect.page]
    until = session.recorder.elapsed + scenario.timeout
    if phase.duration is not None:
        until = min(until, schedule.planned + phase.duration)
    before = len(schedule.outcomes)
    for name, expectation in asked:
        left = max(_SHORTEST_LOOK, until - session.recorder.elapsed)
        answer = session.runner.ask(expectation, left)
        schedule.outcomes.append(
            PageOutcome(
                phase=name,
                text=expectation.subject,
                status=Status.PASSED if answer.holds else Status.FAILED,
                measured=answer.measured,
                tick=session.recorder.ticks,
            )
        )
    if any(outcome.status is not Status.PASSED for outcome in schedule.outcomes[before:]):
        session.picture_of_failure(f"{phase.name} expectation")


def _all_outcomes(
    scenario: Scenario, found: Sequence[PageOutcome], why: str
) -> tuple[PageOutcome, ...]:
    """An outcome for every expectation of the page: what was not asked is not run."""
    by_name = {(outcome.phase, outcome.text): outcome for outcome in found}
    wanted = [(phase.name, one) for phase in scenario.phases for one in phase.expect.page]
    wanted += [("", one) for one in scenario.expect.page]
    return tuple(
        by_name.get((name, one.subject)) or PageOutcome(name, one.subject, Status.NOT_RUN, why, 0)
        for name, one in wanted
    )


def expected_ticks(scenario: Scenario) -> int | None:
    """Ticks of the whole scenario, where every phase has a duration."""
    seconds = 0.0
    for phase in scenario.phases:
        if phase.duration is None:
            return None
        seconds += phase.duration
    return round(seconds * scenario.fps)


def run_scenario(
    scenario: Scenario,
    folder: Path,
    options: RunOptions | None = None,
    observer: Observer | None = None,
) -> Result:
    """Plays, records, checks and judges a scenario; leaves everything in `folder`. With
    `tape_replay` its tape is played instead of a browser; with `tape_record` a tape is
    made of a scenario that was played to its end.

    What goes wrong while it plays is in the result, together with what was
    recorded until then. Ctrl-C leaves the same files and goes on as
    KeyboardInterrupt.

    Raises:
        HarnessError: it could not begin (no browser, no driver, no tape, ...).
    """
    observer = observer or Observer()
    options = options or RunOptions()
    if options.tape_replay is not None:
        return _replay_scenario(scenario, folder, options.tape_replay, observer)
    with contextlib.ExitStack() as stack:
        spool = None
        if options.tape_record is not None:
            require_folder(options.tape_record)
            spool = stack.enter_context(open_spool(folder))
        return _play_scenario(scenario, folder, options, observer, spool)


def _play_scenario(
    scenario: Scenario,
    folder: Path,
    options: RunOptions,
    observer: Observer,
    spool: BinaryIO | None,
) -> Result:
    schedule = _Schedule()
    failure: BaseException | None = None
    session = Session(settings_of(scenario, folder, options), observer, spool)
    with session:
        session.open()
        session.start()
        observer.recording(session.recorder, expected_ticks(scenario))
        try:
            _play(session, scenario, schedule)
            session.stop(schedule.planned)
        except HarnessError as error:
            failure = error
            session.stop()
            session.picture_of_failure()
        except BaseException as error:
            # No question to Chrome any more; but the file is finished.
            session.stop()
            failure = error
        finally:
            observer.recorded()
        environment = session.environment()
        if failure is not None and not isinstance(failure, Exception):
            _conclude(
                session.evidence, scenario, schedule, session.marks, environment, failure, observer
            )
            raise failure
    evidence = session.evidence
    if spool is not None and options.tape_record is not None:
        path = tape_path(options.tape_record, scenario)
        if failure is not None or evidence.recording.error:
            observer.stage(f"the scenario broke off: no tape {path} is made")
        else:
            header = _tape_header(scenario, evidence, schedule, session.marks, environment)
            try:
                _make_tape(path, header, spool, observer)
            except TapeError as error:
                failure = error  # the recording itself is whole, and is judged all the same
            except KeyboardInterrupt as error:
                _conclude(evidence, scenario, schedule, session.marks, environment, error, observer)
                raise
    return _conclude(evidence, scenario, schedule, session.marks, environment, failure, observer)


def _tape_header(
    scenario: Scenario,
    evidence: Evidence,
    schedule: _Schedule,
    marks: Sequence[Mark],
    environment: dict[str, str],
) -> TapeHeader:
    return TapeHeader(
        title=scenario.full_title,
        width=scenario.viewport.width,
        height=scenario.viewport.height,
        fps=scenario.fps,
        ticks=len(evidence.recording.ticks),
        environment=environment,
        recipe=recipe_of(scenario),
        spans=tuple(TapedSpan(span.name, span.start, span.end) for span in schedule.spans),
        marks=tuple(marks),
        missing=evidence.missing,
        unseen_drops=evidence.recording.unseen_drops,
        outcomes=tuple(
            TapedOutcome(o.phase, o.text, o.status.value, o.measured, o.tick)
            for o in schedule.outcomes
        ),
    )


def _make_tape(path: Path, header: TapeHeader, spool: BinaryIO, observer: Observer) -> None:
    with (
        _terminate_as_interrupt(),
        observer.progress("making the tape", 2 * header.ticks) as progress,
    ):
        write_tape(path, header, spool, progress)
    observer.stage(f"tape {path}, {path.stat().st_size / 1e6:.1f} MB")


def _replay_scenario(scenario: Scenario, folder: Path, tapes: Path, observer: Observer) -> Result:
    observer.stage("opening the tape")
    tape = open_tape(tapes, scenario)
    settings = settings_of(scenario, folder, RunOptions()).recorder
    folder.mkdir(parents=True, exist_ok=True)
    counter = Counter()
    with _terminate_as_interrupt():
        observer.recording(counter, tape.header.ticks)
        try:
            recording = replay(tape, settings, folder / STREAM_NAME, counter)
        finally:
            observer.recorded()
    phases = {phase.name: phase for phase in scenario.phases}
    spans = [
        PhaseSpan(
            span.name, span.start, span.end, phases[span.name].duration, phases[span.name].line
        )
        for span in tape.header.spans
    ]
    evidence = Evidence(scenario.full_title, folder, recording, missing=tape.header.missing)
    environment = environment_of(tape, settings)
    return _conclude(
        evidence,
        scenario,
        _Schedule(
            spans=spans,
            outcomes=[
                PageOutcome(o.phase, o.text, Status(o.status), o.measured, o.tick)
                for o in tape.header.outcomes
            ],
        ),
        tape.header.marks,
        environment,
        None,
        observer,
    )


def _conclude(
    evidence: Evidence,
    scenario: Scenario,
    schedule: _Schedule,
    marks: Sequence[Mark],
    environment: dict[str, str],
    failure: BaseException | None,
    observer: Observer,
) -> Result:
    """Checks and reports what was recorded; Chrome may be gone already."""
    metrics = measure(evidence.recording, scenario.full_title, schedule.spans, marks, environment)
    interrupted = failure is not None and not isinstance(failure, Exception)
    if interrupted:
        return conclude(evidence, metrics, (), failure, observer, quick=True)
    checks = _checks(evidence.recording, metrics, observer)
    broke_off = evidence.recording.error
    # A tape that cannot be written leaves the recording whole.
    if failure is not None and not isinstance(failure, TapeError):
        broke_off = failure.message if isinstance(failure, HarnessError) else str(failure)
        if isinstance(failure, StepError) and failure.place:
            broke_off = failure.place  # the message itself stands above the table
    verdicts = judge(
        scenario,
        metrics,
        evidence.recording,
        checks,
        _all_outcomes(
            scenario,
            schedule.outcomes,
            "the scenario broke off" if broke_off else "the tape was made without it",
        ),
        broke_off=" ".join(broke_off.split()),
    )
    return conclude(evidence, metrics, verdicts, failure, observer, checks=checks)


def _checks(recording: Recording, metrics: Metrics, observer: Observer) -> tuple[CheckResult, ...]:
    observer.stage("decoding and checking every picture")
    return (*standing_checks(metrics, recording), *check_recording(recording))


def conclude(
    evidence: Evidence,
    metrics: Metrics,
    verdicts: Sequence[Verdict],
    failure: BaseException | None,
    observer: Observer,
    *,
    quick: bool = False,
    checks: tuple[CheckResult, ...] | None = None,
) -> Result:
    """Runs the checks (not when `quick` or already given), writes every report, and gives
    the result."""
    recording = evidence.recording
    if quick:
        checks = (CheckResult("stream", Status.NOT_RUN, "interrupted before the checks"),)
    elif checks is None:
        checks = _checks(recording, metrics, observer)
    if recording.error and failure is None:
        failure = RecorderError(recording.error, "what was recorded until then is kept")
    if failure is not None and not isinstance(failure, (HarnessError, KeyboardInterrupt)):
        raise failure
    folder = evidence.folder
    result = Result(
        title=evidence.title,
        folder=folder,
        recording=recording,
        metrics=metrics,
        checks=checks,
        verdicts=tuple(verdicts),
        failure=failure if isinstance(failure, HarnessError) else None,
        screenshots=evidence.screenshots,
        missing=evidence.missing,
        headroom=complaint(metrics.frames.dropped, metrics.frames.presented, evidence.usage),
    )
    observer.stage("writing the report")
    problems = ["interrupted"] if quick else result.problems
    write_ticks(folder / "ticks.csv", recording.ticks)
    mp4 = folder / "live_spliced.mp4"
    video = mp4 if remux_to_mp4(recording.stream, mp4) else None
    outcome = {"passed": not problems, "problems": problems}
    headroom = {"headroom": result.headroom, "usage": str(evidence.usage or "")}
    write_metrics(folder / "metrics.json", metrics, checks, verdicts, outcome | headroom)
    broken = "interrupted" if quick else str(result.failure or "")
    write_report(folder, recording, metrics, checks, verdicts, broken, video, pictures=not quick)
    if not problems:
        recording.digests.path.unlink(missing_ok=True)  # evidence only where something failed
    return result
