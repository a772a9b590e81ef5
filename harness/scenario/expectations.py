"""What a recording, or one phase of it, must show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from typing_extensions import Self

from ..limits import Limit, Quantity
from .durations import PositiveSeconds
from .fields import Frozen, MisplacedValue
from .page_expectation import PageExpectation
from .place import EXAMPLE, Place


def _read(value: object, quantity: Quantity) -> Limit:
    if isinstance(value, Limit):
        return value
    if isinstance(value, dict | list):
        kind = "a mapping" if isinstance(value, dict) else "a list"
        raise ValueError(f"{kind} is not a limit; write one, such as '<= 5' or '10%..30%'")
    return Limit.parse(str(value), quantity)


def _reader(quantity: Quantity) -> BeforeValidator:
    return BeforeValidator(lambda value: _read(value, quantity))


_LIMIT_SCHEMA: dict[str, Any] = {
    "type": ["string", "number"],
    "description": "a number, a comparison, a range (10%..30%) or a tolerance (55% ± 8%)",
}
_TEXT = PlainSerializer(str, return_type=str)
_SCHEMA = WithJsonSchema(_LIMIT_SCHEMA)

Share = Annotated[Limit, _reader(Quantity.SHARE), _TEXT, _SCHEMA]
Count = Annotated[Limit, _reader(Quantity.COUNT), _TEXT, _SCHEMA]
Bitrate = Annotated[Limit, _reader(Quantity.BITRATE), _TEXT, _SCHEMA]
Size = Annotated[Limit, _reader(Quantity.SIZE), _TEXT, _SCHEMA]
Level = Annotated[Limit, _reader(Quantity.LEVEL), _TEXT, _SCHEMA]
Time = Annotated[Limit, _reader(Quantity.TIME), _TEXT, _SCHEMA]
Ratio = Annotated[Limit, _reader(Quantity.RATIO), _TEXT, _SCHEMA]


def _places(value: object) -> tuple[Place, ...]:
    items = value if isinstance(value, list | tuple) else [value]
    if not items:
        raise ValueError(f"the list is empty; write a place, such as '{EXAMPLE}'")
    places = []
    for index, item in enumerate(items):
        if isinstance(item, Place):
            places.append(item)
            continue
        try:
            if isinstance(item, dict | list):
                raise ValueError(f"is not a place; write it as '{EXAMPLE}'")
            places.append(Place.parse(str(item)))
        except ValueError as error:
            if items is value:  # a list: say which of its entries
                raise MisplacedValue((index,), str(error)) from None
            raise
    return tuple(places)


_PLACE_SCHEMA: dict[str, Any] = {
    "type": "string",
    "description": "size, position and tolerance in device pixels",
    "examples": [EXAMPLE],
}
Places = Annotated[
    tuple[Place, ...],
    BeforeValidator(_places),
    PlainSerializer(lambda places: [str(place) for place in places]),
    WithJsonSchema(
        {"anyOf": [_PLACE_SCHEMA, {"type": "array", "items": _PLACE_SCHEMA, "minItems": 1}]}
    ),
]


def _true(value: object) -> bool:
    if str(value).lower() != "true":
        shown = "a mapping" if isinstance(value, dict) else f"'{value}'"
        raise ValueError(f"{shown} cannot be expected; write 'true', or leave it out")
    return True


Asked = Annotated[bool, BeforeValidator(_true), WithJsonSchema({"type": "boolean", "enum": [True]})]


class _Several(Frozen):
    """A mapping of limits. One that holds none would ask for nothing."""

    example: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _is_a_mapping(cls, value: Any) -> Any:
        if isinstance(value, dict | _Several):
            return value
        shown = "a list" if isinstance(value, list) else f"'{value}'"
        raise ValueError(f"{shown} is not a mapping of keys; write it as '{cls.example}'")

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        names = list(type(self).model_fields)
        if all(getattr(self, name) is None for name in names):
            raise ValueError(f"asks for nothing; it may hold {', '.join(names)}")
        return self


class Shares(Frozen):
    """Share of ticks by class; values are fractions, 0 to 1."""

    unchanged: Share | None = None
    video_only: Share | None = None
    changed: Share | None = None

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        limits = [self.unchanged, self.video_only, self.changed]
        at_least = sum(limit.low or 0.0 for limit in limits if limit)
        if at_least > 1 + 1e-9:
            raise ValueError(f"the shares are at least {at_least * 100:g}% together")
        at_most = sum(1.0 if not limit or limit.high is None else limit.high for limit in limits)
        if at_most < 1 - 1e-9:
            raise ValueError(f"the shares are at most {at_most * 100:g}% together")
        return self


class Counts(Frozen):
    """Ticks by class."""

    unchanged: Count | None = None
    video_only: Count | None = None
    changed: Count | None = None


class _OrLimit(Frozen):
    """A mapping that may also be written as one limit."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [dict(_LIMIT_SCHEMA), handler(core_schema)]}


