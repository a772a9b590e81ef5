"""The errors a user meets.

Every error says what happened and what to do about it. Anything that is the
user's or the machine's to mend is a `HarnessError`; everything else is a bug
and keeps its traceback.
"""

from __future__ import annotations


class HarnessError(Exception):
    """Something a user can mend. `remedy` says how, in one sentence."""

    exit_code = 2

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  what to do: {self.remedy}" if self.remedy else self.message


class ScenarioError(HarnessError):
    """A scenario file that cannot be used; the message carries file:line:column."""


class EnvironmentProblem(HarnessError):
    """This machine lacks something: a browser, a Vulkan driver, a display, memory."""

    exit_code = 3


class BrowserError(EnvironmentProblem):
    """Chrome did not start, died, or does not do what a recording needs."""


class CaptureError(EnvironmentProblem):
    """The layer does not deliver frames (not loaded, no damage, wrong window)."""


class StepError(HarnessError):
    """A step of a scenario failed: a selector never appeared, a page did not load.
    `place` says where alone: phase, tick, file and line."""

    exit_code = 1

    def __init__(self, message: str, remedy: str = "", place: str = "") -> None:
        super().__init__(message, remedy)
        self.place = place


class RecorderError(HarnessError):
    """The native recorder failed; what was recorded until then is kept."""


class MediaError(HarnessError):
    """A clip is missing or does not decode."""


class TapeError(HarnessError):
    """A tape is missing, damaged, foreign, of another version or of another scenario."""


class BaselineError(HarnessError):
    """A baseline is missing, damaged, or of another environment."""


class BaselineRegression(AssertionError):
    """A scenario whose numbers left their baseline's tolerances; the message is the table."""
