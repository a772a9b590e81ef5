"""Elements, conditions and expectations of a scenario, asked of a real page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urljoin

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Frame, FrameLocator, Locator, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect as playwright_expect

from .scenario.address import is_url
from .scenario.condition import Condition
from .scenario.locator import LocatorFields, as_pattern
from .scenario.page_expectation import WORDS, PageExpectation

_VIDEO_STATES = {
    "playing": "!v.paused && !v.ended && !v.seeking && v.readyState >= 3 && v.currentTime > 0",
    "paused": "v.paused && !v.ended",
    "ended": "v.ended",
    "buffering": "!v.paused && !v.ended && v.readyState < 3",
}


def resolve(page: Page, fields: LocatorFields) -> Locator:
    """Playwright's locator of an element that a scenario names."""
    scope: Page | FrameLocator = page.frame_locator(fields.frame) if fields.frame else page
    exact = fields.exact
    if fields.selector is not None:
        found = scope.locator(fields.selector)
    elif fields.role is not None:
        name = as_pattern(fields.name) if fields.name is not None else None
        found = scope.get_by_role(cast(Any, fields.role), name=name, exact=exact)
    elif fields.text is not None:
        found = scope.get_by_text(as_pattern(fields.text), exact=exact)
    elif fields.label is not None:
        found = scope.get_by_label(as_pattern(fields.label), exact=exact)
    elif fields.placeholder is not None:
        found = scope.get_by_placeholder(as_pattern(fields.placeholder), exact=exact)
    elif fields.alt is not None:
        found = scope.get_by_alt_text(as_pattern(fields.alt), exact=exact)
    elif fields.title is not None:
        found = scope.get_by_title(as_pattern(fields.title), exact=exact)
    else:
        assert fields.test_id is not None
        found = scope.get_by_test_id(as_pattern(fields.test_id))
    return found if fields.nth is None else found.nth(fields.nth)


def videos(page: Page, selector: str, state: str, past: float = 0.0) -> tuple[int, bool]:
    """How many videos match in all frames, and whether one is in `state` and has come past
    `past` seconds of its time."""
    found, holds = 0, False
    for frame in page.frames:
        count, one = _ask_videos(frame, selector, state, past)
        found += count
        holds = holds or one
    return found, holds


def _ask_videos(frame: Frame, selector: str, state: str, past: float) -> tuple[int, bool]:
    question = f"(all, past) => all.map(v => v.currentTime >= past && {_VIDEO_STATES[state]})"
    try:
        answers = frame.locator(selector).evaluate_all(question, past)
    except PlaywrightTimeout:
        raise
    except PlaywrightError as error:
        # A frame may go away between two looks; a wrong selector is wrong everywhere.
        if "selector" in error.message.lower():
            raise
        return 0, False
    return len(answers), any(answers)


def holds(page: Page, condition: Condition) -> bool:
    """Whether a condition holds now. Raises PlaywrightError for a selector that is none."""
    if condition.visible is not None:
        return _any_visible(page, condition.visible)
    if condition.hidden is not None:
        return not _any_visible(page, condition.hidden)
    if condition.video is not None:
        return videos(page, "video", condition.video)[1]
    return condition.value == condition.is_


def _any_visible(page: Page, fields: LocatorFields) -> bool:
    return any(one.is_visible() for one in resolve(page, fields).all())


@dataclass(frozen=True)
class Answer:
    """Whether an expectation holds, and what the page shows instead ("" when unknown)."""

    holds: bool
    measured: str


def ask(page: Page, expectation: PageExpectation, timeout: float) -> Answer:
    """Waits at most `timeout` seconds for an expectation to hold.

    Raises PlaywrightError for what is no expectation's fault: a wrong selector, a dead page.
    """
    method, kind = WORDS[expectation.words]
    subject: Any = resolve(page, expectation) if expectation.found else page
    arguments: list[Any] = [expectation.of] if expectation.of is not None else []
    if kind == "number":
        arguments.append(int(expectation.value or "0"))
    elif expectation.words == "have url":
        arguments.append(_address(page, expectation.value or ""))
    elif kind:
        arguments.append(as_pattern(expectation.value or ""))
    asked = getattr(
        playwright_expect(subject), method.replace("to_", "not_to_", 1) if expectation.negated
        else method,
    )  # fmt: skip
    try:
        asked(*arguments, timeout=max(1.0, timeout * 1000))
    except AssertionError as error:
        text = str(error)
        if "strict mode violation" in text or "Unexpected token" in text:
            raise PlaywrightError(_error_line(text)) from error
        return Answer(False, _actual(text))
    return Answer(True, "as expected")


def _address(page: Page, value: str) -> str | re.Pattern[str]:
    """A path is one on the page's own server, whose port is another each time."""
    pattern = as_pattern(value)
    if isinstance(pattern, str) and page.url.startswith("http") and not is_url(pattern):
        return urljoin(page.url, f"/{pattern.lstrip('/')}")
    return pattern


def _actual(text: str) -> str:
    """What Playwright says the page shows."""
    match = re.search(r"^Actual value: ?(.*)$", text, re.M)
    value = match[1].strip() if match else ""
    if value in ("", "None"):
        value = "no such element" if "element(s) not found" in text else value
    return value or "nothing"


def _error_line(text: str) -> str:
    return next((line for line in text.split("\n") if "Error:" in line), text.split("\n")[0])
