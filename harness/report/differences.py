"""What a failure looks like: the captured frame, what decoders show, and how they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..captured import CapturedPicture, Frame, to_planes
from ..checks import Planes, digest, ffmpeg_pictures, openh264_pictures
from ..errors import HarnessError
from ..recorder import Recording, Rect, Tick
from ..tape import Tape
from .pictures import LARGE_WIDTH, Image, data_url, to_rgb
from .tick_data import picture_ticks

DIFFERENCES = 3
"""Pictures of a broken recording that are shown, and captured frames of failures."""

AMPLIFIED = 8
_PINK, _YELLOW, _WHITE = (255, 64, 160), (240, 228, 66), (255, 255, 255)


@dataclass(frozen=True)
class Compared:
    """A captured frame and what FFmpeg shows at its tick, with the damage and the regions
    drawn in, and how far their luma lies apart, amplified. None: there is no such picture.
    `apart` is the largest difference."""

    captured: str
    decoded: str | None
    difference: str | None
    apart: int


class _Taped:
    """A tape's frames at ticks that rise."""

    def __init__(self, tape: Tape) -> None:
        self._steps = iter(tape)
        self._tick = -1
        self._frame: Frame | None = None

    def at(self, tick: int) -> Frame | None:
        """What stood on screen then."""
        while self._tick < tick:
            step = next(self._steps, None)
            if step is None:
                return None
            self._tick += 1
            if step.frame is not None:
                self._frame = step.frame
        return self._frame


def compare(frame: Frame, shown: Planes | None, tick: Tick | None) -> Compared:
    """`tick` has the damage and the regions; None where they are not known."""
    captured = to_planes(frame)
    difference, apart = None, 0
    if shown is not None and shown.y.shape == captured.y.shape:
        difference = data_url(_amplified(captured, shown))
        apart = int(np.abs(captured.y.astype(np.int16) - shown.y).max())
    return Compared(
        captured=data_url(_marked(captured, tick), quality=75),
        decoded=None if shown is None else data_url(_marked(shown, tick), quality=75),
        difference=difference,
        apart=apart,
    )


@dataclass(frozen=True)
class Failure:
    """A captured frame that was kept when something failed. `picture` is what the stream
    shows at `tick`, the tick that took the frame; None where none did."""

    name: str
    tick: int | None
    picture: int | None
    compared: Compared


def failures_seen(
    recording: Recording, captured: Sequence[CapturedPicture], *, decode: bool
) -> Iterator[Failure]:
    """The first DIFFERENCES frames that were kept. Without `decode` the stream is left alone."""
    kept = captured[:DIFFERENCES]
    by_sequence = {tick.sequence: tick for tick in recording.ticks if tick.sequence}
    pictures = picture_ticks(recording.ticks)
    standing: dict[int, int] = {}  # picture by the frame's number in `kept`
    for number, one in enumerate(kept):
        tick = by_sequence.get(one.sequence)
        if tick is not None:
            standing[number] = int(np.searchsorted(pictures, tick.index, side="right")) - 1
    wanted = {picture for picture in standing.values() if picture >= 0} if decode else set()
    shown: dict[int, Planes] = {}
    if wanted:
        decoder = ffmpeg_pictures(recording.stream, [])
        for number in range(max(wanted) + 1):
            picture = _next(decoder)
            if picture is None:
                break
            if number in wanted:
                # What a decoder gives is overwritten by the next picture.
                shown[number] = Planes(picture.y.copy(), picture.u.copy(), picture.v.copy())
    for number, one in enumerate(kept):
        tick = by_sequence.get(one.sequence)
        at = standing.get(number, -1)
        yield Failure(
            name=one.name,
            tick=None if tick is None else tick.index,
            picture=at if at in shown else None,
            compared=compare(one.read(), shown.get(at), tick),
        )


