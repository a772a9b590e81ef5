"""Network conditions that the page is given."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema, model_validator
from typing_extensions import Self

from ..limits import Limit, LimitError, Quantity
from .durations import Seconds, format_duration
from .fields import Frozen
from .locator import Flag
from .nearest import unknown

# Round trips and rates as web performance tests use them for these lines.
PROFILES: dict[str, dict[str, str]] = {
    "full": {},
    "offline": {"offline": "true"},
    "3g": {"latency": "150ms", "download": "1.6 Mbit/s", "upload": "768 kbit/s"},
    "4g": {"latency": "85ms", "download": "9 Mbit/s", "upload": "9 Mbit/s"},
    "dsl": {"latency": "50ms", "download": "1.5 Mbit/s", "upload": "384 kbit/s"},
    "cable": {"latency": "28ms", "download": "5 Mbit/s", "upload": "1 Mbit/s"},
}


def _rate(value: object) -> float:
    """bit/s of `5 Mbit/s`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str):
        raise ValueError("a rate is one value; write it as '5 Mbit/s'")
    try:
        limit = Limit.parse(value, Quantity.BITRATE)
    except LimitError as error:
        if "unit" in str(error):
            raise
        raise ValueError(f"'{value}' is not a rate; write it as '5 Mbit/s'") from None
    if limit.low is None or limit.low != limit.high or limit.low <= 0:
        raise ValueError(f"'{value}' is not a rate; write it as '5 Mbit/s'")
    return limit.low


Rate = Annotated[
    float, BeforeValidator(_rate), WithJsonSchema({"type": "string", "examples": ["5 Mbit/s"]})
]


class Network(Frozen):
    """`latency` (seconds) is added to each request; `download` and `upload` are bit/s, None:
    as fast as it goes. A text is one of PROFILES."""

    latency: Seconds = 0.0
    download: Rate | None = None
    upload: Rate | None = None
    offline: Flag = False

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in PROFILES:
            raise ValueError(unknown("network", value, PROFILES))
        return PROFILES[value]

    @model_validator(mode="after")
    def _offline_alone(self) -> Self:
        if self.offline and (self.latency or self.download or self.upload):
            raise ValueError("a network that is offline has no latency, download or upload")
        return self

    def __str__(self) -> str:
        if self.offline:
            return "offline"
        parts = [f"latency {format_duration(self.latency)}"] if self.latency else []
        for name, rate in (("download", self.download), ("upload", self.upload)):
            if rate is not None:
                parts.append(f"{name} {rate / 1e6:g} Mbit/s")
        return ", ".join(parts) or "full"
