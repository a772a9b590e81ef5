"""The scenario as the harness sees it, after every short form is written out."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator
from typing_extensions import Self

from ..tolerance import parse_tolerance
from .address import check_address
from .durations import PositiveSeconds, format_duration
from .expectations import Expectations, PhaseExpectations
from .fields import Frozen, MisplacedValue, Name, Pairs, Text, decimal, whole
from .locator import Flag, Locator
from .network import Network
from .step import Open, Resize, Step, WaitUntil, every_step, every_step_by_place
from .viewport import Viewport

Preset = Literal[
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
]


class EncoderSettings(Frozen):
    """`backend` is the library that codes: `nvenc` is demanded, `auto` takes it where it is to
    be had; a text alone is that. `qp` for I and P pictures, x264's `preset` (NVENC has one
    for each), `guard` in macroblocks around a region,
    `threads` that x264 codes a picture of the whole view with, in as many slices,
    `splice` how a region gets into the picture: in one slice (`separate`: without merging
    CHANGED pictures) or in row slices. `keyframe_every` in seconds; None: only the first."""

    backend: Literal["x264", "nvenc", "auto"] = "x264"
    qp: Annotated[int, BeforeValidator(whole(1, 51))] = 23
    preset: Preset = "superfast"
    guard: Annotated[int, BeforeValidator(whole(0, 16))] = 3
    threads: Annotated[int, BeforeValidator(whole(1, 16))] = 1
    splice: Literal["syntax", "separate", "rows"] = "syntax"
    keyframe_every: PositiveSeconds | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"backend": value} if isinstance(value, str) else value


# pytest's own marks, and those of its well-known plugins: a tag must not change their meaning.
RESERVED_TAGS = frozenset(
    [
        *("skip", "skipif", "xfail", "parametrize", "usefixtures", "filterwarnings"),
        *("tryfirst", "trylast", "scenario", "timeout", "benchmark", "xdist_group"),
    ]
)


_TAG = r"[a-z][a-z0-9_]{0,63}"
_CLIP = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"


def _reason(value: Any) -> Any:
    if isinstance(value, str) and value.lower() in ("true", "yes", "on", "false", "no", "off"):
        raise ValueError(f"'{value}' is no reason; say why in a few words, or drop the key")
    return value


Reason = Annotated[Name, BeforeValidator(_reason)]


def _tag(tag: Any) -> Any:
    if isinstance(tag, str):
        if re.fullmatch(_TAG, tag) is None:
            raise ValueError(f"'{tag}' is not a tag; tags have small letters, digits and '_'")
        if tag in RESERVED_TAGS:
            raise ValueError(f"'{tag}' is a mark of pytest; choose another tag")
    return tag


def _clip(clip: Any) -> Any:
    if isinstance(clip, str) and re.fullmatch(_CLIP, clip) is None:
        raise ValueError(f"'{clip}' is not a clip's name; names have letters, digits, '-' and '_'")
    return clip


def _pattern(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


Tag = Annotated[str, BeforeValidator(_tag), _pattern(_TAG)]
Clip = Annotated[str, BeforeValidator(_clip), _pattern(_CLIP)]

WHOLE = "whole recording"
"""What reports call all phases together."""


class Xfail(Frozen):
    """Why a scenario is expected to fail. `strict`: then it must not pass."""

    reason: Reason
    strict: Flag = True

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"reason": value} if isinstance(value, str) else value


class Phase(Frozen):
    """A named part of the recording with its own expectations.

    `duration` (seconds) is how long it lasts whatever its steps take; None: as
    long as its steps. `line` is where it stands in its file.
    """

    name: Name = Field(alias="phase")
    line: int = 0
    duration: PositiveSeconds | None = None
    steps: tuple[Step, ...] = ()
    expect: PhaseExpectations = PhaseExpectations()

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        if self.duration is None and not self.steps:
            raise MisplacedValue(("steps",), f"phase '{self.name}' needs steps or a duration")
        self._check_wait_until()
        if self.duration is not None and self.fixed_seconds > self.duration + 1e-9:
            raise MisplacedValue(
                ("duration",),
                f"phase '{self.name}' lasts {format_duration(self.duration)}, "
                f"but its steps wait for {format_duration(self.fixed_seconds)}",
            )
        return self

    def _check_wait_until(self) -> None:
        taken = 0.0
        for index, step in enumerate(self.steps):
            if isinstance(step, WaitUntil) and step.seconds <= taken:
                raise MisplacedValue(
                    ("steps", index),
                    f"'{step.subject}' never waits: the steps before it take "
                    f"{format_duration(taken)}",
                )
            taken = _taken_after(taken, step)

    @property
    def fixed_seconds(self) -> float:
        """What its steps take by their own words."""
        return _fixed_seconds(self.steps)


def _fixed_seconds(steps: tuple[Step, ...]) -> float:
    return functools.reduce(_taken_after, steps, 0.0)


def _taken_after(taken: float, step: Step) -> float:
    until = step.seconds if isinstance(step, WaitUntil) else 0.0
    return max(until, taken + step.fixed_seconds)


class Scenario(Frozen):
    """One scenario, or one case of a file with a matrix.

    Times are seconds; `path` is its file, absolute when loaded; `case` holds the matrix's
    values by parameter; `variables` all that `${...}` could name, with what they stood for.
    `device_pixel_ratio` is device pixels a CSS pixel. `storage_state` is a file beside the
    scenario, in Playwright's form. `baseline` has tolerances by metric.
    """

    path: Path = Path("scenario.yaml")
    case: tuple[tuple[str, str], ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    title: Name = Field(alias="scenario")
    description: str = ""
    tags: tuple[Tag, ...] = ()
    skip: Reason | None = None
    xfail: Xfail | None = None
    site: Text = "."
    open: Text
    clips: tuple[Clip, ...] = ()
    viewport: Viewport = Viewport()
    device_pixel_ratio: Annotated[float, BeforeValidator(decimal(1, 4))] = 1.0
    fps: Annotated[int, BeforeValidator(whole(1, 60))] = 24
    wsi: Literal["virtual", "passthrough"] = "virtual"
    encode: Literal["recorder", "layer"] = "recorder"
    encoder: EncoderSettings = EncoderSettings()
    storage_state: Text | None = None
    network: Network = Network()
    reduced_motion: Flag = False
    ready: Locator | None = None
    timeout: PositiveSeconds = 10.0
    phases: tuple[Phase, ...] = Field(min_length=1)
    expect: Expectations = Expectations()
    baseline: Pairs = ()

    @field_validator("baseline")
    @classmethod
    def _tolerances(cls, baseline: Pairs) -> Pairs:
        for name, text in baseline:
            try:
                parse_tolerance(name, text)
            except ValueError as error:
                raise MisplacedValue((name,), str(error)) from None
        return baseline

    @property
    def id(self) -> str:
        """Its name among tests and folders: the file's, and a case's values in brackets."""
        if not self.case:
            return self.path.stem
        values = "-".join(re.sub(r"[^\w.+-]", "_", value) for _, value in self.case)
        return f"{self.path.stem}[{values}]"

    @property
    def folder_name(self) -> str:
        """`id` as a folder's name that no shell or viewer stumbles over."""
        return self.id.replace("[", "-").rstrip("]")

    @property
    def full_title(self) -> str:
        """The title, and what tells a case from the others."""
        return (
            f"{self.title} [{', '.join(f'{n}={v}' for n, v in self.case)}]"
            if self.case
            else (self.title)
        )

    @property
    def site_folder(self) -> Path:
        """The folder that is served; absolute when the scenario was loaded."""
        return (self.path.parent / self.site).resolve()

    @field_validator("site")
    @classmethod
    def _relative(cls, site: str) -> str:
        if Path(site).is_absolute() or "\0" in site:
            raise ValueError(f"'{site}' must be a folder beside the scenario, as 'site' is")
        return site

    @field_validator("tags", "clips")
    @classmethod
    def _once_each(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for index, name in enumerate(names):
            if name in names[:index]:
                raise MisplacedValue((index,), f"'{name}' stands twice")
        return names

    @field_validator("open")
    @classmethod
    def _address(cls, address: str) -> str:
        return check_address(address)

    @model_validator(mode="after")
    def _view_is_whole_in_css_pixels(self) -> Self:
        if problem := self._broken_pixel(self.viewport):
            raise MisplacedValue(("device_pixel_ratio",), problem)
        return self

    def _broken_pixel(self, view: Viewport) -> str:
        """What is wrong with a view at this ratio: no window has a part of a CSS pixel."""
        ratio = self.device_pixel_ratio
        for side in (view.width, view.height):
            css = side / ratio
            if abs(css - round(css)) > 1e-6:
                return (
                    f"at '{ratio:g}' the view's {side} pixels are {css:.5g} CSS pixels; "
                    "that must be a whole number"
                )
        return ""

    @model_validator(mode="after")
    def _phases_have_their_own_names(self) -> Self:
        lines: dict[str, int] = {}
        for index, phase in enumerate(self.phases):
            if phase.name == WHOLE:
                raise MisplacedValue(
                    ("phases", index, "phase"),
                    f"phase '{WHOLE}' has the name that reports give to all phases together; "
                    "choose another",
                )
            if phase.name in lines:
                raise MisplacedValue(
                    ("phases", index, "phase"),
                    f"phase '{phase.name}' has the name of the one in line "
                    f"{lines[phase.name]}; metrics are kept by name",
                )
            lines[phase.name] = phase.line
        return self

    @model_validator(mode="after")
    def _resizes_fit(self) -> Self:
        for at, phase in enumerate(self.phases):
            for place, step in every_step_by_place(phase.steps):
                if not isinstance(step, Resize):
                    continue
                if step.to.width > self.viewport.width or step.to.height > self.viewport.height:
                    problem = (
                        f"'{step.to}' is beyond the viewport's {self.viewport}; "
                        "make the viewport the largest size"
                    )
                else:
                    problem = self._broken_pixel(step.to)
                if problem:
                    raise MisplacedValue(("phases", at, *place, "to"), problem)
        return self

    def pages(self) -> tuple[str, ...]:
        """Every address the scenario opens, the first one first."""
        opened = [
            step.url
            for phase in self.phases
            for step in every_step(phase.steps)
            if isinstance(step, Open)
        ]
        return (self.open, *opened)


BODIES = ("phases", "steps", "wait")
EXPANDED_KEYS = ("variables", "matrix", "include", "templates")
INCLUDED_KEYS = ("variables", "include", "templates")
"""What may stand in a file that scenarios include."""
KEYS = frozenset(
    [field.alias or name for name, field in Scenario.model_fields.items()]
    + [*BODIES, *EXPANDED_KEYS]
) - {"path", "case"}
"""What may stand at the top of a scenario's file."""
