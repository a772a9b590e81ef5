"""Writes access units into a variable-frame-rate Matroska file, passed through as they are."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from .errors import RecorderError

_MILLISECOND = Fraction(1, 1000)  # Matroska's default clock


class Muxer:
    """One H.264 stream into one `.mkv`.

    Each picture lasts until the next one, so a picture is written when its
    successor (or the end) is known. Clusters are short and flushed, so a
    process that is killed leaves a file that plays up to its last second.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pictures = 0
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._waiting: tuple[int, bytes, bool] | None = None

    def add(self, access_unit: bytes, time_s: float, keyframe: bool) -> None:
        """Takes one access unit (Annex B).

        Args:
            access_unit: the first one must bring SPS and PPS.
            time_s: when it is to be shown, seconds from the recording's start.
                Times must rise; equal milliseconds are moved apart by one.
            keyframe: an IDR picture.

        Raises:
            RecorderError: the file cannot be written.
        """
        time_ms = round(time_s * 1000)
        if self._waiting is not None:
            assert self._container is not None
            time_ms = max(time_ms, self._waiting[0] + 1)
            self._write(self._container, self._waiting, time_ms)
        elif self._container is None:
            self._open(access_unit)
        self._waiting = (time_ms, access_unit, keyframe)

    def close(self, end_s: float) -> None:
        """Writes what waits, lasting until `end_s`, and finishes the file. May be called
        twice. Raises RecorderError where the file cannot be written; it is closed then, too."""
        container, self._container = self._container, None
        waiting, self._waiting = self._waiting, None
        if container is None:
            return
        try:
            if waiting is not None:
                end_ms = max(round(end_s * 1000), waiting[0] + 1)
                self._write(container, waiting, end_ms)
        finally:
            try:
                container.close()
            except (OSError, av.error.FFmpegError) as error:
                raise self._unwritable(error) from error

    def _open(self, first: bytes) -> None:
        try:
            # The raw-H.264 demuxer reads the parameter sets, so that the file's
            # header (CodecPrivate, size, profile) is FFmpeg's own reading of them.
            with av.open(io.BytesIO(first), format="h264") as parsed:
                self._container = av.open(
                    str(self.path),
                    "w",
                    format="matroska",
                    # bitexact: no random identifiers, so that the same access units
                    # make the same file.
                    options={
                        "cluster_time_limit": "1000",
                        "flush_packets": "1",
                        "fflags": "+bitexact",
                    },
                )
                template = parsed.streams.video[0]
                self._stream = self._container.add_stream_from_template(template, opaque=True)
                self._stream.time_base = _MILLISECOND
        except (OSError, av.error.FFmpegError) as error:
            raise RecorderError(
                f"cannot write {self.path}: {error}", "check the folder's rights and free space"
            ) from error

    def _write(
        self, container: OutputContainer, waiting: tuple[int, bytes, bool], next_ms: int
    ) -> None:
        assert self._stream is not None
        time_ms, data, keyframe = waiting
        packet = av.Packet(data)
        packet.stream = self._stream
        packet.time_base = _MILLISECOND
        packet.pts = packet.dts = time_ms
        packet.duration = next_ms - time_ms
        packet.is_keyframe = keyframe
        try:
            container.mux_one(packet)
        except (OSError, av.error.FFmpegError) as error:
            raise self._unwritable(error) from error
        self.pictures += 1

    def _unwritable(self, error: Exception) -> RecorderError:
        return RecorderError(f"cannot write {self.path}: {error}", "check the disk's free space")

    def __enter__(self) -> Muxer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(0.0)
