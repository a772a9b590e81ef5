"""Why a step failed, and what to do about it, in a person's words."""

from __future__ import annotations

import re

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from .scenario.durations import format_duration

LOOK = "look at the page's picture at the failure, among the screenshots"
CHECK_SELECTOR = "check the selector against the page, or wait for what shows it"
_NAVIGATIONS = ("Page.goto", "Page.reload", "Page.go_back")
NO_MATCH = "no element matched"
WAIT = "wait for what is in the way, or raise the timeout"
# What Playwright's log of a failed wait says, what that means to a person, and what to do.
_REASONS = (
    ("intercepts pointer events", "another element covers it", WAIT),
    ("element is not enabled", "the element is disabled", "wait for what enables it"),
    ("element is not stable", "the element does not stop moving", WAIT),
    (
        "element is outside of the viewport",
        "the element is outside of the view",
        "do first what brings it into view: no scrolling does",
    ),
    ("element is not visible", "the element is hidden", "wait for what shows it"),
)


class StepFailure(Exception):
    """Raised where a step is played; StepRunner.run adds where that was."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


def first_line(error: PlaywrightError) -> str:
    """Playwright's message without its log of what it tried."""
    return error.message.strip().split("\n")[0]


def by_its_text(selector: str | None) -> str | None:
    """What to do where a selector that found nothing is a mere text, such as `Trending now`: to
    Playwright it is CSS, the names of two HTML elements."""
    if selector is None or not re.fullmatch(r"(?=.*[A-Z ])[\w' ]+", selector):
        return None
    return f'a text alone is a CSS selector; an element that says it is "text={selector}"'


def explained(error: PlaywrightError, timeout: float) -> tuple[str, str]:
    """Playwright's message as a reason and a remedy; `timeout` is what the step had, seconds."""
    text = error.message
    first = first_line(error)
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
            return f"the element stayed hidden {within}", CHECK_SELECTOR
        return f"{NO_MATCH} {within}", CHECK_SELECTOR
    for name in ("Unexpected token", "Unknown engine", "is not a valid", "parsing css selector"):
        if name in text:
            return f"not a selector: {first}", "write it as Playwright's selectors"
    if "net::ERR_" in text:
        code = text[text.index("net::ERR_") :].split()[0]
        return f"the page did not load ({code})", "check the address and that its server runs"
    return first, "look at the page's picture and the browser's log"
