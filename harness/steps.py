"""Plays a scenario's steps on a page as a person at the screen would.

The mouse travels, keys and wheel notches come one by one, and nothing is random: the
same scenario asks for the same events at the same times. Every wait goes through
`page.wait_for_timeout`, so that Playwright's events (video state, a crash) are
dispatched meanwhile, and ends early when Chrome has died.
"""

from __future__ import annotations

import contextlib
import math
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from . import step_functions
from .browser import CRASHED
from .errors import BrowserError, HarnessError, StepError
from .locators import Answer, ask, holds, resolve, videos
from .mouse import Mouse
from .scenario import (
    Back,
    BaseStep,
    Call,
    Click,
    Crash,
    DoubleClick,
    Drag,
    Expect,
    Hover,
    If,
    LocatorFields,
    Mark,
    Move,
    Network,
    Open,
    PageExpectation,
    Press,
    Reload,
    Repeat,
    Resize,
    Screenshot,
    Scroll,
    SetNetwork,
    Type,
    Wait,
    WaitFor,
    WaitForVideo,
    WaitUntil,
    display_path,
)
from .scenario.durations import format_duration
from .scenario.step import LOCATOR_KEYS, WaitingStep
from .step_failure import (
    CHECK_SELECTOR,
    LOOK,
    NO_MATCH,
    WAIT,
    StepFailure,
    by_its_text,
    explained,
    first_line,
)
from .step_functions import StepContext

SLICE = 0.1  # seconds between two looks at whether Chrome lives
POLL = 0.05  # seconds between two looks at a video
_BEFORE = "before the first phase"


class Window:
    """What steps do to the window beyond its page. This one can nothing; a session's can."""

    def resize(self, width: int, height: int) -> None:
        """Gives the page that many device pixels."""
        raise _unable(f"be resized to {width}x{height}")

    def crash(self) -> None:
        """Ends the page's process."""
        raise _unable("crash its page")

    def recover(self) -> Page:
        """Brings a crashed page back; gives the page to go on with."""
        raise _unable("recover its page")

    def shape_network(self, network: Network) -> None:
        """Gives the page these network conditions."""
        raise _unable(f"have the network '{network}'")


def _unable(what: str) -> HarnessError:
    return HarnessError(f"this window cannot {what}", "play the scenario in a session")


