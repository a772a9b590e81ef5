"""Sizes of the view."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, field_validator, model_validator

from .fields import Frozen, whole

Side = Annotated[int, BeforeValidator(whole(64, 4096))]


class Viewport(Frozen):
    """A size in device pixels; even, because 4:2:0 halves both sides."""

    width: Side = 1280
    height: Side = 720

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, dict) and len({"width", "height"} & value.keys()) == 1:
            raise ValueError("a size has both 'width' and 'height'")
        if not isinstance(value, str):
            return value
        match = re.fullmatch(r"(\d+)\s*[xX×]\s*(\d+)", value.strip())  # noqa: RUF001
        if match is None:
            raise ValueError(f"'{value}' is not a size; write it as '1280x720'")
        return {"width": match[1], "height": match[2]}

    @field_validator("width", "height")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError(
                f"'{value}' is odd; the nearest even numbers are {value - 1} and {value + 1}"
            )
        return value

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"
