"""Tapes: what the layer delivered, in one Matroska file a scenario.

A tape holds two streams and a header:

- lossless video (H.264 High 4:4:4 Predictive, RGB; FFV1 where a frame is not opaque):
  one picture for every tick whose frame differs from the one before;
- a text stream: one JSON record a tick, and one at the end that carries a digest of
  everything else, so that a tape that was cut or damaged is told from a whole one;
- tags: the format's version, and the header as JSON (scenario, settings, environment).

Any Matroska player shows a tape, with the records as its subtitles.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import queue
import struct
import threading
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import numpy.typing as npt

from .errors import TapeError
from .metrics import Mark
from .native import native
from .pipeline import Arrival
from .recorder import Rect
from .ring import VideoRegion
from .scenario import BaseStep, Scenario

FORMAT = 1
"""Version of the tape's format; rises when an older harness could not read it."""

SUFFIX = ".tape.mkv"
VERSION_TAG = "UISPLICE_TAPE"
HEADER_TAG = "UISPLICE_HEADER"

_AHEAD = 16  # decoded frames that wait, 3.7 MB each at 1280x720: pictures differ much in cost

Frame = npt.NDArray[np.uint8]
"""Shape (height, width, 4): B, G, R, A."""


class TapedSpan(NamedTuple):
    """A phase as it was recorded: seconds from tick 0."""

    name: str
    start: float
    end: float


class TapedOutcome(NamedTuple):
    """How an expectation of the page ended when the tape was made: a replay has no page.
    `status` as in checks.Status."""

    phase: str
    text: str
    status: str
    measured: str
    tick: int


@dataclass(frozen=True)
class TapeHeader:
    """What a tape says of itself.

    `recipe` is all of the scenario that decides what is on screen; `environment` is
    the recording's; `unseen_drops` and `missing` are as in Recording and Result.
    """

    title: str
    width: int
    height: int
    fps: int
    ticks: int
    environment: dict[str, str]
    recipe: dict[str, Any]
    spans: tuple[TapedSpan, ...]
    marks: tuple[Mark, ...]
    missing: tuple[str, ...] = ()
    unseen_drops: int = 0
    outcomes: tuple[TapedOutcome, ...] = ()

    def to_json(self) -> str:
        return json.dumps(
            {
                **vars(self),
                "spans": [span._asdict() for span in self.spans],
                "marks": [vars(mark) for mark in self.marks],
                "outcomes": [outcome._asdict() for outcome in self.outcomes],
            },
            ensure_ascii=False,
            sort_keys=True,
        )

    @classmethod
    def from_json(cls, text: str) -> TapeHeader:
        """Raises ValueError, KeyError or TypeError where the text is no header."""
        data = json.loads(text)
        data["spans"] = tuple(TapedSpan(**span) for span in data["spans"])
        data["marks"] = tuple(Mark(**mark) for mark in data["marks"])
        data["missing"] = tuple(data["missing"])
        # Tapes from before there were expectations of the page have none.
        data["outcomes"] = tuple(TapedOutcome(**o) for o in data.get("outcomes", ()))
        return cls(**data)


@dataclass(frozen=True)
class TapedTick:
    """One tick as the recorder took it. `box` is where the frame differs from the one
    before (the first frame: all of it); `crc` is of its pixels, row by row.

    `damage` is None when no frame was taken.
    """

    arrival: Arrival
    damage: Rect | None
    box: Rect
    videos: tuple[VideoRegion, ...]
    crc: int

    @property
    def has_picture(self) -> bool:
        """A picture of the video stream belongs to this tick."""
        return self.box.w > 0

    def to_json(self) -> str:
        data: dict[str, Any] = dict(vars(self.arrival))
        if self.damage is not None:
            data |= {"damage": self.damage, "videos": [vars(video) for video in self.videos]}
        if self.has_picture:
            data |= {"box": self.box, "crc": self.crc}
        return json.dumps(data)

    @classmethod
    def from_json(cls, text: bytes) -> TapedTick:
        """Raises ValueError, KeyError or TypeError where the text is no record."""
        data = json.loads(text)
        damage = data.pop("damage", None)
        videos = data.pop("videos", ())
        box, crc = data.pop("box", (0, 0, 0, 0)), data.pop("crc", 0)
        return cls(
            arrival=Arrival(**data),
            damage=None if damage is None else Rect(*damage),
            box=Rect(*box),
            videos=tuple(VideoRegion(**video) for video in videos),
            crc=crc,
        )


