"""What a check of the GPU is given, and what it says."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Figures = Mapping[str, str | int | float]


class Outcome(enum.Enum):
    """A closed set. Only PASSED is a statement about the GPU: what ran on a software device
    or did not run is never counted as passed."""

    PASSED = "passed"
    FAILED = "failed"
    SOFTWARE = "software only"
    NOT_RUN = "not run"


class NotRun(Exception):
    """The check cannot be made here; the text says why."""


class CheckFailed(Exception):
    """The check was made and something is wrong; `figures` is what was measured."""

    def __init__(self, message: str, figures: Figures | None = None, *details: str) -> None:
        super().__init__(message)
        self.figures = dict(figures or {})
        self.details = details


@dataclass(frozen=True)
class Seen:
    """What a check saw that is well. `software`: it ran on a device that is no GPU."""

    summary: str
    figures: Figures = field(default_factory=dict)
    details: tuple[str, ...] = ()
    software: bool = False


@dataclass(frozen=True)
class Finding:
    """How one check ended. `seconds` it took; `summary` is the reason where it did not run."""

    name: str
    title: str
    outcome: Outcome
    summary: str
    figures: Figures = field(default_factory=dict)
    details: tuple[str, ...] = ()
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dump."""
        return {
            "name": self.name,
            "title": self.title,
            "outcome": self.outcome.value,
            "summary": self.summary,
            "figures": dict(self.figures),
            "details": list(self.details),
            "seconds": round(self.seconds, 1),
        }


@dataclass
class Context:
    """What the checks work with, and what earlier ones found out for later ones.

    `output` is the report's folder; `samples` holds NAME.h264 with NAME.md5; `gpus` are
    the names of the NVIDIA devices that Vulkan offers, None until they were asked for.
    """

    output: Path
    scenario: Path
    samples: Path
    browser: str | None = None
    allow_software: bool = False
    stage: Callable[[str], None] = lambda _text: None
    gpus: tuple[str, ...] | None = None
    no_gpu: str = ""  # why `gpus` is empty
    recordings: dict[str, Path] = field(default_factory=dict)  # by check, streams made here


@dataclass(frozen=True)
class Check:
    """`look` says what it saw, or raises: NotRun, CheckFailed, or a HarnessError, which is
    a failure. `meaning` is what a pass proves, for the report."""

    name: str
    title: str
    meaning: str
    look: Callable[[Context], Seen]
