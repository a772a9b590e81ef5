"""Recordings made of nothing but ticks, for tests of what is computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.recorder import (
    DigestFile,
    Picture,
    RecorderSettings,
    Recording,
    Rect,
    Tick,
    TickClass,
)

_NOTHING: dict[str, Any] = {
    "present": None,
    "sequence": 0,
    "tick_class": TickClass.UNCHANGED,
    "picture": Picture.NONE,
    "dirty": Rect(0, 0, 0, 0),
    "region": Rect(0, 0, 0, 0),
    "region_rects": (),
    "copied_bytes": 0,
}
_FLAGS = ("keyframe", "region_idr", "fallback", "deblocked")


def tick(index: int, fps: int = 24, **facts: Any) -> Tick:
    """A tick on which nothing happened, but for `facts`. A `picture` brings one present."""
    values: dict[str, Any] = {name: 0 for name in Tick.__dataclass_fields__}
    values |= {name: False for name in _FLAGS}
    values |= _NOTHING | {"index": index, "time": index / fps}
    if facts.get("picture", Picture.NONE) is not Picture.NONE:
        values |= {"present": index / fps, "presents": 1}
    if rects := facts.get("region_rects"):
        values |= {"regions": len(rects), "region": rects[0]}
    return Tick(**(values | facts))


def recording(
    folder: Path, ticks: Sequence[Tick], *, live: bool = True, error: str = "", **settings: Any
) -> Recording:
    """Those ticks as a recording of 640x360; it has no stream. Presents get ordinals."""
    sequence = 0
    numbered = []
    for one in ticks:
        sequence += one.presents + one.dropped
        numbered.append(replace(one, sequence=sequence if one.presents else 0))
    chosen = RecorderSettings(**({"width": 640, "height": 360} | settings))
    digests = DigestFile(folder / "none.digests", 1)
    digests.close()
    return Recording(chosen, folder / "none.mkv", tuple(numbered), digests, 0, error, live)
