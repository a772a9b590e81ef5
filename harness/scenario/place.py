"""Where something is to be on the view: `640x360 at 320,180 ± 16`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TIMES = "[xX\u00d7]"
_PATTERN = (
    rf"(\d{{1,5}})\s*{_TIMES}\s*(\d{{1,5}})\s+at\s+(\d{{1,5}})\s*,\s*(\d{{1,5}})"
    r"(?:\s*(?:±|\+-|\+/-)\s*(\d{1,4})(?:\s*px)?)?"
)
EXAMPLE = "640x360 at 320,180 ± 16"


@dataclass(frozen=True)
class Place:
    """A rectangle in device pixels, top-left origin; each edge may be off by
    `tolerance` pixels."""

    width: int
    height: int
    x: int
    y: int
    tolerance: int = 0

    @classmethod
    def parse(cls, text: str) -> Place:
        """Raises ValueError with a sentence that quotes `text`."""
        match = re.fullmatch(_PATTERN, text.strip())
        if match is None:
            raise ValueError(f"'{text}' is not a place; write it as '{EXAMPLE}'")
        width, height, x, y = (int(number) for number in match.groups()[:4])
        if width == 0 or height == 0:
            raise ValueError(f"'{text}' is a place without a pixel")
        return cls(width, height, x, y, int(match[5] or 0))

    def distance(self, x: int, y: int, width: int, height: int) -> int:
        """Pixels between the edges of a rectangle and this one's, at the edge that is
        farthest off."""
        return max(
            abs(x - self.x),
            abs(y - self.y),
            abs(x + width - self.x - self.width),
            abs(y + height - self.y - self.height),
        )

    def __str__(self) -> str:
        text = f"{self.width}x{self.height} at {self.x},{self.y}"
        return f"{text} ± {self.tolerance}" if self.tolerance else text
