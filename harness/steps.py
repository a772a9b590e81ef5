"""Plays a scenario's steps on a page as a person at the screen would.

The mouse travels, keys and wheel notches come one by one, and nothing is random: the
same scenario asks for the same events at the same times. Every wait goes through
`page.wait_for_timeout`, so that Playwright's events (video state, a crash) are
dispatched meanwhile, and ends early when Chrome has died.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Frame, Locator, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from harness.errors import BrowserError, HarnessError, StepError
from harness.scenario import (
    BaseStep,
    Click,
    DoubleClick,
    Hover,
    Mark,
    Move,
    Open,
    Press,
    Screenshot,
    Scroll,
    Type,
    Wait,
    WaitFor,
    WaitForVideo,
    display_path,
)
from harness.scenario.durations import format_duration

SLICE = 0.1  # seconds between two looks at whether Chrome lives
POLL = 0.05  # seconds between two looks at a video
MOUSE_EVERY = 0.016  # seconds between two moves on the mouse's way
MOUSE_SHORTEST, MOUSE_LONGEST = 0.15, 0.4  # seconds of one way
MOUSE_SPEED = 2500.0  # pixels a second, in between
NOTCH = 100  # pixels of one wheel notch

# What Playwright's log of a failed wait says, and what that means to a person.
_REASONS = (
    ("intercepts pointer events", "another element covers it"),
    ("element is not enabled", "the element is disabled"),
    ("element is not stable", "the element does not stop moving"),
    ("element is outside of the viewport", "the element is outside of the view"),
    ("element is not visible", "the element is hidden"),
)

_VIDEO_STATES = {
    "playing": "v => !v.paused && !v.ended && !v.seeking && v.readyState >= 3 && v.currentTime > 0",
    "paused": "v => v.paused && !v.ended",
    "ended": "v => v.ended",
}


@dataclass
class StepRunner:
    """Runs steps on `page`, one after the other, in the thread that owns Playwright.

    `path` is the scenario's file, for messages; `base_url` what its site's paths are
    joined to; `timeout` (seconds) holds for steps without one of their own. `dead`
    returns why Chrome cannot go on, or None. `on_mark` gets a name and CLOCK_MONOTONIC
    nanoseconds, `on_screenshot` a name and a PNG. `mouse_speed` is in pixels a second.
    """

    page: Page
    path: Path
    base_url: str = ""
    timeout: float = 10.0
    dead: Callable[[], str | None] = lambda: None
    on_mark: Callable[[str, int], None] = lambda _name, _time: None
    on_screenshot: Callable[[str, bytes], None] = lambda _name, _png: None
    mouse_speed: float = MOUSE_SPEED
    _mouse: tuple[float, float] = field(default=(0.0, 0.0), init=False)

    def run(self, step: BaseStep, phase: str) -> None:
        """Plays one step.

        Raises StepError, which names phase, line and step, when it fails; BrowserError
        when Chrome died.
        """
        timeout = step.timeout if step.timeout is not None else self.timeout
        try:
            self._check_alive()
            self._play(step, time.monotonic() + timeout)
        except _Failure as failure:
            raise self._error(step, phase, str(failure), failure.remedy) from failure
        except PlaywrightError as error:
            self._check_alive()
            reason, remedy = _explained(error, timeout)
            raise self._error(step, phase, reason, remedy) from error

    def open(self, address: str, timeout: float | None = None) -> None:
        """Goes to an address outside of any phase. Raises StepError or BrowserError."""
        self.run(Open(url=address, timeout=timeout), "before the first")

    def wait_until_visible(self, selector: str) -> None:
        """Waits outside of any phase, as for a scenario's `ready`. Raises the same."""
        self.run(WaitFor(selector=selector), "before the first")

    def sleep(self, seconds: float) -> None:
        """Lets time pass while events are dispatched. Raises BrowserError if Chrome dies."""
        until = time.monotonic() + seconds
        while True:
            self._check_alive()
            left = until - time.monotonic()
            if left <= 0:
                return
            try:
                self.page.wait_for_timeout(min(left, SLICE) * 1000)
            except PlaywrightError as error:
                self._check_alive()
                raise BrowserError(
                    f"the page went away: {_first_line(error)}", "read the browser's log"
                ) from error

    def _play(self, step: BaseStep, until: float) -> None:
        match step:
            case Open():
                self._open(step, until)
            case Click():
                self._point_at(step.selector, until).click(timeout=_left(until))
            case DoubleClick():
                self._point_at(step.selector, until).dblclick(timeout=_left(until))
            case Hover():
                self._point_at(step.selector, until).hover(timeout=_left(until))
            case Move(selector=str(selector)):
                self._point_at(selector, until)
            case Move(x=int(x), y=int(y)):
                self._move_to(x, y)
            case Press():
                self._repeat([step.key] * step.times, step.every, self.page.keyboard.press)
            case Type():
                self._repeat(list(step.text), step.every, self.page.keyboard.type)
            case Scroll():
                self._scroll(step)
            case Wait():
                self.sleep(step.seconds)
            case WaitFor():
                locator = self._locator(step.selector)
                if step.state in ("visible", "attached"):
                    locator = locator.first  # one is enough; for the others, all must go
                locator.wait_for(state=step.state, timeout=_left(until))
            case WaitForVideo():
                self._wait_for_video(step, until)
            case Mark():
                self.on_mark(step.name, time.monotonic_ns())
            case Screenshot():
                png = self.page.screenshot(timeout=_left(until))
                self.on_screenshot(step.name, png)
            case _:
                raise _Failure(f"no one knows how to play '{step.kind}'", "")

    def _open(self, step: Open, until: float) -> None:
        address = urljoin(self.base_url, step.url)
        response = self.page.goto(address, timeout=_left(until), wait_until="load")
        if response is not None and response.status >= 400:
            raise _Failure(
                f"{address} answered {response.status} {response.status_text}",
                "correct the address; it is a path on the scenario's site",
            )

    def _locator(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def _point_at(self, selector: str, until: float) -> Locator:
        """Takes the mouse to the middle of the one visible element that matches."""
        locator = self._locator(selector)
        locator.wait_for(state="visible", timeout=_left(until))
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

    def _move_to(self, x: float, y: float) -> None:
        """Along a straight line, slow at both ends (a minimum-jerk curve)."""
        from_x, from_y = self._mouse
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

    def _repeat(self, keys: list[str], every: float, act: Callable[[str], None]) -> None:
        """Each key at its own time from the start, so that delays do not add up."""
        start = time.monotonic()
        for index, key in enumerate(keys):
            self.sleep(start + index * every - time.monotonic())
            act(key)

    def _scroll(self, step: Scroll) -> None:
        """Whole notches and a rest, spread evenly; the last one comes before the end."""
        notches = [math.copysign(NOTCH, step.by)] * (abs(step.by) // NOTCH)
        if rest := math.fmod(step.by, NOTCH):
            notches.append(rest)
        start = time.monotonic()
        for index, notch in enumerate(notches):
            self.sleep(start + index * step.over / len(notches) - time.monotonic())
            self.page.mouse.wheel(0, notch)
        self.sleep(start + step.over - time.monotonic())

    def _wait_for_video(self, step: WaitForVideo, until: float) -> None:
        """In any frame of the page: players often sit in one."""
        predicate = _VIDEO_STATES[step.state]
        found = 0
        while time.monotonic() < until:
            found = 0
            for frame in self.page.frames:
                count, holds = _ask_videos(frame, step.selector, predicate)
                found += count
                if holds:
                    return
            self.sleep(POLL)
        limit = format_duration(step.timeout if step.timeout is not None else self.timeout)
        if found == 0:
            raise _Failure(f"no video matched '{step.selector}' within {limit}", _CHECK_SELECTOR)
        wanted = {"playing": "did not play", "paused": "was not paused", "ended": "did not end"}
        raise _Failure(
            f"the video {wanted[step.state]} within {limit}",
            "look at the page's console: a clip that does not load never plays",
        )

    def _check_alive(self) -> None:
        if reason := self.dead():
            raise BrowserError(reason, "read the browser's log, beside the recording")

    def _error(self, step: BaseStep, phase: str, reason: str, remedy: str) -> HarnessError:
        where = display_path(self.path) + (f":{step.line}" if step.line else "")
        return StepError(f"phase '{phase}', {where}: {step.subject} failed: {reason}", remedy)


class _Failure(Exception):
    """Why a step failed; run() adds where."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


_CHECK_SELECTOR = "check the selector against the page, or wait for what shows it"


def _left(until: float) -> float:
    """Milliseconds for Playwright, where 0 would mean for ever."""
    return max(1.0, (until - time.monotonic()) * 1000)


def _ask_videos(frame: Frame, selector: str, predicate: str) -> tuple[int, bool]:
    """How many elements match in the frame, and whether the predicate holds for one."""
    try:
        answers = frame.locator(selector).evaluate_all(f"all => all.map({predicate})")
    except PlaywrightTimeout:
        raise
    except PlaywrightError as error:
        # A frame may go away between two looks; a wrong selector is wrong everywhere.
        if "selector" in error.message.lower():
            raise
        return 0, False
    return len(answers), any(answers)


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
            "make the selector more exact, or pick one by adding ' >> nth=0'",
        )
    if isinstance(error, PlaywrightTimeout):
        within = f"within {format_duration(timeout)}"
        if "navigating to" in text or "Page.goto" in first:
            return f"the page did not load {within}", "check the address, or raise the timeout"
        for said, meaning in _REASONS:
            if said in text:
                return f"{meaning} {within}", "wait for what is in the way, or raise the timeout"
        if "to be visible" in text and "locator resolved to hidden" in text:
            return f"the element stayed hidden {within}", _CHECK_SELECTOR
        if "to be hidden" in text or "to be detached" in text:
            return f"the element was still there {within}", _CHECK_SELECTOR
        return f"no element matched {within}", _CHECK_SELECTOR
    for name in ("Unexpected token", "Unknown engine", "is not a valid", "parsing css selector"):
        if name in text:
            return f"not a selector: {first}", "write it as Playwright's selectors"
    if "net::ERR_" in text:
        code = text[text.index("net::ERR_") :].split()[0]
        return f"the page did not load ({code})", "check the address and that its server runs"
    return first, "look at the page's picture and the browser's log"
