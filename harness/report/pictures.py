"""Pictures for the report: filmstrips of the phases, heat maps, and what decoders disagree on."""

from __future__ import annotations

import base64
import fractions
import io
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from ..checks import Planes, digest, ffmpeg_pictures, openh264_pictures
from ..errors import HarnessError
from ..metrics import Phase
from ..recorder import Recording, Rect, Tick
from .macroblock_maps import MacroblockKind, PictureMap
from .tick_data import picture_ticks

Image = npt.NDArray[np.uint8]
"""Shape (height, width, 3): R, G, B."""

FILM_WIDTH = 176
FILM_LENGTH = 5
DIFFERENCES = 3
"""Pictures of a broken recording that are shown."""

AMPLIFIED = 8
_LARGE_WIDTH = 640

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


def data_url(image: Image, *, lossless: bool = False, quality: int = 60) -> str:
    """WebP, or PNG where `lossless`, as a data URL. RGB, or RGBA for PNG."""
    codec, kind = ("png", "png") if lossless else ("libwebp", "webp")
    context: Any = av.CodecContext.create(codec, "w")
    context.height, context.width = image.shape[:2]
    layout = "rgba" if image.shape[2] == 4 else "rgb24"
    context.pix_fmt = layout if lossless else "yuv420p"
    context.time_base = fractions.Fraction(1, 25)
    if not lossless:
        context.options = {"quality": str(quality)}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), layout)
    if not lossless:
        frame = frame.reformat(format="yuv420p")
    out = io.BytesIO()
    for packet in (*context.encode(frame), *context.encode(None)):
        out.write(bytes(packet))
    return f"data:image/{kind};base64," + base64.b64encode(out.getvalue()).decode()


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
            last = to_rgb(picture, _LARGE_WIDTH)
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


@dataclass(frozen=True)
class Difference:
    """A picture that a decoder shows otherwise than the encoders reconstructed it: what each
    decoder shows with regions, damage and wrong macroblocks drawn in, and their difference,
    amplified. `detail` is of where the first wrong macroblocks are. None: that decoder shows
    nothing, or both show the same."""

    picture: int
    tick: int
    wrong: Mapping[str, int]  # macroblocks, by decoder
    ffmpeg: str | None
    openh264: str | None
    difference: str | None
    detail: str | None


def find_differences(recording: Recording) -> Iterator[Difference]:
    """The first DIFFERENCES pictures that are not exact. The captured frames are not kept,
    so the decoders are compared with each other, and with the digests by macroblock."""
    expected = recording.digests.load()
    pictures = picture_ticks(recording.ticks)
    by_index = {tick.index: tick for tick in recording.ticks}
    decoders = {
        "FFmpeg": ffmpeg_pictures(recording.stream, []),
        "OpenH264": openh264_pictures(recording.stream, []),
    }
    found = 0
    for number in range(len(expected)):
        shown = {name: _next(decoder) for name, decoder in decoders.items()}
        if not any(shown.values()):
            return
        wrong: dict[str, npt.NDArray[np.bool_]] = {}
        for name, picture in shown.items():
            if picture is not None:
                got = np.frombuffer(digest(picture), np.uint64)
                same_size = got.shape == expected[number].shape
                wrong[name] = got != expected[number] if same_size else np.ones(1, np.bool_)
        if not any(bad.any() for bad in wrong.values()):
            continue
        tick = by_index[pictures[number]]
        ffmpeg, other = shown["FFmpeg"], shown["OpenH264"]
        yield Difference(
            picture=number,
            tick=tick.index,
            wrong={name: int(bad.sum()) for name, bad in wrong.items()},
            ffmpeg=_drawn(ffmpeg, tick, wrong.get("FFmpeg")),
            openh264=_drawn(other, tick, wrong.get("OpenH264")),
            difference=_subtracted(ffmpeg, other),
            detail=_detail(ffmpeg or other, wrong.get("FFmpeg", wrong.get("OpenH264"))),
        )
        found += 1
        if found == DIFFERENCES:
            return


def _next(pictures: Iterator[Planes]) -> Planes | None:
    try:
        return next(pictures, None)
    except (HarnessError, OSError):
        return None


def _subtracted(a: Planes | None, b: Planes | None) -> str | None:
    if a is None or b is None or a.y.shape != b.y.shape:
        return None
    apart = np.abs(a.y.astype(np.int16) - b.y) * AMPLIFIED
    if not apart.any():
        return None
    grey = np.minimum(apart, 255).astype(np.uint8)
    zero = np.full((grey.shape[0] // 2, grey.shape[1] // 2), 128, np.uint8)
    return data_url(to_rgb(Planes(grey, zero, zero), _LARGE_WIDTH))


def _detail(picture: Planes | None, wrong: npt.NDArray[np.bool_] | None) -> str | None:
    """Twenty by twelve macroblocks around the first wrong one, enlarged."""
    if picture is None or wrong is None:
        return None
    height, width = picture.y.shape
    columns = -(-width // 16)
    if wrong.size != columns * -(-height // 16) or not wrong.any():
        return None
    first = int(np.flatnonzero(wrong)[0])
    w, h = min(width, 320), min(height, 192)
    x = min(max(first % columns * 16 - w // 2, 0), width - w) & ~1
    y = min(max(first // columns * 16 - h // 2, 0), height - h) & ~1
    image = to_rgb(picture, width)[y : y + h, x : x + w].repeat(2, axis=0).repeat(2, axis=1)
    for place in np.flatnonzero(wrong):
        left, top = int(place) % columns * 16 - x, int(place) // columns * 16 - y
        if 0 <= left < w and 0 <= top < h:
            _frame(image, Rect(left, top, 16, 16), 2, (255, 64, 160), 1)
    return data_url(image, quality=80)


def _drawn(picture: Planes | None, tick: Tick, wrong: npt.NDArray[np.bool_] | None) -> str | None:
    if picture is None or wrong is None:
        return None
    height, width = picture.y.shape
    image = to_rgb(picture, _LARGE_WIDTH).copy()
    scale = _LARGE_WIDTH / width
    columns = -(-width // 16)
    if wrong.size == columns * -(-height // 16):
        for place in np.flatnonzero(wrong):
            x, y = int(place) % columns * 16, int(place) // columns * 16
            _frame(image, Rect(x, y, 16, 16), scale, (255, 64, 160), 1)
    for region in tick.region_rects:
        _frame(image, region, scale, (240, 228, 66), 2)
    if tick.dirty.w:
        _frame(image, tick.dirty, scale, (255, 255, 255), 1)
    return data_url(image, quality=75)


def _frame(
    image: Image, rect: Rect, scale: float, colour: tuple[int, int, int], thick: int
) -> None:
    left, top = round(rect.x * scale), round(rect.y * scale)
    right, bottom = round((rect.x + rect.w) * scale), round((rect.y + rect.h) * scale)
    box = image[top:bottom, left:right]
    for side in (box[:thick], box[-thick:], box[:, :thick], box[:, -thick:]):
        side[...] = colour
