"""Frames as the layer delivered them, kept as pictures when something fails."""

from __future__ import annotations

import fractions
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from .checks import Planes
from .native import native
from .pipeline import bgra_image
from .ring import CapturedFrame

Frame = npt.NDArray[np.uint8]
"""Shape (height, width, 4): B, G, R, A."""


@dataclass(frozen=True)
class CapturedPicture:
    """The frame that stood when `name` failed, as a PNG; `sequence` as in `Tick.sequence`."""

    name: str
    path: Path
    sequence: int

    @classmethod
    def write(cls, frame: CapturedFrame, name: str, path: Path) -> CapturedPicture:
        """Raises OSError where it cannot be written."""
        path.parent.mkdir(exist_ok=True)
        context: Any = av.CodecContext.create("png", "w")
        context.height, context.width = frame.pixels.shape[:2]
        context.pix_fmt, context.time_base = "rgb24", fractions.Fraction(1, 25)
        picture = av.VideoFrame.from_ndarray(frame.pixels, "bgra").reformat(format="rgb24")
        packets = (*context.encode(picture), *context.encode(None))
        path.write_bytes(b"".join(bytes(packet) for packet in packets))
        return cls(name, path, frame.sequence)

    def read(self) -> Frame:
        """Raises OSError or FFmpegError where it is gone or damaged."""
        with av.open(str(self.path)) as container:
            return np.asarray(next(container.decode(video=0)).to_ndarray(format="bgra"), np.uint8)


def to_planes(frame: Frame) -> Planes:
    """Converted as the recorder converts what it encodes."""
    library = native()
    frame = np.ascontiguousarray(frame)
    height, width = frame.shape[:2]
    size = (-(-height // 16) * 16, -(-width // 16) * 16)
    planes = [np.empty((size[0] // n, size[1] // n), np.uint8) for n in (1, 2, 2)]
    whole = library.ffi.new("uis_rect *", (0, 0, width, height))
    pointers = [library.ffi.from_buffer("uint8_t[]", plane) for plane in planes]
    library.lib.uis_bgra_to_i420(bgra_image(frame), whole, *pointers)
    y, u, v = (
        plane[: height // n, : width // n] for n, plane in zip((1, 2, 2), planes, strict=True)
    )
    return Planes(y, u, v)