@dataclass(frozen=True)
class Difference:
    """A picture that a decoder shows otherwise than the encoders reconstructed it: what each
    decoder shows with regions, damage and wrong macroblocks drawn in, and their difference,
    amplified. `detail` is of where the first wrong macroblocks are. None: that decoder shows
    nothing, or both show the same. `captured` compares with what the layer took, where a tape
    has it."""

    picture: int
    tick: int
    wrong: Mapping[str, int]  # macroblocks, by decoder
    ffmpeg: str | None
    openh264: str | None
    difference: str | None
    detail: str | None
    captured: Compared | None


def find_differences(recording: Recording, tape: Tape | None = None) -> Iterator[Difference]:
    """The first DIFFERENCES pictures that are not exact: the decoders are compared with each
    other, with the digests by macroblock, and with the captured frame, which is kept only
    where the recording made a `tape`, or was made of one.

    Raises:
        TapeError: the tape does not decode.
    """
    taped = None if tape is None else _Taped(tape)
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
        frame = None if taped is None else taped.at(tick.index)
        yield Difference(
            picture=number,
            tick=tick.index,
            wrong={name: int(bad.sum()) for name, bad in wrong.items()},
            ffmpeg=_drawn(ffmpeg, tick, wrong.get("FFmpeg")),
            openh264=_drawn(other, tick, wrong.get("OpenH264")),
            difference=_subtracted(ffmpeg, other),
            detail=_detail(ffmpeg or other, wrong.get("FFmpeg", wrong.get("OpenH264"))),
            captured=None if frame is None else compare(frame, ffmpeg or other, tick),
        )
        found += 1
        if found == DIFFERENCES:
            return


def _next(pictures: Iterator[Planes]) -> Planes | None:
    try:
        return next(pictures, None)
    except (HarnessError, OSError):
        return None


def _amplified(a: Planes, b: Planes) -> Image:
    """Their difference in luma as grey: black where they are equal."""
    grey = np.minimum(np.abs(a.y.astype(np.int16) - b.y) * AMPLIFIED, 255).astype(np.uint8)
    zero = np.full((grey.shape[0] // 2, grey.shape[1] // 2), 128, np.uint8)
    return to_rgb(Planes(grey, zero, zero), LARGE_WIDTH)


def _subtracted(a: Planes | None, b: Planes | None) -> str | None:
    if a is None or b is None or a.y.shape != b.y.shape or np.array_equal(a.y, b.y):
        return None
    return data_url(_amplified(a, b))


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
            _frame(image, Rect(left, top, 16, 16), 2, _PINK, 1)
    return data_url(image, quality=80)


def _drawn(picture: Planes | None, tick: Tick, wrong: npt.NDArray[np.bool_] | None) -> str | None:
    if picture is None or wrong is None:
        return None
    return data_url(_marked(picture, tick, wrong), quality=75)


def _marked(
    picture: Planes, tick: Tick | None, wrong: npt.NDArray[np.bool_] | None = None
) -> Image:
    """Wrong macroblocks in pink, the tick's regions in yellow, its damage in white."""
    height, width = picture.y.shape
    image: Image = to_rgb(picture, LARGE_WIDTH).copy()
    scale = LARGE_WIDTH / width
    columns = -(-width // 16)
    if wrong is not None and wrong.size == columns * -(-height // 16):
        for place in np.flatnonzero(wrong):
            x, y = int(place) % columns * 16, int(place) // columns * 16
            _frame(image, Rect(x, y, 16, 16), scale, _PINK, 1)
    if tick is not None:
        for region in tick.region_rects:
            _frame(image, region, scale, _YELLOW, 2)
        if tick.dirty.w:
            _frame(image, tick.dirty, scale, _WHITE, 1)
    return image


def _frame(
    image: Image, rect: Rect, scale: float, colour: tuple[int, int, int], thick: int
) -> None:
    left, top = round(rect.x * scale), round(rect.y * scale)
    right, bottom = round((rect.x + rect.w) * scale), round((rect.y + rect.h) * scale)
    box = image[top:bottom, left:right]
    for side in (box[:thick], box[-thick:], box[:, :thick], box[:, -thick:]):
        side[...] = colour
