"""Times as scenarios write them: `800ms`, `3s`, `1.5s`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

LONGEST = 3600.0  # seconds
_PATTERN = r"\d+(\.\d+)?\s*(ms|s)"


def parse_duration(value: object) -> float:
    """Seconds of a duration. Raises ValueError with a sentence that quotes `value`.

    A number is taken as seconds, for models built in Python; the loader passes text only.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LONGEST:
        return float(value)
    text = str(value).strip()
    if re.fullmatch(_PATTERN, text) is None:
        if re.fullmatch(r"\d+(\.\d+)?", text):
            unit = "s" if float(text) < 100 else "ms"
            raise ValueError(f"'{text}' has no unit; did you mean '{text}{unit}'?")
        if match := re.fullmatch(
            r"(\d+(?:\.\d+)?)\s*(m|mins?|minutes?|sec|secs|seconds?|msec)", text
        ):
            number, unit = match[1], match[2]
            if unit.startswith("s"):
                meant = f"{number}s"
            elif unit == "msec":
                meant = f"{number}ms"
            else:
                meant = f"{float(number) * 60:g}s"
            raise ValueError(
                f"'{text}' has the unit '{unit}'; units are ms and s; did you mean '{meant}'?"
            )
        raise ValueError(f"'{text}' is not a time; write it as '800ms', '3s' or '1.5s'")
    seconds = float(text[:-2]) / 1000 if text.endswith("ms") else float(text[:-1])
    if seconds > LONGEST:
        raise ValueError(f"'{text}' is longer than an hour")
    return seconds


def parse_positive_duration(value: object) -> float:
    """As parse_duration; refuses 0 too."""
    seconds = parse_duration(value)
    if seconds == 0:
        raise ValueError(f"'{value}' is no time at all")
    return seconds


def format_duration(seconds: float) -> str:
    """`0.8` as `800ms`, `3.0` as `3s`."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.4g}ms"
    return f"{seconds:.6g}s"


_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": f"^{_PATTERN}$", "examples": ["800ms", "3s"]}
)

Seconds = Annotated[float, BeforeValidator(parse_duration), _SCHEMA]
PositiveSeconds = Annotated[float, BeforeValidator(parse_positive_duration), _SCHEMA]