class TapeStep(NamedTuple):
    """A tick and its frame; `frame` is None when no frame was taken. Frames are not
    written to again, and a frame equal to the one before is the same array."""

    tick: TapedTick
    frame: Frame | None


class Seal:
    """The digest over all that a tape holds, taken the same way on both sides."""

    def __init__(self, header: str, video_setup: bytes) -> None:
        self._streams = (hashlib.blake2b(digest_size=16), hashlib.blake2b(digest_size=16))
        self._head = hashlib.blake2b(header.encode() + b"\0" + video_setup, digest_size=16)

    def add(self, stream: int, time_ms: int, data: bytes | memoryview) -> None:
        """A packet; stream 0 is the video, 1 the records. Order counts within a stream."""
        digest = self._streams[stream]
        digest.update(struct.pack("<qQ", time_ms, len(data)))
        digest.update(data)

    def value(self) -> str:
        parts = [self._head.digest(), *(stream.digest() for stream in self._streams)]
        return hashlib.blake2b(b"".join(parts), digest_size=16).hexdigest()


def tape_path(folder: Path, scenario: Scenario) -> Path:
    """Where a scenario's tape lies."""
    return folder / f"{scenario.folder_name}{SUFFIX}"


def recipe_of(scenario: Scenario) -> dict[str, Any]:
    """All of a scenario that decides what is on screen: not its expectations, its encoder
    settings, its texts, nor where things stand in the file. What has its default is left
    out, so that a tape outlives new keys of the language."""
    decisive = {
        "open",
        "clips",
        "viewport",
        "fps",
        "device_pixel_ratio",
        "storage_state",
        "network",
        "reduced_motion",
    }
    data: dict[str, Any] = scenario.model_dump(mode="json", include=decisive, exclude_defaults=True)
    data["phases"] = [
        {
            "name": phase.name,
            "duration": phase.duration,
            "steps": [_recipe_of_step(step) for step in phase.steps],
        }
        for phase in scenario.phases
    ]
    return data


def _recipe_of_step(step: BaseStep) -> dict[str, Any]:
    # `exclude` does not reach into the steps' union, so steps within are dumped by hand.
    held: dict[str, Any] = {
        name: [_recipe_of_step(inner) for inner in getattr(step, name)]
        for name in ("steps", "then", "otherwise")
        if name in type(step).model_fields
    }
    without = {"line", "file", "timeout", *held}
    return {
        "kind": step.kind,
        **step.model_dump(mode="json", exclude=without, exclude_defaults=True),
        **held,
    }


def box_crc(frame: Frame, box: Rect) -> int:
    """CRC-32 of the pixels of a box."""
    rows = frame[box.y : box.y + box.h, box.x : box.x + box.w]
    return zlib.crc32(np.ascontiguousarray(rows).data)


class Tape:
    """A tape that was opened and found whole.

    >>> tape = Tape.open(path)
    >>> for tick, frame in tape:
    ...     ...

    Iterating decodes from the start, as often as wanted, in a thread of its own that is
    a few frames ahead; leaving the loop early ends it.
    """

    def __init__(self, path: Path, header: TapeHeader, ticks: tuple[TapedTick, ...]) -> None:
        self.path = path
        self.header = header
        self.ticks = ticks

    @classmethod
    def open(cls, path: Path) -> Tape:
        """Reads the whole file once and checks its digest.

        Raises:
            TapeError: it is missing, no tape, of a newer format, or damaged.
        """
        if not path.is_file():
            raise TapeError(f"there is no tape {path}", "record it with --tape-record")
        try:
            with av.open(str(path), metadata_errors="replace") as container:
                return cls(path, *_read(path, container))
        except (OSError, av.error.FFmpegError) as error:
            raise TapeError(
                f"{path} is no tape, or a damaged one: {error}", "record it again"
            ) from error

    def __iter__(self) -> Iterator[TapeStep]:
        with contextlib.closing(_ahead(self._frames)) as frames:
            frame: Frame | None = None
            for tick in self.ticks:
                if tick.has_picture:
                    frame = next(frames, None)
                    if frame is None:
                        raise self._damaged("it has fewer pictures than its records say")
                yield TapeStep(tick, None if tick.damage is None else frame)

    def verify(self, progress: Callable[[int], None] = lambda _done: None) -> None:
        """Decodes everything and compares every changed pixel with its checksum.

        Raises:
            TapeError: the decoder shows something else than was recorded.
        """
        for number, (tick, frame) in enumerate(self, 1):
            if tick.has_picture:
                assert frame is not None
                if box_crc(frame, tick.box) != tick.crc:
                    raise self._damaged(
                        f"the picture of tick {number - 1} is not what was recorded"
                    )
            progress(number)

    def _frames(self) -> Iterator[Frame]:
        size = (self.header.width, self.header.height)
        try:
            with av.open(str(self.path), metadata_errors="replace") as container:
                stream = container.streams.video[0]
                stream.thread_type = "AUTO"
                for picture in container.decode(stream):
                    if (picture.width, picture.height) != size:
                        raise self._damaged(f"a picture has {picture.width}x{picture.height}")
                    yield _pixels(picture)
        except (OSError, av.error.FFmpegError) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, what: str) -> TapeError:
        return _damaged(self.path, what)


