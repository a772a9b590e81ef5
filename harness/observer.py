"""What a run tells whoever watches it: the command line's progress, pytest's Allure steps."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol


class Counting(Protocol):
    """What counts the ticks it has finished."""

    @property
    def ticks(self) -> int: ...


class Observer:
    """Does nothing; subclasses override what they show."""

    def stage(self, text: str) -> None:
        """Work before or after the recording began: `starting Chrome`."""

    def recording(self, recorder: Counting, expected_ticks: int | None) -> None:
        """The recording, or a replay, has begun; `recorder.ticks` says how far it is."""

    def recorded(self) -> None:
        """The recording has ended."""

    @contextlib.contextmanager
    def progress(
        self,
        text: str,
        total: int,  # noqa: ARG002
    ) -> Iterator[Callable[[int], None]]:
        """Around long work of `total` parts; what is yielded takes how many are done."""
        self.stage(text)
        yield lambda _done: None

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:  # noqa: ARG002
        """Around each phase."""
        yield

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[None]:  # noqa: ARG002
        """Around each step."""
        yield