@dataclass
class StepRunner:
    """Runs steps on `page`, one after the other, in the thread that owns Playwright.

    `path` is the scenario's file, for messages; `base_url` what its site's paths are
    joined to; `timeout` (seconds) holds for steps without one of their own. `dead`
    returns why Chrome cannot go on, or None; `tick` the recording's tick, or None outside of
    it. `phase_began` is when the phase that plays began (time.monotonic()). `on_mark` gets a
    name and CLOCK_MONOTONIC nanoseconds, `on_screenshot` a name and a PNG. `around` is entered
    with every step's subject.
    """

    page: Page
    path: Path
    base_url: str = ""
    timeout: float = 10.0
    dead: Callable[[], str | None] = lambda: None
    tick: Callable[[], int | None] = lambda: None
    on_mark: Callable[[str, int], None] = lambda _name, _time: None
    on_screenshot: Callable[[str, bytes], None] = lambda _name, _png: None
    around: Callable[[str], AbstractContextManager[None]] = lambda _subject: (
        contextlib.nullcontext()
    )
    window: Window = field(default_factory=Window)
    variables: dict[str, str] = field(default_factory=dict)
    phase_began: float = field(default_factory=time.monotonic)
    mouse: Mouse = field(init=False)
    _crashed: bool = field(default=False, init=False)
    _found: Locator | None = field(default=None, init=False)  # by this step, under the mouse

    def __post_init__(self) -> None:
        self.mouse = Mouse(self.sleep)

    def run(self, step: BaseStep, where: str) -> None:
        """Plays one step; `where` is the phase as a message names it.

        Raises StepError, which names phase, tick, line and step, when it fails; BrowserError
        when Chrome died.
        """
        timeout = self._timeout(step)
        with self.around(step.subject):
            try:
                self._check_alive()
                self._found = None
                self._play(step, time.monotonic() + timeout, where)
            except StepFailure as failure:
                raise self._error(step, where, str(failure), failure.remedy) from failure
            except PlaywrightError as error:
                self._check_alive()
                reason, remedy = self._late(error, timeout) or explained(error, timeout)
                if reason.startswith(NO_MATCH):
                    remedy = by_its_text(getattr(step, "selector", None)) or remedy
                raise self._error(step, where, reason, remedy) from error

    def _late(self, error: PlaywrightError, timeout: float) -> tuple[str, str] | None:
        """Reason and remedy where the mouse was taken to the element, and little time was left
        then: too little for Playwright to have found out anything. None: it did find out."""
        if self._found is None or not isinstance(error, PlaywrightTimeout):
            return None
        reason = explained(error, timeout)[0]
        if not reason.startswith(NO_MATCH):
            return None
        within = f"within {format_duration(timeout)}"
        with contextlib.suppress(PlaywrightError):
            if not self._found.is_enabled(timeout=1000):
                return f"the element is disabled {within}", "wait for what enables it"
        return f"the element was there, but the page was not done with it {within}", WAIT

    def ask(self, expectation: PageExpectation, timeout: float) -> Answer:
        """Waits at most `timeout` seconds for the page to show this. Raises BrowserError when
        Chrome died; a selector that is none is an answer, too."""
        try:
            self._check_alive()
            return ask(self.page, expectation, timeout)
        except PlaywrightError as error:
            self._check_alive()
            return Answer(False, explained(error, timeout)[0])

    def open(self, address: str, timeout: float | None = None) -> None:
        """Goes to an address outside of any phase. Raises StepError or BrowserError."""
        self.run(Open(url=address, timeout=timeout), _BEFORE)

    def wait_until_visible(self, element: str | LocatorFields) -> None:
        """Waits outside of any phase, as for a scenario's `ready`. Raises the same."""
        if isinstance(element, str):
            element = LocatorFields(selector=element)
        ways = element.model_dump(include=set(LOCATOR_KEYS), exclude_defaults=True)
        self.run(WaitFor(**ways), _BEFORE)

    def sleep(self, seconds: float) -> None:
        """Lets time pass while events are dispatched. Raises BrowserError if Chrome dies."""
        until = time.monotonic() + seconds
        while True:
            self._check_alive()
            left = until - time.monotonic()
            if left <= 0:
                return
            if self._crashed:
                time.sleep(min(left, SLICE))  # Playwright waits on no page that has crashed
                continue
            try:
                self.page.wait_for_timeout(min(left, SLICE) * 1000)
            except PlaywrightError as error:
                self._check_alive()
                raise BrowserError(
                    f"the page went away: {first_line(error)}", "read the browser's log"
                ) from error

    def _play(self, step: BaseStep, until: float, where: str) -> None:
        match step:
            case Open():
                self._open(step, until)
            case Reload():
                self._reload(until)
                self._wait_until_visible(step.ready, until)
            case Back():
                self._back(until)
                self._wait_until_visible(step.ready, until)
            case Click():
                self._point_at(step, until).click(button=step.button, timeout=_left(until))
            case DoubleClick():
                self._point_at(step, until).dblclick(timeout=_left(until))
            case Hover():
                self._point_at(step, until).hover(timeout=_left(until))
            case Move(x=int(x), y=int(y)):
                self.mouse.move(self.page, x, y)
            case Move():
                self._point_at(step, until)
            case Drag():
                self._drag(step, until)
            case Press():
                if step.at is not None:
                    resolve(self.page, step.at).focus(timeout=_left(until))
                self._repeat([step.key] * step.times, step.every, self.page.keyboard.press)
            case Type():
                if step.into is not None:
                    self._point_at(step.into, until).click(timeout=_left(until))
                self._repeat(list(step.text), step.every, self.page.keyboard.type)
            case Scroll():
                self._scroll(step, until)
            case Wait():
                self.sleep(step.seconds)
            case WaitUntil():
                self.sleep(self.phase_began + step.seconds - time.monotonic())
            case WaitFor(state="visible" | "attached"):
                resolve(self.page, step).first.wait_for(state=step.state, timeout=_left(until))
            case WaitFor():
                self._wait_until_gone(step, until)
            case WaitForVideo():
                self._wait_for_video(step, until)
            case Expect():
                answer = ask(self.page, step, _left(until) / 1000)
                if not answer.holds:
                    limit = format_duration(self._timeout(step))
                    raise StepFailure(f"within {limit}: {answer.measured}", LOOK)
            case Mark():
                self.on_mark(step.name, time.monotonic_ns())
            case Screenshot():
                self._screenshot(step, until)
            case Resize():
                self.window.resize(step.to.width, step.to.height)
            case SetNetwork():
                self.window.shape_network(step.to)
            case Crash():
                self.window.crash()
                self._crashed = True
            case Call():
                self._call(step, until)
            case Repeat():
                self._play_repeat(step, where, until)
            case If():
                for inner in step.then if holds(self.page, step.condition) else step.otherwise:
                    self.run(inner, where)
            case _:
                raise StepFailure(f"no one knows how to play '{step.kind}'", "")

    def _timeout(self, step: BaseStep) -> float:
        own = step.timeout if isinstance(step, WaitingStep) else None
        return self.timeout if own is None else own

    def _play_repeat(self, step: Repeat, where: str, until: float) -> None:
        """Each turn starts at its own time from the first, so that delays do not add up."""
        start = time.monotonic()
        for turn in range(step.times or 0):
            if step.until is not None and holds(self.page, step.until):
                return
            self.sleep(start + turn * step.every - time.monotonic())
            if step.timeout is not None and time.monotonic() > until:
                limit = format_duration(step.timeout)
                raise StepFailure(f"{turn} of {step.times} times took {limit}", "raise its timeout")
            for inner in step.steps:
                self.run(inner, where)
        if step.until is not None and not holds(self.page, step.until):
            raise StepFailure(f"after {step.times} times {step.until.spelled} does not hold", LOOK)

    def _reload(self, until: float) -> None:
        if self._crashed:
            self.page = self.window.recover()
            self._crashed = False
        else:
            self.page.reload(timeout=_left(until), wait_until="load")

    def _back(self, until: float) -> None:
        before = self.page.url
        answer = self.page.go_back(timeout=_left(until), wait_until="load")
        # There is no answer either where the page itself wrote the history.
        if answer is None and self.page.url == before:
            raise StepFailure("there is no page to go back to", "open another page before")

    def _wait_until_gone(self, step: WaitFor, until: float) -> None:
        """Until every match is hidden, or detached."""
        locator = resolve(self.page, step)
        while True:
            left = [one for one in locator.all() if step.state == "detached" or one.is_visible()]
            if not left:
                return
            if time.monotonic() >= until:
                limit = format_duration(self._timeout(step))
                there = "the element was" if len(left) == 1 else f"{len(left)} elements were"
                raise StepFailure(f"{there} still there within {limit}", CHECK_SELECTOR)
            self.sleep(POLL)

    def _wait_until_visible(self, element: LocatorFields, until: float) -> None:
        resolve(self.page, element).first.wait_for(state="visible", timeout=_left(until))

    def _screenshot(self, step: Screenshot, until: float) -> None:
        if step.of is None:
            png = self.page.screenshot(timeout=_left(until))
        else:
            png = resolve(self.page, step.of).screenshot(timeout=_left(until))
        self.on_screenshot(step.name, png)

    def _call(self, step: Call, until: float) -> None:
        context = StepContext(
            page=self.page,
            base_url=self.base_url,
            timeout=_left(until) / 1000,
            sleep=self.sleep,
            mark=lambda name: self.on_mark(name, time.monotonic_ns()),
            variables=dict(self.variables),
        )
        try:
            step_functions.function(step.name)(context, **dict(step.arguments))
        except (PlaywrightError, HarnessError):
            raise
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{display_path(Path(last.filename))}:{last.lineno}"
            raise StepFailure(
                f"{type(error).__name__}: {error} ({place})", f"mend the function '{step.name}'"
            ) from error

    def _open(self, step: Open, until: float) -> None:
        address = urljoin(self.base_url, step.url)
        response = self.page.goto(address, timeout=_left(until), wait_until="load")
        if response is not None and response.status >= 400:
            raise StepFailure(
                f"{address} answered {response.status} {response.status_text}",
                "correct the address; it is a path on the scenario's site",
            )

    def _point_at(self, element: LocatorFields, until: float) -> Locator:
        """Takes the mouse to the middle of the one visible element that matches."""
        locator = resolve(self.page, element)
        locator.wait_for(state="visible", timeout=_left(until))
        self._found = locator
        locator.scroll_into_view_if_needed(timeout=_left(until))
        # A way takes time and the element may move meanwhile: then one more, shorter way.
        for _ in range(2):
            box = locator.bounding_box(timeout=_left(until))
            if box is None:
                raise StepFailure("the element is hidden", "wait for it with wait_for first")
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            if math.dist(self.mouse.position, (x, y)) >= 1:
                self.mouse.move(self.page, x, y)
        return locator

    def _drag(self, step: Drag, until: float) -> None:
        target = resolve(self.page, step.to) if step.to is not None else None
        if target is not None:  # before the button goes down
            target.wait_for(state="visible", timeout=_left(until))
        self._point_at(step.from_, until)
        x, y = self.mouse.position[0] + step.right, self.mouse.position[1] + step.down
        if target is not None:
            box = target.bounding_box(timeout=_left(until))
            if box is None:
                raise StepFailure("the element to drag to is hidden", "wait for it with wait_for")
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.down()
        try:
            self.mouse.move(self.page, x, y, step.over)
        finally:
            self.page.mouse.up()

    def _repeat(self, keys: list[str], every: float, act: Callable[[str], None]) -> None:
        """Each key at its own time from the start, so that delays do not add up."""
        start = time.monotonic()
        for index, key in enumerate(keys):
            self.sleep(start + index * every - time.monotonic())
            act(key)

    def _scroll(self, step: Scroll, until: float) -> None:
        if step.keys is not None:
            self._repeat([step.keys] * step.times, step.every, self.page.keyboard.press)
            return
        if step.at is not None:
            self._point_at(step.at, until)
        self.mouse.wheel(self.page, step.by or 0, step.across or 0, step.over)

    def _wait_for_video(self, step: WaitForVideo, until: float) -> None:
        """In any frame of the page: players often sit in one."""
        found = 0
        while time.monotonic() < until:
            found, holding = videos(self.page, step.selector, step.state, step.past)
            if holding:
                return
            self.sleep(POLL)
        limit = format_duration(self._timeout(step))
        if found == 0:
            raise StepFailure(f"no video matched '{step.selector}' within {limit}", CHECK_SELECTOR)
        wanted = {
            "playing": "did not play",
            "paused": "was not paused",
            "ended": "did not end",
            "buffering": "did not buffer",
        }[step.state]
        past = f" past {format_duration(step.past)}" if step.past else ""
        raise StepFailure(
            f"the video {wanted}{past} within {limit}",
            "look at the page's console: a clip that does not load never plays",
        )

    def _check_alive(self) -> None:
        reason = self.dead()
        if reason == CRASHED and self._crashed:
            return  # as the scenario wants it
        if reason:
            raise BrowserError(reason, "read the browser's log, beside the recording")

    def _error(self, step: BaseStep, where: str, reason: str, remedy: str) -> HarnessError:
        path = Path(step.file) if step.file else self.path
        line = display_path(path) + (f":{step.line}" if step.line else "")
        tick = self.tick()
        at = "" if tick is None else f", tick {tick}"
        place = f"{where}{at}, {line}"
        return StepError(f"{place}: {step.subject} failed: {reason}", remedy, place)


def _left(until: float) -> float:
    """Milliseconds for Playwright, where 0 would mean for ever."""
    return max(1.0, (until - time.monotonic()) * 1000)
