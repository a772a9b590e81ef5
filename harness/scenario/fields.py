"""What the models of the scenario language have in common."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, WithJsonSchema


class Frozen(BaseModel):
    """A model that cannot change and knows no other keys than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class MisplacedValue(ValueError):
    """A value that is wrong beside others; `where` leads to it from the model that says so."""

    def __init__(self, where: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.where = where


def whole(low: int, high: int) -> Callable[[object], int]:
    """A reader of whole numbers from `low` to `high`, from text or int."""

    def read(value: object) -> int:
        if isinstance(value, bool) or re.fullmatch(r"[+-]?\d{1,9}", str(value)) is None:
            raise ValueError(f"{_quoted(value)} is not a whole number from {low} to {high}")
        number = int(str(value))
        if not low <= number <= high:
            raise ValueError(f"'{value}' is not from {low} to {high}")
        return number

    return read


_DECIMAL = r"[+-]?\d{1,9}(\.\d{1,5})?"  # no exponent, no "nan"


def decimal(low: float, high: float) -> Callable[[object], float]:
    """A reader of numbers from `low` to `high`, whole or decimal, from text or number."""

    def read(value: object) -> float:
        if isinstance(value, bool) or re.fullmatch(_DECIMAL, str(value)) is None:
            raise ValueError(f"{_quoted(value)} is not a number from {low:g} to {high:g}")
        number = float(str(value))
        if not low <= number <= high:
            raise ValueError(f"'{value}' is not from {low:g} to {high:g}")
        return number

    return read


def flag(value: object) -> bool:
    """A reader of `true` and `false`, from text or bool."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise ValueError(f"{_quoted(value)} is not 'true' or 'false'")


def _quoted(value: object) -> str:
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f"'{value}'"


def _pairs(value: Any) -> Any:
    """A mapping of texts as pairs, which hash; each value must be one."""
    if isinstance(value, str | list):
        raise ValueError(f"{_quoted(value)} is not a mapping; write it as '{{name: value}}'")
    if not isinstance(value, dict):
        return value
    for key, item in value.items():
        if not isinstance(item, str):
            raise MisplacedValue((str(key),), f"must be one value, not {_quoted(item)}")
    return tuple((str(key), item) for key, item in value.items())


Pairs = Annotated[
    tuple[tuple[str, str], ...],
    BeforeValidator(_pairs),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}}),
]


def _not_blank(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise ValueError("is empty")
    return value


Text = Annotated[str, BeforeValidator(_not_blank)]
Name = Annotated[
    str, BeforeValidator(_not_blank), StringConstraints(strip_whitespace=True, max_length=200)
]
