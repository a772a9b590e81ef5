"""What made a scenario fail, sorted the way a reader acts on it: the product, the machine,
or something that was never measured.

Allure's categories are made of the same list, so that a report and its rules cannot differ.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .checks import CheckResult, Status
from .errors import (
    BaselineError,
    BaselineRegression,
    BrowserError,
    CaptureError,
    EnvironmentProblem,
    HarnessError,
    MediaError,
    RecorderError,
    StepError,
    TapeError,
)
from .verdict import Verdict


class Blame(enum.Enum):
    """Who has to look at it."""

    PRODUCT = "product"
    ENVIRONMENT = "environment"
    UNMEASURED = "not run"


class Cause(enum.Enum):
    """What made a scenario fail; the first one that applies is the one it is filed under.

    What broke a recording off stands first: all else follows from it. A stream that is wrong
    is wrong on a busy machine too; shares and bitrates are not, so drops stand between.
    """

    BROWSER = "browser"
    VULKAN = "vulkan"
    CAPTURE = "capture"
    ENVIRONMENT = "environment"
    INPUT = "input"
    RECORDER = "recorder"
    DECODE = "decode"
    STRUCTURE = "structure"
    EXACTNESS = "exactness"
    ACCOUNTS = "accounts"
    STEP = "step"
    DROPPED = "dropped frames"
    PAGE = "page"
    SHARES = "shares"
    BITRATE = "bitrate"
    QUALITY = "quality"
    TIMES = "times"
    EXPECTATION = "expectation"
    BASELINE = "baseline"
    NOT_RUN = "not run"

    @property
    def blame(self) -> Blame:
        """Who has to look at it."""
        return _CATEGORIES[self][0]

    @property
    def category(self) -> str:
        """The title of its category in a report."""
        return _CATEGORIES[self][1]


_CATEGORIES = {
    Cause.BROWSER: (Blame.ENVIRONMENT, "Environment: no browser, or it died"),
    Cause.VULKAN: (Blame.ENVIRONMENT, "Environment: no Vulkan"),
    Cause.CAPTURE: (Blame.ENVIRONMENT, "Environment: the layer delivers no frames"),
    Cause.ENVIRONMENT: (Blame.ENVIRONMENT, "Environment: the machine lacks something"),
    Cause.INPUT: (Blame.ENVIRONMENT, "Environment: a clip, tape or baseline cannot be used"),
    Cause.RECORDER: (Blame.PRODUCT, "Product: the recorder failed"),
    Cause.EXACTNESS: (Blame.PRODUCT, "Product: decoded pictures are not exact"),
    Cause.DECODE: (Blame.PRODUCT, "Product: the stream does not decode"),
    Cause.STRUCTURE: (Blame.PRODUCT, "Product: the stream's structure"),
    Cause.ACCOUNTS: (Blame.PRODUCT, "Product: accounts do not add up"),
    Cause.STEP: (Blame.PRODUCT, "Product: a step could not be done"),
    Cause.DROPPED: (Blame.ENVIRONMENT, "Environment: frames dropped, a busy machine"),
    Cause.PAGE: (Blame.PRODUCT, "Product: the page shows something else"),
    Cause.SHARES: (Blame.PRODUCT, "Product: class shares"),
    Cause.BITRATE: (Blame.PRODUCT, "Product: bitrate and bytes"),
    Cause.QUALITY: (Blame.PRODUCT, "Product: picture quality"),
    Cause.TIMES: (Blame.PRODUCT, "Product: times"),
    Cause.EXPECTATION: (Blame.PRODUCT, "Product: another expectation"),
    Cause.BASELINE: (Blame.PRODUCT, "Product: worse than the baseline"),
    Cause.NOT_RUN: (Blame.UNMEASURED, "Not run: an expectation or check was not evaluated"),
}
_ORDER = list(Cause)

# By the beginning of a check's or an expectation's name.
_BY_NAME = (
    ("exact", Cause.EXACTNESS),
    ("decodes", Cause.DECODE),
    ("structure", Cause.STRUCTURE),
    ("stream structure", Cause.STRUCTURE),
    ("profile", Cause.STRUCTURE),
    ("container", Cause.STRUCTURE),
    ("frame accounts", Cause.ACCOUNTS),
    ("tick accounts", Cause.ACCOUNTS),
    ("no frame dropped", Cause.DROPPED),
    ("dropped", Cause.DROPPED),
    ("shares", Cause.SHARES),
    ("bitrate", Cause.BITRATE),
    ("peak_bitrate", Cause.BITRATE),
    ("bytes", Cause.BITRATE),
    ("psnr", Cause.QUALITY),
    ("ssim", Cause.QUALITY),
    ("latency", Cause.TIMES),
    ("encode", Cause.TIMES),
    ("overran", Cause.TIMES),
    ("page", Cause.PAGE),
)


@dataclass(frozen=True)
class Category:
    """A rule of Allure's: tests whose message matches are shown under `name`."""

    name: str
    message_regex: str

    def to_json(self) -> dict[str, Any]:
        """As categories.json has it, for Allure 2 and 3."""
        return {
            "name": self.name,
            "messageRegex": self.message_regex,
            "matchedStatuses": ["failed", "broken"],
        }


def categories() -> list[Category]:
    """A category for each cause. Only the cause that a message names first counts, so that
    each test is in one category whatever the order of the rules."""
    return [
        # No inline flags: JavaScript knows none. The whole text, as Java matches it.
        Category(
            cause.category, rf"[\s\S]*\ncause: {re.escape(cause.value)}(,[^\n]*)?(\n[\s\S]*)?$"
        )
        for cause in Cause
    ]


def cause_line(causes: Sequence[Cause]) -> str:
    """The line of a message that the categories look for; empty without a cause."""
    return f"cause: {', '.join(cause.value for cause in causes)}" if causes else ""


def causes_of(
    error: BaseException | None, verdicts: Iterable[Verdict], checks: Iterable[CheckResult]
) -> list[Cause]:
    """All that made a scenario fail, the most telling first; empty where nothing did.

    `error` is what broke it off or was raised in the end. Exceptions that are bugs have no
    cause: they keep their traceback.
    """
    found: set[Cause] = set()
    if isinstance(error, BaselineRegression):
        found.add(Cause.BASELINE)
    elif isinstance(error, HarnessError):
        found.add(_of_error(error))
    judged: list[Verdict | CheckResult] = [*verdicts, *checks]
    for one in judged:
        if one.status is Status.FAILED:
            found.add(_of_name(one.name))
        elif one.status is Status.NOT_RUN:
            found.add(Cause.NOT_RUN)
    return sorted(found, key=_ORDER.index)


def _of_name(name: str) -> Cause:
    for start, cause in _BY_NAME:
        if name.startswith(start):
            return cause
    return Cause.EXPECTATION


def _of_error(error: HarnessError) -> Cause:
    match error:
        case StepError():
            return Cause.STEP
        case RecorderError():
            return Cause.RECORDER
        case BrowserError():
            return Cause.BROWSER
        case CaptureError():
            return Cause.CAPTURE
        case EnvironmentProblem():
            return Cause.VULKAN if "vulkan" in error.message.lower() else Cause.ENVIRONMENT
        case MediaError() | TapeError() | BaselineError():
            return Cause.INPUT
    return Cause.ENVIRONMENT
