"""The mouse, moved and turned as a hand does it: in many small steps, and never at random."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from playwright.sync_api import Page

EVERY = 0.016  # seconds between two moves on its way
SHORTEST, LONGEST = 0.15, 0.4  # seconds of one way
SPEED = 2500.0  # pixels a second, in between
NOTCH = 100  # pixels of one wheel notch


class Mouse:
    """`position` is where it points to, in CSS pixels from the view's top left. `sleep` lets
    seconds pass while the page is watched. The page is said each time, for after a crash it is
    another one."""

    def __init__(self, sleep: Callable[[float], None]) -> None:
        self.position = (0.0, 0.0)
        self._sleep = sleep

    def move(self, page: Page, x: float, y: float, seconds: float | None = None) -> None:
        """Along a straight line, slow at both ends (a minimum-jerk curve). `seconds` None: as
        long as a hand needs for the way."""
        from_x, from_y = self.position
        if seconds is None:
            seconds = math.dist((from_x, from_y), (x, y)) / SPEED
            seconds = min(max(seconds, SHORTEST), LONGEST)
        count = max(2, round(seconds / EVERY))
        start = time.monotonic()
        for index in range(1, count + 1):
            part = index / count
            eased = part**3 * (10 - 15 * part + 6 * part**2)
            here = (from_x + (x - from_x) * eased, from_y + (y - from_y) * eased)
            page.mouse.move(*here)
            self.position = here
            self._sleep(start + part * seconds - time.monotonic())

    def wheel(self, page: Page, down: int, right: int, seconds: float) -> None:
        """Turns the wheel by pixels (negative: up, left), notch by notch over `seconds`."""
        downs, rights = _notches(down), _notches(right)
        count = max(len(downs), len(rights))
        start = time.monotonic()
        for index in range(count):
            self._sleep(start + index * seconds / count - time.monotonic())
            page.mouse.wheel(
                rights[index] if index < len(rights) else 0,
                downs[index] if index < len(downs) else 0,
            )
        self._sleep(start + seconds - time.monotonic())


def _notches(pixels: int) -> list[float]:
    """The wheel's turns for a way: whole notches and a rest."""
    notches = [math.copysign(NOTCH, pixels)] * (abs(pixels) // NOTCH)
    rest = math.fmod(pixels, NOTCH)
    return [*notches, rest] if rest else notches
