"""What `if` and `until` ask of the page."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from .fields import Frozen
from .locator import Locator

VideoState = Literal["playing", "paused", "ended", "buffering"]


class Condition(Frozen):
    """One question to the page as it is now; no waiting. A text is a selector: is it visible?

    `video` is the state of any video. `value` and `is` compare texts, as of variables.
    """

    visible: Locator | None = None
    hidden: Locator | None = None
    video: VideoState | None = None
    value: str | None = None
    is_: str | None = Field(default=None, alias="is")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"visible": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [
            name
            for name in ("visible", "hidden", "video", "value")
            if getattr(self, name) is not None
        ]
        if len(given) != 1:
            raise ValueError(
                "a condition has one of visible, hidden, video, or value and is"
                + (f", not '{given[0]}' and '{given[1]}'" if given else "")
            )
        if (self.value is None) != (self.is_ is None):
            raise ValueError("a condition's 'value' and 'is' go together")
        return self

    @property
    def spelled(self) -> str:
        if self.visible:
            return f"{self.visible.spelled} is visible"
        if self.hidden:
            return f"{self.hidden.spelled} is hidden"
        if self.video:
            return f"a video is {self.video}"
        return f"'{self.value}' is '{self.is_}'"
