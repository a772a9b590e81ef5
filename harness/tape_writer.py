"""Makes a tape of what a recorder has spooled.

While Chrome runs there is no time to compress: the recorder's native side writes raw
pixels to a file without a name (native/include/uisplice/spool.h). This makes the tape
of it afterwards, and reads it back before it takes its place.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from .errors import TapeError
from .native import native
from .pipeline import Arrival
from .recorder import Rect
from .ring import VideoRegion
from .tape import (
    FORMAT,
    HEADER_TAG,
    VERSION_TAG,
    Frame,
    Seal,
    Tape,
    TapedTick,
    TapeHeader,
    box_crc,
)

_MILLISECOND = Fraction(1, 1000)
# CAVLC instead of CABAC: a fifth larger, and decoded in half the time.
_H264 = {"qp": "0", "preset": "superfast", "coder": "0", "keyint": "infinite"}
_FFV1 = {"level": "3", "slices": "4", "slicecrc": "1"}


def open_spool(folder: Path, *, named: bool = False) -> BinaryIO:
    """A file for the recorder's raw frames; it has no name, so however the run ends,
    nothing is left. `named`: another process has to open it, too; whoever knows that it
    did removes the name.

    Raises:
        TapeError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Not buffered: the native side writes to the descriptor.
        if named:
            return (folder / f".frames-{secrets.token_hex(8)}").open("x+b", buffering=0)
        return tempfile.TemporaryFile(dir=folder, buffering=0)
    except OSError as error:
        raise TapeError(
            f"cannot write to the folder {folder}: {error}",
            "check the folder's rights and free space",
        ) from error


def require_folder(folder: Path) -> None:
    """Finds out before a recording, not behind it, whether tapes can be written.

    Raises:
        TapeError: they cannot.
    """
    open_spool(folder).close()


@dataclass(frozen=True)
class _Spooled:
    """One record of a spool: the tick (without its checksum), and its pixels' place."""

    tick: TapedTick
    offset: int
    size: int
    opaque: bool


def read_spool(spool: BinaryIO) -> tuple[_Spooled, ...]:
    """All records of a spool, without their pixels. A record that was cut is left out."""
    ffi = native().ffi
    size = ffi.sizeof("uis_spool_record")
    raw = ffi.new("uis_spool_record *")
    records = []
    end = spool.seek(0, 2)
    offset = 0
    while offset + size <= end:
        spool.seek(offset)
        ffi.memmove(raw, spool.read(size), size)
        offset += size
        if raw.magic != native().lib.UIS_SPOOL_MAGIC or offset + raw.size > end:
            break
        records.append(_Spooled(_tick(raw), offset, raw.size, bool(raw.opaque)))
        offset += raw.size
    return tuple(records)


def _tick(raw: Any) -> TapedTick:
    def rect(r: Any) -> Rect:
        return Rect(r.x, r.y, r.w, r.h)

    videos = tuple(
        VideoRegion(v.id, v.rect.x, v.rect.y, v.rect.w, v.rect.h, bool(v.playing), v.changed_ns)
        for v in raw.regions[0 : raw.region_count]
    )
    return TapedTick(
        arrival=Arrival(
            raw.tick_ns, raw.present_ns, raw.sequence, raw.presents, raw.coalesced, raw.dropped
        ),
        damage=rect(raw.damage) if raw.sequence else None,
        box=rect(raw.box),
        videos=videos,
        crc=0,
    )


