"""What a run tells whoever watches it: the command line's progress, pytest's Allure steps."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .recorder import Recorder


class Observer:
    """Does nothing; subclasses override what they show."""

    def stage(self, text: str) -> None:
        """Work before or after the recording began: `starting Chrome`."""

    def recording(self, recorder: Recorder, expected_ticks: int | None) -> None:
        """The recording has begun; `recorder.ticks` says how far it is."""

    def recorded(self) -> None:
        """The recording has ended."""

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:  # noqa: ARG002
        """Around each phase."""
        yield

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[None]:  # noqa: ARG002
        """Around each step."""
        yield