class PeakBitrate(_OrLimit):
    """The largest mean bitrate over any `window` (seconds). In short: the limit alone."""

    limit: Bitrate
    window: PositiveSeconds = 1.0

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        # Read here, so that a wrong limit is said of 'peak_bitrate'.
        short = not isinstance(value, dict | PeakBitrate)
        return {"limit": _read(value, Quantity.BITRATE)} if short else value


class Latency(_OrLimit, _Several):
    """Times from present to access unit, over all pictures. In short: `p95` alone."""

    example = "<= 80 ms"

    median: Time | None = None
    p95: Time | None = None
    max: Time | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        short = not isinstance(value, dict | Latency)
        return {"p95": _read(value, Quantity.TIME)} if short else value

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        given = [(n, limit) for n in ("median", "p95", "max") if (limit := getattr(self, n))]
        for index, (smaller, below) in enumerate(given):
            for larger, above in given[index + 1 :]:
                if below.low is not None and above.high is not None and below.low > above.high:
                    raise MisplacedValue(
                        (larger,),
                        f"'{above}' can never hold: {smaller} is {below}, and {larger} is not less",
                    )
        return self


class Pictures(_Several):
    """Pictures by what they are made of."""

    example = '{merged: ">= 1"}'

    full: Count | None = None
    spliced: Count | None = None
    merged: Count | None = None


class Regions(_Several):
    """Regions of pictures: `count` is the most that one picture has; each `place` must
    be a region's on some tick. A region has its guard around it."""

    example = "{count: 1..2}"

    count: Count | None = None
    place: Places | None = None

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        if self.place and self.count and self.count.high == 0:
            raise MisplacedValue(("place",), "no region has a place where count is 0")
        return self


class PhaseExpectations(Frozen):
    """Everything a phase's `expect` may hold; what is None is not asked."""

    shares: Shares = Shares()
    counts: Counts = Counts()
    ticks: Count | None = None
    duration: Time | None = None
    presents: Count | None = None
    coalesced: Count | None = None
    dropped: Count | None = None
    bitrate: Bitrate | None = None
    peak_bitrate: PeakBitrate | None = None
    bytes: Size | None = None
    psnr_y: Level | None = None
    ssim: Ratio | None = None
    latency: Latency | None = None
    pictures: Pictures | None = None
    keyframes: Count | None = None
    regions: Regions | None = None
    page: tuple[PageExpectation, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _not_of_a_phase(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for name in value:
                if name in _OF_THE_STREAM and name not in cls.model_fields:
                    raise MisplacedValue(
                        (name,),
                        "can be expected of the whole recording only; "
                        "move it to the scenario's own 'expect'",
                    )
        return value

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        pictures, regions = self.pictures, self.regions
        if pictures is None:
            return self
        if (
            self.keyframes
            and pictures.full
            and pictures.full.high is not None
            and (self.keyframes.low or 0) > pictures.full.high
        ):
            raise MisplacedValue(
                ("keyframes",),
                f"'{self.keyframes}' can never hold: a keyframe is a full picture, "
                f"and pictures.full is {pictures.full}",
            )
        if regions and regions.count and regions.count.high == 0:
            for name in ("spliced", "merged"):
                limit: Limit | None = getattr(pictures, name)
                if limit and (limit.low or 0) > 0:
                    raise MisplacedValue(
                        ("pictures", name),
                        f"'{limit}' can never hold: a {name} picture has a region, "
                        f"and regions.count is {regions.count}",
                    )
        return self

    def limits(self) -> Iterator[tuple[str, Limit]]:
        """Each limit asked for, with its name: `shares.unchanged`, `dropped`."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Limit):
                yield name, value
            elif isinstance(value, PeakBitrate):
                yield name, value.limit
            elif isinstance(value, Frozen):
                for part in type(value).model_fields:
                    limit = getattr(value, part)
                    if isinstance(limit, Limit):
                        yield f"{name}.{part}", limit

    @property
    def places(self) -> tuple[Place, ...]:
        """Where regions must be."""
        return (self.regions.place or ()) if self.regions else ()


class Expectations(PhaseExpectations):
    """Everything the scenario's own `expect` may hold: of the stream as a whole, too."""

    decodes: Asked | None = None
    exact: Asked | None = None
    structure: Asked | None = None
    profile: Literal["Constrained Baseline"] | None = None

    def of_the_stream(self) -> Iterator[tuple[str, str]]:
        """Each of these that is asked for: its name, and what is expected as text."""
        for name in _OF_THE_STREAM:
            value = getattr(self, name)
            if value is not None:
                yield name, "true" if value is True else str(value)


_OF_THE_STREAM = tuple(
    name for name in Expectations.model_fields if name not in PhaseExpectations.model_fields
)
