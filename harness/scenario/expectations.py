"""What a recording, or one phase of it, must show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema, model_validator
from typing_extensions import Self

from ..limits import Limit, Quantity
from .fields import Frozen
from .page_expectation import PageExpectation


def _reader(quantity: Quantity) -> BeforeValidator:
    def read(value: object) -> Limit:
        if isinstance(value, Limit):
            return value
        if isinstance(value, dict | list):
            kind = "a mapping" if isinstance(value, dict) else "a list"
            raise ValueError(f"{kind} is not a limit; write one, such as '<= 5' or '10%..30%'")
        return Limit.parse(str(value), quantity)

    return BeforeValidator(read)


_TEXT = PlainSerializer(str, return_type=str)
_SCHEMA = WithJsonSchema(
    {
        "type": ["string", "number"],
        "description": "a number, a comparison, a range (10%..30%) or a tolerance (55% ± 8%)",
    }
)

Share = Annotated[Limit, _reader(Quantity.SHARE), _TEXT, _SCHEMA]
Count = Annotated[Limit, _reader(Quantity.COUNT), _TEXT, _SCHEMA]
Bitrate = Annotated[Limit, _reader(Quantity.BITRATE), _TEXT, _SCHEMA]
Size = Annotated[Limit, _reader(Quantity.SIZE), _TEXT, _SCHEMA]
Level = Annotated[Limit, _reader(Quantity.LEVEL), _TEXT, _SCHEMA]


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


class Expectations(Frozen):
    """Everything `expect` may hold; what is None is not asked."""

    shares: Shares = Shares()
    counts: Counts = Counts()
    ticks: Count | None = None
    dropped: Count | None = None
    bitrate: Bitrate | None = None
    bytes: Size | None = None
    psnr_y: Level | None = None
    keyframes: Count | None = None
    page: tuple[PageExpectation, ...] = ()

    def limits(self) -> Iterator[tuple[str, Limit]]:
        """Each limit asked for, with its name: `shares.unchanged`, `dropped`."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Limit):
                yield name, value
            elif isinstance(value, Frozen):
                for part in type(value).model_fields:
                    limit = getattr(value, part)
                    if limit is not None:
                        yield f"{name}.{part}", limit