def write_tape(
    path: Path,
    header: TapeHeader,
    spool: BinaryIO,
    progress: Callable[[int], None] = lambda _done: None,
) -> None:
    """Writes the tape of a spool, reads it back, and only then puts it in its place.

    `header.ticks` is set from the spool. `progress` takes up to twice the number of
    ticks: once over them to write, once to read back.

    Raises:
        TapeError: it cannot be written, or does not read back as it was.
    """
    records = read_spool(spool)
    if not records:
        raise TapeError(f"no tape {path} is made: no tick was recorded")
    header = dataclasses.replace(header, ticks=len(records))
    part, sealed = (path.with_name(f".{path.name}.{end}") for end in ("part", "sealed"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _writing(part, header, lossless_alpha=not all(r.opaque for r in records)) as writer:
            for number, (tick, frame) in enumerate(_steps(spool, records, header), 1):
                writer.add(tick, frame if tick.has_picture else None)
                progress(number)
        _seal(part, sealed, header)
        Tape.open(sealed).verify(lambda done: progress(len(records) + done))
        sealed.replace(path)
    except (OSError, av.error.FFmpegError) as error:
        raise TapeError(
            f"cannot write the tape {path}: {error}", "check the folder's rights and free space"
        ) from error
    finally:
        part.unlink(missing_ok=True)
        sealed.unlink(missing_ok=True)


def _steps(
    spool: BinaryIO, records: tuple[_Spooled, ...], header: TapeHeader
) -> Iterator[tuple[TapedTick, Frame]]:
    """Every tick, checksum included, and the frame as it then stood (one array, reused)."""
    frame = np.zeros((header.height, header.width, 4), np.uint8)
    for record in records:
        tick = record.tick
        if tick.has_picture:
            x, y, w, h = tick.box
            spool.seek(record.offset)
            pixels = np.frombuffer(_read_all(spool, record.size), np.uint8)
            frame[y : y + h, x : x + w] = pixels.reshape(h, w, 4)
            tick = dataclasses.replace(tick, crc=box_crc(frame, tick.box))
        yield tick, frame


def _read_all(file: BinaryIO, size: int) -> bytes:
    parts = []
    while size > 0:
        part = file.read(size)
        if not part:
            raise OSError("the spool is shorter than its records say")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class _Writer:
    """The two streams of a tape that is being written."""

    def __init__(self, container: OutputContainer, header: TapeHeader, alpha: bool) -> None:
        self._container = container
        self._fps = header.fps
        self._ticks = 0
        container.metadata.update(_tags(header))
        codec, self._format, options = (
            ("ffv1", "bgra", _FFV1) if alpha else ("libx264rgb", "bgr0", _H264)
        )
        self._video = cast(
            VideoStream, container.add_stream(codec, rate=header.fps, options=options)
        )
        self._video.width, self._video.height = header.width, header.height
        self._video.pix_fmt = self._format
        self._video.codec_context.max_b_frames = 0
        self._video.codec_context.time_base = _MILLISECOND
        self._records = container.add_mux_stream("subrip", time_base=_MILLISECOND)

    def add(self, tick: TapedTick, frame: Frame | None) -> None:
        packet = _record(tick.to_json().encode(), self._ticks, self._fps)
        if frame is not None:
            picture = av.VideoFrame(self._video.width, self._video.height, self._format)
            plane = picture.planes[0]
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            rows[: frame.shape[0], : frame.shape[1] * 4] = frame.reshape(frame.shape[0], -1)
            picture.pts, picture.time_base = packet.pts, _MILLISECOND
            self._container.mux(self._video.encode(picture))
        packet.stream = self._records
        self._container.mux_one(packet)
        self._ticks += 1

    def finish(self) -> None:
        self._container.mux(self._video.encode(None))


def _tags(header: TapeHeader) -> dict[str, str]:
    return {VERSION_TAG: str(FORMAT), HEADER_TAG: header.to_json(), "title": header.title}


def _record(data: bytes, tick: int, fps: int) -> av.Packet[Any]:
    """The packet of a tick's record, lasting as long as the tick."""
    packet = av.Packet(data)
    packet.time_base = _MILLISECOND
    packet.pts = packet.dts = round(tick * 1000 / fps)
    packet.duration = round((tick + 1) * 1000 / fps) - packet.pts
    packet.is_keyframe = True
    return packet


def _seal(part: Path, sealed: Path, header: TapeHeader) -> None:
    """Copies the packets and adds the end with its digest. A second file, because the
    muxer rewrites packets (length prefixes for start codes): the digest is of what a
    reader gets."""
    with (
        av.open(str(part)) as read,
        av.open(str(sealed), "w", format="matroska") as write,
    ):
        write.metadata.update(_tags(header))
        video, records = read.streams.video[0], read.streams.subtitles[0]
        out_video = write.add_stream_from_template(video, opaque=True)
        out_records = write.add_mux_stream("subrip", time_base=_MILLISECOND)
        seal = Seal(header.to_json(), video.codec_context.extradata or b"")
        for packet in read.demux(video, records):
            if packet.size == 0 or packet.pts is None:
                continue
            is_video = packet.stream is video
            seal.add(0 if is_video else 1, packet.pts, bytes(packet))
            packet.stream = out_video if is_video else out_records
            write.mux_one(packet)
        end = _record(b'{"end": "%s"}' % seal.value().encode(), header.ticks, header.fps)
        end.stream = out_records
        write.mux_one(end)


@contextlib.contextmanager
def _writing(path: Path, header: TapeHeader, *, lossless_alpha: bool) -> Iterator[_Writer]:
    with av.open(str(path), "w", format="matroska") as container:
        writer = _Writer(container, header, lossless_alpha)
        yield writer
        writer.finish()
