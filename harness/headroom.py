"""Whether the machine kept up: Chrome, encoders and checks share its processors.

A recording on a machine without time to spare loses presents or, before that, has Chrome
paint fewer frames than it would. Both look like faults of what is tested; this says so.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

BUSY = 0.9  # of all processors' time; above it Chrome waits for the encoder and the other way round
_STAT = Path("/proc/stat")


@dataclass(frozen=True)
class Usage:
    """Share of all processors' time, 0 to 1, that was in use, and that a host took away."""

    busy: float
    stolen: float

    def __str__(self) -> str:
        stolen = f", {self.stolen * 100:.0f} % stolen by the host" if self.stolen >= 0.01 else ""
        return f"{self.busy * 100:.0f} % of {os.cpu_count()} processors{stolen}"


class UsageMeter:
    """Measures from its making on."""

    def __init__(self) -> None:
        self._start = _read()

    def usage(self) -> Usage | None:
        """Since the start; None where the system does not tell."""
        now = _read()
        if self._start is None or now is None:
            return None
        total, idle, stolen = (b - a for a, b in zip(self._start, now, strict=True))
        return Usage(1 - idle / total, stolen / total) if total > 0 else None


def _read() -> tuple[int, int, int] | None:
    """All, idle and stolen time in ticks, as proc(5) has them."""
    try:
        fields = [int(word) for word in _STAT.read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    user, nice, system, idle, wait, irq, softirq, stolen = fields
    return sum((user, nice, system, idle, wait, irq, softirq, stolen)), idle + wait, stolen


def complaint(
    dropped: int, presented: int, usage: Usage | None, *, live: bool = True
) -> str | None:
    """One sentence where the machine did not keep up, or None. In a replay (not `live`) only the
    machine that recorded the tape can have been too slow."""
    if not live:
        said = f"{dropped} of {presented} presents were dropped when the tape was recorded"
        return f"{said}; record it again on a machine that keeps up" if dropped else None
    busy = usage is not None and usage.busy + usage.stolen >= BUSY
    if dropped and busy:
        return (
            f"this machine does not keep up: {dropped} of {presented} presents were dropped "
            f"with {usage} in use; use fewer workers, a smaller viewport or a lower fps"
        )
    if dropped:
        known = f" though only {usage} were in use" if usage else ""
        return f"{dropped} of {presented} presents were dropped{known}; read chrome.log"
    if busy:
        return (
            f"this machine hardly keeps up: {usage} were in use; Chrome may have painted less "
            "than it would, so class shares are less sure"
        )
    return None


def complaints_in(folder: Path) -> list[str]:
    """The complaints about each recording below a folder, by its name."""
    lines = []
    for path in sorted(folder.glob("**/metrics.json")):
        try:
            said = json.loads(path.read_text(encoding="utf-8"))["outcome"].get("headroom")
        except (OSError, ValueError, KeyError):
            continue
        if said:
            lines.append(f"{path.parent.relative_to(folder)}: {said}")
    return lines
