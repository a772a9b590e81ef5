"""The steps of a phase: what a person at the screen does, one model a step.

Each step is written as one key. Where a plain value follows (`click: "text=Play"`)
it is the field that `primary` names; a mapping gives the fields by name. Some steps have
further keys beside their own (`companions`): `repeat: 3` and `steps:`, `if: ...` and
`then:` and `else:`, `reload: ...` and `timeout:`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator
from typing_extensions import Self

from .. import step_functions
from .address import check_address
from .condition import Condition, VideoState
from .durations import PositiveSeconds, Seconds, format_duration
from .fields import Frozen, MisplacedValue, Name, Pairs, Text, whole
from .keys import check_key
from .locator import Locator, LocatorFields
from .nearest import unknown
from .network import Network
from .page_expectation import PageExpectation
from .viewport import Viewport

Pixels = Annotated[int, BeforeValidator(whole(0, 8192))]
Distance = Annotated[int, BeforeValidator(whole(-100_000, 100_000))]
Times = Annotated[int, BeforeValidator(whole(1, 1000))]

LOCATOR_KEYS = (*LocatorFields.ways, *LocatorFields.narrowing)


class BaseStep(Frozen):
    """`line` is where the step stands in `file` ("": the scenario's own; 0: built in Python)."""

    primary: ClassVar[str]
    example: ClassVar[str]  # how it is written, for messages
    primary_is_all: ClassVar[bool] = False  # a mapping behind the name is `primary`, not fields
    companions: ClassVar[tuple[str, ...]] = ()
    kind: str
    line: int = 0
    file: str = ""

    @property
    def subject(self) -> str:
        """The step as a failure names it: `click 'text=Play'`."""
        return f"{self.kind} '{getattr(self, self.primary)}'"

    @property
    def fixed_seconds(self) -> float:
        """Time the step takes by its own words, without the machine's."""
        return 0.0

    def inner_by_place(self) -> list[tuple[tuple[str, int], BaseStep]]:
        """The steps that it holds, each with the key and index that lead to it."""
        return []


class WaitingStep(BaseStep):
    """A step that waits for the page. `timeout` (seconds) overrides the scenario's."""

    timeout: PositiveSeconds | None = None

    def _needs_for_timeout(self, given: object, what: str) -> None:
        """Refuses a timeout of a step that waits only for an element which it does not have."""
        if given is None and self.timeout is not None:
            raise MisplacedValue(("timeout",), no_timeout(self.kind, f" without {what}"))


def no_timeout(kind: str, without: str = "") -> str:
    """What is wrong with a timeout that would do nothing."""
    return (
        f"'timeout' has no meaning in the step '{kind}'{without}, which does not wait for the page"
    )


class ElementStep(WaitingStep, LocatorFields):
    """A step that acts on one element."""

    primary: ClassVar[str] = "selector"

    @property
    def subject(self) -> str:
        return f"{self.kind} {self.spelled}"


class Open(WaitingStep):
    """Goes to a page: a path on the scenario's site, or a URL."""

    primary: ClassVar[str] = "url"
    example: ClassVar[str] = "open: index.html"
    kind: Literal["open"] = "open"
    url: Text

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        return check_address(url)


class Reload(WaitingStep):
    """Loads the page again; also one that crashed. `ready` is what must be visible then."""

    primary: ClassVar[str] = "ready"
    primary_is_all: ClassVar[bool] = True
    companions: ClassVar[tuple[str, ...]] = ("timeout",)
    example: ClassVar[str] = 'reload: "text=Home"'
    kind: Literal["reload"] = "reload"
    ready: Locator

    @property
    def subject(self) -> str:
        return "reload"


class Back(WaitingStep):
    """Goes back in the page's history. `ready` is what must be visible then."""

    primary: ClassVar[str] = "ready"
    primary_is_all: ClassVar[bool] = True
    companions: ClassVar[tuple[str, ...]] = ("timeout",)
    example: ClassVar[str] = 'back: "text=Home"'
    kind: Literal["back"] = "back"
    ready: Locator

    @property
    def subject(self) -> str:
        return "back"


class Click(ElementStep):
    """Moves the mouse there as a hand would, then clicks."""

    example: ClassVar[str] = 'click: "text=Play"'
    kind: Literal["click"] = "click"
    button: Literal["left", "right", "middle"] = "left"


class DoubleClick(ElementStep):
    """Moves the mouse there, then clicks twice."""

    example: ClassVar[str] = 'double_click: "text=Play"'
    kind: Literal["double_click"] = "double_click"


class Hover(ElementStep):
    """Moves the mouse there and lets it rest."""

    example: ClassVar[str] = 'hover: "text=Play"'
    kind: Literal["hover"] = "hover"


class Move(ElementStep):
    """Moves the mouse to an element, or to a point in the view (CSS pixels from its top left)."""

    required: ClassVar[bool] = False
    example: ClassVar[str] = "move: {x: 640, y: 360}"
    kind: Literal["move"] = "move"
    x: Pixels | None = None
    y: Pixels | None = None

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        point = (self.x is not None, self.y is not None)
        if any(point) and (not all(point) or self.found):
            raise ValueError("a move goes to a selector, or to both x and y")
        if not any(point) and not self.found:
            raise ValueError("a move needs a selector, or x and y")
        self._needs_for_timeout(True if self.found else None, "an element")
        return self

    @property
    def subject(self) -> str:
        return f"move {self.spelled}" if self.found else f"move ({self.x}, {self.y})"


class Drag(WaitingStep):
    """Presses the mouse on an element, moves it and lets go: `to` an element, or `by` pixels."""

    primary: ClassVar[str] = "from"
    example: ClassVar[str] = "drag: {from: {role: slider}, right: 100}"
    kind: Literal["drag"] = "drag"
    from_: Locator = Field(alias="from")
    to: Locator | None = None
    right: Distance = 0
    down: Distance = 0
    over: Seconds = 0.4

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        moved = bool(self.right or self.down)
        if (self.to is not None) == moved:
            raise ValueError("a drag goes 'to' an element, or some pixels 'right' and 'down'")
        return self

    @property
    def subject(self) -> str:
        where = f"to {self.to.spelled}" if self.to else f"by ({self.right}, {self.down})"
        return f"drag {self.from_.spelled} {where}"

    @property
    def fixed_seconds(self) -> float:
        return self.over


class Press(WaitingStep):
    """A key or a chord, `times` times, `every` seconds from one to the next; `at` an element
    it has the focus first."""

    primary: ClassVar[str] = "key"
    example: ClassVar[str] = "press: ArrowRight"
    kind: Literal["press"] = "press"
    key: Text
    times: Times = 1
    every: Seconds = 0.3
    at: Locator | None = None

    @field_validator("key")
    @classmethod
    def _known(cls, key: str) -> str:
        return check_key(key)

    @model_validator(mode="after")
    def _waits_for_at(self) -> Self:
        self._needs_for_timeout(self.at, "'at'")
        return self

    @property
    def fixed_seconds(self) -> float:
        return (self.times - 1) * self.every


class Type(WaitingStep):
    """Text into whatever has the focus, or `into` an element that is clicked first;
    `every` seconds from one key to the next."""

    primary: ClassVar[str] = "text"
    example: ClassVar[str] = "type: space"
    kind: Literal["type"] = "type"
    text: Annotated[str, Field(min_length=1)]
    every: Seconds = 0.12
    into: Locator | None = None

    @model_validator(mode="after")
    def _waits_for_into(self) -> Self:
        self._needs_for_timeout(self.into, "'into'")
        return self

    @property
    def fixed_seconds(self) -> float:
        return (len(self.text) - 1) * self.every


ScrollKey = Literal[
    "ArrowDown",
    "ArrowUp",
    "ArrowLeft",
    "ArrowRight",
    "PageDown",
    "PageUp",
    "Home",
    "End",
    "Space",
]


class Scroll(WaitingStep):
    """Scrolls with the wheel or the keyboard.

    The wheel turns `by` pixels down (negative: up) and `across` to the right within `over`
    seconds, `at` an element or where the mouse is. `keys` presses a key `times` times, `every`
    seconds from one to the next.
    """

    primary: ClassVar[str] = "by"
    example: ClassVar[str] = "scroll: 600"
    kind: Literal["scroll"] = "scroll"
    by: Distance | None = None
    across: Distance | None = None
    over: Seconds = 0.5
    at: Locator | None = None
    keys: ScrollKey | None = None
    times: Times = 1
    every: Seconds = 0.3

    @model_validator(mode="after")
    def _wheel_or_keys(self) -> Self:
        wheel = self.by is not None or self.across is not None
        if wheel == (self.keys is not None):
            raise ValueError("a scroll goes 'by' (and 'across') pixels, or takes 'keys'")
        given = self.model_fields_set
        for name in ("times", "every") if wheel else ("over", "at"):
            if name in given:
                other = "'keys'" if wheel else "'by' and 'across'"
                raise MisplacedValue((name,), f"a scroll's '{name}' goes with {other}")
        self._needs_for_timeout(self.at, "'at'")
        return self

    @property
    def subject(self) -> str:
        if self.keys:
            return f"scroll {self.keys} x {self.times}"
        return f"scroll '{self.by}'" if not self.across else f"scroll ({self.across}, {self.by})"

    @property
    def fixed_seconds(self) -> float:
        return (self.times - 1) * self.every if self.keys else self.over


class Wait(BaseStep):
    """Lets time pass."""

    primary: ClassVar[str] = "seconds"
    example: ClassVar[str] = "wait: 800ms"
    kind: Literal["wait"] = "wait"
    seconds: Seconds

    @property
    def subject(self) -> str:
        return f"wait {format_duration(self.seconds)}"

    @property
    def fixed_seconds(self) -> float:
        return self.seconds


class WaitUntil(BaseStep):
    """Until its phase has lasted that long; not at all where it has already."""

    primary: ClassVar[str] = "seconds"
    example: ClassVar[str] = "wait_until: 2s"
    kind: Literal["wait_until"] = "wait_until"
    seconds: PositiveSeconds

    @property
    def subject(self) -> str:
        return f"wait until {format_duration(self.seconds)} into the phase"


class WaitFor(ElementStep):
    """Until an element is visible, attached, hidden or detached."""

    example: ClassVar[str] = 'wait_for: "text=Results"'
    kind: Literal["wait_for"] = "wait_for"
    state: Literal["visible", "attached", "hidden", "detached"] = "visible"


class WaitForVideo(WaitingStep):
    """Until a video plays, is paused, has ended or buffers, and has come `past` a time of it."""

    primary: ClassVar[str] = "state"
    example: ClassVar[str] = "wait_for_video: playing"
    kind: Literal["wait_for_video"] = "wait_for_video"
    state: VideoState = "playing"
    selector: Text = "video"
    past: Seconds = 0.0


class Mark(BaseStep):
    """Names this moment in the metrics."""

    primary: ClassVar[str] = "name"
    example: ClassVar[str] = "mark: results shown"
    kind: Literal["mark"] = "mark"
    name: Name


class Screenshot(WaitingStep):
    """Keeps a picture of the page, or `of` an element, in the report."""

    primary: ClassVar[str] = "name"
    example: ClassVar[str] = "screenshot: home"
    kind: Literal["screenshot"] = "screenshot"
    name: Name
    of: Locator | None = None


class Resize(BaseStep):
    """Gives the window another size, up to the viewport's; the stream keeps its own."""

    primary: ClassVar[str] = "to"
    primary_is_all: ClassVar[bool] = True
    example: ClassVar[str] = "resize: 640x360"
    kind: Literal["resize"] = "resize"
    to: Viewport


class SetNetwork(BaseStep):
    """Shapes the page's network from here on."""

    primary: ClassVar[str] = "to"
    primary_is_all: ClassVar[bool] = True
    example: ClassVar[str] = "network: 3g"
    kind: Literal["network"] = "network"
    to: Network


class Crash(BaseStep):
    """Ends the page's process as a crash would; `reload` brings the page back."""

    primary: ClassVar[str] = "what"
    example: ClassVar[str] = "crash: page"
    kind: Literal["crash"] = "crash"
    what: Literal["page"]


class Expect(WaitingStep, PageExpectation):
    """Fails here unless the page comes to show this within the timeout."""

    primary: ClassVar[str] = "selector"
    example: ClassVar[str] = 'expect: "text=Results"'
    kind: Literal["expect"] = "expect"

    @property
    def subject(self) -> str:
        return f"expect {PageExpectation.subject.fget(self)}"  # type: ignore[attr-defined]


class Call(WaitingStep):
    """Calls a Python function that is registered under the entry point group `uisplice.steps`."""

    primary: ClassVar[str] = "name"
    example: ClassVar[str] = "call: log_in"
    kind: Literal["call"] = "call"
    name: Name
    arguments: Pairs = Field(default=(), alias="with")

    @field_validator("name")
    @classmethod
    def _registered(cls, name: str) -> str:
        registered = step_functions.names()
        if name in registered:
            return name
        if not registered:
            raise ValueError(
                f"no function is registered as '{name}'; a package registers one as an entry "
                f"point of the group '{step_functions.GROUP}'"
            )
        raise ValueError(unknown("function", name, registered))


class Repeat(WaitingStep):
    """Plays `steps` `times` times, `every` seconds from one start to the next, or as often as
    needed `until` a condition holds (at most `times`, then the step fails). `timeout` is of
    all turns together; None: as long as they take."""

    primary: ClassVar[str] = "times"
    companions: ClassVar[tuple[str, ...]] = ("steps", "timeout")
    example: ClassVar[str] = "repeat: 3"
    kind: Literal["repeat"] = "repeat"
    times: Times | None = None
    every: Seconds = 0.0
    until: Condition | None = None
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.times is None:
            raise ValueError("a repeat needs 'times'; with 'until' they are the most it tries")
        return self

    @property
    def subject(self) -> str:
        until = f" until {self.until.spelled}" if self.until else ""
        return f"repeat {self.times} times{until}"

    @property
    def fixed_seconds(self) -> float:
        if self.until or self.times is None:
            return 0.0
        once = sum(step.fixed_seconds for step in self.steps)
        return (self.times - 1) * max(self.every, once) + once

    def inner_by_place(self) -> list[tuple[tuple[str, int], BaseStep]]:
        return [(("steps", index), step) for index, step in enumerate(self.steps)]


class If(BaseStep):
    """Plays `then` when a condition holds now, else `else`."""

    primary: ClassVar[str] = "condition"
    primary_is_all: ClassVar[bool] = True
    companions: ClassVar[tuple[str, ...]] = ("then", "else")
    example: ClassVar[str] = 'if: "text=Skip"'
    kind: Literal["if"] = "if"
    condition: Condition
    then: tuple[Step, ...] = Field(min_length=1)
    otherwise: tuple[Step, ...] = Field(default=(), alias="else")

    @property
    def subject(self) -> str:
        return f"if {self.condition.spelled}"

    def inner_by_place(self) -> list[tuple[tuple[str, int], BaseStep]]:
        then = [(("then", index), step) for index, step in enumerate(self.then)]
        return [*then, *((("else", index), step) for index, step in enumerate(self.otherwise))]


Step = Annotated[
    Open
    | Reload
    | Back
    | Click
    | DoubleClick
    | Hover
    | Move
    | Drag
    | Press
    | Type
    | Scroll
    | Wait
    | WaitUntil
    | WaitFor
    | WaitForVideo
    | Expect
    | Mark
    | Screenshot
    | Resize
    | SetNetwork
    | Crash
    | Call
    | Repeat
    | If,
    Field(discriminator="kind"),
]

STEP_TYPES: dict[str, type[BaseStep]] = {
    step.model_fields["kind"].default: step for step in get_args(get_args(Step)[0])
}
STEP_LISTS = ("steps", "then", "else")  # keys whose lists hold steps

for _holder in (Repeat, If):
    _holder.model_rebuild()


def every_step(steps: tuple[BaseStep, ...]) -> list[BaseStep]:
    """The steps and all that they hold, in the file's order."""
    return [step for _, step in every_step_by_place(steps)]


def every_step_by_place(
    steps: tuple[BaseStep, ...],
) -> list[tuple[tuple[str | int, ...], BaseStep]]:
    """The same, each with the keys and indices that lead to it from what holds `steps`."""
    found: list[tuple[tuple[str | int, ...], BaseStep]] = []

    def walk(step: BaseStep, place: tuple[str | int, ...]) -> None:
        found.append((place, step))
        for further, inner in step.inner_by_place():
            walk(inner, (*place, *further))

    for index, step in enumerate(steps):
        walk(step, ("steps", index))
    return found
