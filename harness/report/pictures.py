"""Pictures for the report: filmstrips of the phases and heat maps."""

from __future__ import annotations

import base64
import fractions
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from ..checks import Planes, ffmpeg_pictures
from ..metrics import Phase
from ..recorder import Recording, Tick
from .macroblock_maps import MacroblockKind, PictureMap
from .tick_data import picture_ticks

Image = npt.NDArray[np.uint8]
"""Shape (height, width, 3): R, G, B."""

FILM_WIDTH = 176
FILM_LENGTH = 5
LARGE_WIDTH = 640

# A few points of cividis, which colour-blind readers see alike; lightness rises all the way.
_RAMP = np.array([(0, 34, 78), (66, 78, 108), (124, 123, 120), (187, 175, 108), (254, 232, 56)])
RAMP_CSS = "linear-gradient(90deg," + ",".join(f"rgb{tuple(p)}" for p in _RAMP.tolist()) + ")"


def to_rgb(picture: Planes, width: int) -> Image:
    """A decoded picture scaled to `width` pixels."""
    frame = av.VideoFrame.from_ndarray(
        np.concatenate([plane.ravel() for plane in (picture.y, picture.u, picture.v)]).reshape(
            -1, picture.y.shape[1]
        ),
        "yuv420p",
    )
    height = max(2, round(width * frame.height / frame.width))
    scaled = frame.reformat(width, height, "rgb24", interpolation="AREA")
    return np.asarray(scaled.to_ndarray(), np.uint8)


def encoded(image: Image, *, lossless: bool = False, quality: int = 60) -> bytes:
    """As WebP, or PNG where `lossless`. RGB, or RGBA for PNG."""
    context: Any = av.CodecContext.create("png" if lossless else "libwebp", "w")
    context.height, context.width = image.shape[:2]
    layout = "rgba" if image.shape[2] == 4 else "rgb24"
    context.pix_fmt = layout if lossless else "yuv420p"
    context.time_base = fractions.Fraction(1, 25)
    if not lossless:
        context.options = {"quality": str(quality)}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), layout)
    if not lossless:
        frame = frame.reformat(format="yuv420p")
    return b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))


def data_url(image: Image, *, lossless: bool = False, quality: int = 60) -> str:
    """What `encoded` makes, as a data URL."""
    kind = "png" if lossless else "webp"
    data = base64.b64encode(encoded(image, lossless=lossless, quality=quality)).decode()
    return f"data:image/{kind};base64,{data}"


def read_picture(path: Path) -> Image:
    """Raises OSError or FFmpegError for a file that is none."""
    with av.open(str(path)) as container:
        return np.asarray(next(container.decode(video=0)).to_ndarray(format="rgb24"), np.uint8)


@dataclass(frozen=True)
class Still:
    """What stands on screen at `tick`, small."""

    tick: int
    url: str


def _film_ticks(phase: Phase, pictures: Sequence[int]) -> list[int]:
    """Up to FILM_LENGTH ticks, evenly spread over a phase, with different pictures."""
    length = phase.end_tick - phase.first_tick
    if length <= 0:
        return []
    ticks = [
        phase.first_tick + round((n + 0.5) * length / FILM_LENGTH - 0.5) for n in range(FILM_LENGTH)
    ]
    standing = np.searchsorted(pictures, ticks, side="right") - 1
    chosen: dict[int, int] = {}
    for tick, picture in zip(ticks, standing, strict=True):
        if picture >= 0:
            chosen.setdefault(int(picture), tick)
    return list(chosen.values())


@dataclass(frozen=True)
class Film:
    """A strip of stills for every phase, and the last picture, larger, as (height, width, 3)."""

    strips: tuple[tuple[Still, ...], ...]
    last: Image | None


def make_film(recording: Recording, phases: Sequence[Phase]) -> Film:
    """Decodes the stream once. What does not decode has no still."""
    pictures = picture_ticks(recording.ticks)
    wanted = [_film_ticks(phase, pictures) for phase in phases]
    standing = {
        tick: int(np.searchsorted(pictures, tick, side="right")) - 1
        for tick in itertools.chain(*wanted)
    }
    needed = set(standing.values())
    urls: dict[int, str] = {}
    last = None
    for number, picture in enumerate(ffmpeg_pictures(recording.stream, [])):
        if number in needed:
            urls[number] = data_url(to_rgb(picture, FILM_WIDTH))
        if number == len(pictures) - 1:
            last = to_rgb(picture, LARGE_WIDTH)
    strips = tuple(
        tuple(Still(tick, urls[standing[tick]]) for tick in ticks if standing[tick] in urls)
        for ticks in wanted
    )
    return Film(strips, last)


def changed_heat(ticks: Iterable[Tick], width: int, height: int) -> npt.NDArray[np.float64]:
    """How often each macroblock lay where the screen changed, shape (rows, columns): from the
    boxes around what changed, so a box holds what stands still inside it, too. The first
    picture, which is all new, is left out."""
    heat = np.zeros((-(-height // 16), -(-width // 16)))
    for tick in ticks:
        x, y, w, h = tick.dirty
        if w and tick.index:
            heat[y // 16 : -(-(y + h) // 16), x // 16 : -(-(x + w) // 16)] += 1
    return heat


class CodedHeat:
    """How often each macroblock was not skipped, keyframes left out, shape (rows, columns).
    Counts the maps that someone else reads `through` it, since reading costs time."""

    def __init__(self, width: int, height: int) -> None:
        self.heat = np.zeros((-(-height // 16), -(-width // 16)))

    def through(self, maps: Iterable[PictureMap]) -> Iterator[PictureMap]:
        for picture in maps:
            if picture.references_to != (None, None):
                self.heat += picture.kinds > MacroblockKind.SKIP
            yield picture


def heat_image(heat: npt.NDArray[np.float64]) -> Image:
    """Shape (rows, columns, 4), R G B A: never is clear. Square roots, so that rare is seen."""
    most = heat.max() if heat.size else 0
    part = np.sqrt(heat / most) if most else np.zeros(heat.shape)
    points = np.linspace(0, 1, len(_RAMP))
    channels = [np.interp(part, points, _RAMP[:, n]) for n in range(3)]
    return np.dstack([*channels, np.where(heat > 0, 110 + 90 * part, 0)]).astype(np.uint8)
