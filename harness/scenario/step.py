"""The steps of a phase: what a person at the screen does, one model a step.

Each step is written as one key. Where a plain value follows (`click: "text=Play"`)
it is the field that `primary` names; a mapping gives the fields by name.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator
from typing_extensions import Self

from .address import check_address
from .durations import PositiveSeconds, Seconds, format_duration
from .fields import Frozen, Name, Text, whole
from .keys import check_key

Pixels = Annotated[int, BeforeValidator(whole(0, 8192))]


class BaseStep(Frozen):
    """`line` is where the step stands in its file (0: built in Python).

    `timeout` (seconds) overrides the scenario's.
    """

    primary: ClassVar[str]
    kind: str
    line: int = 0
    timeout: PositiveSeconds | None = None

    @property
    def subject(self) -> str:
        """The step as a failure names it: `click 'text=Play'`."""
        return f"{self.kind} '{getattr(self, self.primary)}'"

    @property
    def fixed_seconds(self) -> float:
        """Time the step takes by its own words, without the machine's."""
        return 0.0


class Open(BaseStep):
    primary: ClassVar[str] = "url"
    kind: Literal["open"] = "open"
    url: Text

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        return check_address(url)


class Click(BaseStep):
    primary: ClassVar[str] = "selector"
    kind: Literal["click"] = "click"
    selector: Text


class DoubleClick(BaseStep):
    primary: ClassVar[str] = "selector"
    kind: Literal["double_click"] = "double_click"
    selector: Text


class Hover(BaseStep):
    primary: ClassVar[str] = "selector"
    kind: Literal["hover"] = "hover"
    selector: Text


class Move(BaseStep):
    """To an element, or to a point in the view (pixels from its top left)."""

    primary: ClassVar[str] = "selector"
    kind: Literal["move"] = "move"
    selector: Text | None = None
    x: Pixels | None = None
    y: Pixels | None = None

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        point = (self.x is not None, self.y is not None)
        if any(point) and (not all(point) or self.selector is not None):
            raise ValueError("a move goes to a selector, or to both x and y")
        if not any(point) and self.selector is None:
            raise ValueError("a move needs a selector, or x and y")
        return self

    @property
    def subject(self) -> str:
        return f"move '{self.selector}'" if self.selector else f"move ({self.x}, {self.y})"


class Press(BaseStep):
    """A key or a chord, `times` times, `every` seconds from one to the next."""

    primary: ClassVar[str] = "key"
    kind: Literal["press"] = "press"
    key: Text
    times: Annotated[int, BeforeValidator(whole(1, 1000))] = 1
    every: Seconds = 0.3

    @field_validator("key")
    @classmethod
    def _known(cls, key: str) -> str:
        return check_key(key)

    @property
    def fixed_seconds(self) -> float:
        return (self.times - 1) * self.every


class Type(BaseStep):
    """Text into whatever has the focus, `every` seconds from one key to the next."""

    primary: ClassVar[str] = "text"
    kind: Literal["type"] = "type"
    text: Annotated[str, Field(min_length=1)]
    every: Seconds = 0.12

    @property
    def fixed_seconds(self) -> float:
        return (len(self.text) - 1) * self.every


class Scroll(BaseStep):
    """The wheel by `by` pixels (positive is down) within `over` seconds."""

    primary: ClassVar[str] = "by"
    kind: Literal["scroll"] = "scroll"
    by: Annotated[int, BeforeValidator(whole(-100_000, 100_000))]
    over: Seconds = 0.5

    @property
    def fixed_seconds(self) -> float:
        return self.over


class Wait(BaseStep):
    primary: ClassVar[str] = "seconds"
    kind: Literal["wait"] = "wait"
    seconds: Seconds

    @property
    def subject(self) -> str:
        return f"wait {format_duration(self.seconds)}"

    @property
    def fixed_seconds(self) -> float:
        return self.seconds


class WaitFor(BaseStep):
    primary: ClassVar[str] = "selector"
    kind: Literal["wait_for"] = "wait_for"
    selector: Text
    state: Literal["visible", "attached", "hidden", "detached"] = "visible"


class WaitForVideo(BaseStep):
    primary: ClassVar[str] = "state"
    kind: Literal["wait_for_video"] = "wait_for_video"
    state: Literal["playing", "paused", "ended"] = "playing"
    selector: Text = "video"


class Mark(BaseStep):
    primary: ClassVar[str] = "name"
    kind: Literal["mark"] = "mark"
    name: Name


class Screenshot(BaseStep):
    primary: ClassVar[str] = "name"
    kind: Literal["screenshot"] = "screenshot"
    name: Name


Step = Annotated[
    Open
    | Click
    | DoubleClick
    | Hover
    | Move
    | Press
    | Type
    | Scroll
    | Wait
    | WaitFor
    | WaitForVideo
    | Mark
    | Screenshot,
    Field(discriminator="kind"),
]

STEP_TYPES: dict[str, type[BaseStep]] = {
    "open": Open,
    "click": Click,
    "double_click": DoubleClick,
    "hover": Hover,
    "move": Move,
    "press": Press,
    "type": Type,
    "scroll": Scroll,
    "wait": Wait,
    "wait_for": WaitFor,
    "wait_for_video": WaitForVideo,
    "mark": Mark,
    "screenshot": Screenshot,
}