def _pixels(picture: av.VideoFrame) -> Frame:
    """A decoded picture as B, G, R, A."""
    if picture.format.name != "gbrp":
        return np.asarray(picture.to_ndarray(format="bgra"), np.uint8)
    library = native()
    out = np.empty((picture.height, picture.width, 4), np.uint8)
    planes: list[Any] = []
    for plane in picture.planes:  # G, B, R
        planes += [library.ffi.from_buffer("uint8_t[]", plane), plane.line_size]
    pixels = library.ffi.from_buffer("uint8_t[]", out, require_writable=True)
    library.lib.uis_merge_planes(*planes, pixels, out.strides[0], picture.width, picture.height)
    return out


def _damaged(path: Path, what: str) -> TapeError:
    return TapeError(f"the tape {path} is damaged: {what}", "record it again, or copy it again")


def _read(path: Path, container: Any) -> tuple[TapeHeader, tuple[TapedTick, ...]]:
    tags = {key.upper(): value for key, value in container.metadata.items()}
    version, text = tags.get(VERSION_TAG), tags.get(HEADER_TAG)
    if version is None:
        raise TapeError(
            f"{path} is no tape: it is a media file without the tag {VERSION_TAG}",
            "give the folder that --tape-record wrote to",
        )
    if version != str(FORMAT):
        raise TapeError(
            f"the tape {path} has format {version}; this harness reads format {FORMAT}",
            "replay it with the harness that recorded it, or record it again",
        )
    video, records = container.streams.video, container.streams.subtitles
    if text is None or len(video) != 1 or len(records) != 1:
        raise _damaged(path, "its header or one of its streams is missing")
    codec = video[0].codec_context
    if codec is None:
        raise _damaged(path, "its video is of no known kind")
    seal = Seal(text, codec.extradata or b"")
    ticks: list[TapedTick] = []
    end: str | None = None
    try:
        header = TapeHeader.from_json(text)
        for packet in container.demux():
            if packet.size == 0:
                continue
            if end is not None:
                raise _damaged(path, "something stands behind its end")
            if packet.pts is None:
                raise _damaged(path, "a packet has no time")
            if packet.stream is video[0]:
                seal.add(0, packet.pts, memoryview(packet))
                continue
            data = bytes(packet)
            if data.startswith(b'{"end"'):
                end = str(json.loads(data)["end"])
                continue
            seal.add(1, packet.pts, data)
            ticks.append(TapedTick.from_json(data))
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, f"a record cannot be read ({error})") from error
    if end is None:
        raise _damaged(path, f"it was cut after {len(ticks)} of {header.ticks} ticks")
    if end != seal.value() or len(ticks) != header.ticks or not ticks:
        raise _damaged(path, "its contents do not match its digest")
    return header, tuple(ticks)


class _Failed(NamedTuple):
    error: BaseException


def _ahead(source: Callable[[], Iterator[Frame]]) -> Generator[Frame, None, None]:
    """Runs `source` in a thread, a few frames ahead of whoever takes them."""
    waiting: queue.Queue[Frame | _Failed | None] = queue.Queue(_AHEAD)
    closed = threading.Event()

    def put(item: Frame | _Failed | None) -> bool:
        while not closed.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put(item, timeout=0.1)
                return True
        return False

    def work() -> None:
        try:
            for frame in source():
                if not put(frame):
                    return
            put(None)
        except BaseException as error:  # raised where the frames are taken
            put(_Failed(error))

    thread = threading.Thread(target=work, name="tape-decoder", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, _Failed):
                raise item.error
            yield item
    finally:
        closed.set()
        thread.join()
