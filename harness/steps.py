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
    display_path,
)
from .scenario.durations import format_duration
from .scenario.step import LOCATOR_KEYS
from .step_functions import StepContext

SLICE = 0.1  # seconds between two looks at whether Chrome lives
POLL = 0.05  # seconds between two looks at a video
MOUSE_EVERY = 0.016  # seconds between two moves on the mouse's way
MOUSE_SHORTEST, MOUSE_LONGEST = 0.15, 0.4  # seconds of one way
MOUSE_SPEED = 2500.0  # pixels a second, in between
NOTCH = 100  # pixels of one wheel notch

_NO_MATCH = "no element matched"
_WAIT = "wait for what is in the way, or raise the timeout"
# What Playwright's log of a failed wait says, what that means to a person, and what to do.
_REASONS = (
    ("intercepts pointer events", "another element covers it", _WAIT),
    ("element is not enabled", "the element is disabled", "wait for what enables it"),
    ("element is not stable", "the element does not stop moving", _WAIT),
    (
        "element is outside of the viewport",
        "the element is outside of the view",
        "do first what brings it into view: no scrolling does",
    ),
    ("element is not visible", "the element is hidden", "wait for what shows it"),
)


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
    it. `on_mark` gets a name and CLOCK_MONOTONIC nanoseconds, `on_screenshot` a name and a
    PNG. `around` is entered with every step's subject. `mouse_speed` is in pixels a second.
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
    mouse_speed: float = MOUSE_SPEED
    _mouse: tuple[float, float] = field(default=(0.0, 0.0), init=False)
    _crashed: bool = field(default=False, init=False)
    _found: Locator | None = field(default=None, init=False)  # by this step, under the mouse

    def run(self, step: BaseStep, where: str) -> None:
        """Plays one step; `where` is the phase as a message names it.

        Raises StepError, which names phase, tick, line and step, when it fails; BrowserError
        when Chrome died.
        """
        timeout = step.timeout if step.timeout is not None else self.timeout
        with self.around(step.subject):
            try:
                self._check_alive()
                self._found = None
                self._play(step, time.monotonic() + timeout, where)
            except _Failure as failure:
                raise self._error(step, where, str(failure), failure.remedy) from failure
            except PlaywrightError as error:
                self._check_alive()
                reason, remedy = self._late(error, timeout) or _explained(error, timeout)
                raise self._error(step, where, reason, remedy) from error

    def _late(self, error: PlaywrightError, timeout: float) -> tuple[str, str] | None:
        """Reason and remedy where the mouse was taken to the element, and little time was left
        then: too little for Playwright to have found out anything. None: it did find out."""
        if self._found is None or not isinstance(error, PlaywrightTimeout):
            return None
        reason = _explained(error, timeout)[0]
        if not reason.startswith(_NO_MATCH):
            return None
        within = f"within {format_duration(timeout)}"
        with contextlib.suppress(PlaywrightError):
            if not self._found.is_enabled(timeout=1000):
                return f"the element is disabled {within}", "wait for what enables it"
        return f"the element was there, but the page was not done with it {within}", _WAIT

    def ask(self, expectation: PageExpectation, timeout: float) -> Answer:
        """Waits at most `timeout` seconds for the page to show this. Raises BrowserError when
        Chrome died; a selector that is none is an answer, too."""
        try:
            self._check_alive()
            return ask(self.page, expectation, timeout)
        except PlaywrightError as error:
            self._check_alive()
            return Answer(False, _explained(error, timeout)[0])

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
                    f"the page went away: {_first_line(error)}", "read the browser's log"
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
                self._move_to(x, y)
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
                    raise _Failure(f"within {limit}: {answer.measured}", _LOOK)
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
                raise _Failure(f"no one knows how to play '{step.kind}'", "")

    def _timeout(self, step: BaseStep) -> float:
        return step.timeout if step.timeout is not None else self.timeout

    def _play_repeat(self, step: Repeat, where: str, until: float) -> None:
        """Each turn starts at its own time from the first, so that delays do not add up."""
        start = time.monotonic()
        for turn in range(step.times or 0):
            if step.until is not None and holds(self.page, step.until):
                return
            self.sleep(start + turn * step.every - time.monotonic())
            if step.timeout is not None and time.monotonic() > until:
                limit = format_duration(step.timeout)
                raise _Failure(f"{turn} of {step.times} times took {limit}", "raise its timeout")
            for inner in step.steps:
                self.run(inner, where)
        if step.until is not None and not holds(self.page, step.until):
            raise _Failure(f"after {step.times} times {step.until.spelled} does not hold", _LOOK)

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
            raise _Failure("there is no page to go back to", "open another page before")

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
                raise _Failure(f"{there} still there within {limit}", _CHECK_SELECTOR)
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
            raise _Failure(
                f"{type(error).__name__}: {error} ({place})", f"mend the function '{step.name}'"
            ) from error

    def _open(self, step: Open, until: float) -> None:
        address = urljoin(self.base_url, step.url)
        response = self.page.goto(address, timeout=_left(until), wait_until="load")
        if response is not None and response.status >= 400:
            raise _Failure(
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
                raise _Failure("the element is hidden", "wait for it with wait_for first")
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            if math.dist(self._mouse, (x, y)) >= 1:
                self._move_to(x, y)
        return locator

    def _move_to(self, x: float, y: float, seconds: float | None = None) -> None:
        """Along a straight line, slow at both ends (a minimum-jerk curve)."""
        from_x, from_y = self._mouse
        if seconds is None:
            seconds = math.dist((from_x, from_y), (x, y)) / self.mouse_speed
            seconds = min(max(seconds, MOUSE_SHORTEST), MOUSE_LONGEST)
        count = max(2, round(seconds / MOUSE_EVERY))
        start = time.monotonic()
        for index in range(1, count + 1):
            part = index / count
            eased = part**3 * (10 - 15 * part + 6 * part**2)
            self.page.mouse.move(from_x + (x - from_x) * eased, from_y + (y - from_y) * eased)
            self._mouse = (from_x + (x - from_x) * eased, from_y + (y - from_y) * eased)
            self.sleep(start + part * seconds - time.monotonic())

    def _drag(self, step: Drag, until: float) -> None:
        target = resolve(self.page, step.to) if step.to is not None else None
        if target is not None:  # before the button goes down
            target.wait_for(state="visible", timeout=_left(until))
        self._point_at(step.from_, until)
        x, y = self._mouse[0] + step.right, self._mouse[1] + step.down
        if target is not None:
            box = target.bounding_box(timeout=_left(until))
            if box is None:
                raise _Failure("the element to drag to is hidden", "wait for it with wait_for")
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.down()
        try:
            self._move_to(x, y, step.over)
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
        down, right = _notches(step.by or 0), _notches(step.across or 0)
        count = max(len(down), len(right))
        start = time.monotonic()
        for index in range(count):
            self.sleep(start + index * step.over / count - time.monotonic())
            self.page.mouse.wheel(
                right[index] if index < len(right) else 0, down[index] if index < len(down) else 0
            )
        self.sleep(start + step.over - time.monotonic())

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
            raise _Failure(f"no video matched '{step.selector}' within {limit}", _CHECK_SELECTOR)
        wanted = {
            "playing": "did not play",
            "paused": "was not paused",
            "ended": "did not end",
            "buffering": "did not buffer",
        }[step.state]
        past = f" past {format_duration(step.past)}" if step.past else ""
        raise _Failure(
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


class _Failure(Exception):
    """Why a step failed; run() adds where."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


_NAVIGATIONS = ("Page.goto", "Page.reload", "Page.go_back")
_BEFORE = "before the first phase"
_LOOK = "look at the page's picture at the failure, among the screenshots"
_CHECK_SELECTOR = "check the selector against the page, or wait for what shows it"


def _left(until: float) -> float:
    """Milliseconds for Playwright, where 0 would mean for ever."""
    return max(1.0, (until - time.monotonic()) * 1000)


def _notches(pixels: int) -> list[float]:
    """The wheel's turns for a way: whole notches and a rest."""
    notches = [math.copysign(NOTCH, pixels)] * (abs(pixels) // NOTCH)
    rest = math.fmod(pixels, NOTCH)
    return [*notches, rest] if rest else notches


def _first_line(error: PlaywrightError) -> str:
    return error.message.strip().split("\n")[0]


def _explained(error: PlaywrightError, timeout: float) -> tuple[str, str]:
    """Playwright's message as a reason and a remedy."""
    text = error.message
    first = _first_line(error)
    if "strict mode violation" in text:
        count = next((word for word in first.split() if word.isdigit()), "several")
        return (
            f"{count} elements matched",
            "say more exactly which, or pick one: ' >> nth=0' at a selector's end, 'nth: 0' "
            "beside any other way",
        )
    if isinstance(error, PlaywrightTimeout):
        within = f"within {format_duration(timeout)}"
        if "navigating to" in text or first.startswith(_NAVIGATIONS):
            return f"the page did not load {within}", "check the address, or raise the timeout"
        for said, meaning, remedy in _REASONS:
            if said in text:
                return f"{meaning} {within}", remedy
        if "to be visible" in text and "locator resolved to hidden" in text:
            return f"the element stayed hidden {within}", _CHECK_SELECTOR
        return f"{_NO_MATCH} {within}", _CHECK_SELECTOR
    for name in ("Unexpected token", "Unknown engine", "is not a valid", "parsing css selector"):
        if name in text:
            return f"not a selector: {first}", "write it as Playwright's selectors"
    if "net::ERR_" in text:
        code = text[text.index("net::ERR_") :].split()[0]
        return f"the page did not load ({code})", "check the address and that its server runs"
    return first, "look at the page's picture and the browser's log"
