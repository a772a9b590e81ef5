"""Judges a recorded stream: does it decode, and to exactly what was encoded?

FFmpeg alone is a weak judge, so OpenH264 (error concealment off) decodes every
stream too, and both decoders' pictures are compared, macroblock by macroblock,
with digests of the encoders' own reconstructions. What decoders let pass is left to
the structure check.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.bitstream import BitStreamFilterContext

from .errors import HarnessError
from .native import Library, native, openh264
from .recorder import Picture, Recording
from .structure import Demands, describe, violations


class Status(enum.Enum):
    """A check that could not be made is NOT_RUN, and never counts as passed."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class CheckResult:
    """One check: its name, how it ended, and what was seen. `tick` is the first one that
    it found something wrong at, None where no tick can be named."""

    name: str
    status: Status
    summary: str
    details: tuple[str, ...] = ()
    tick: int | None = None

    @property
    def passed(self) -> bool:
        return self.status is Status.PASSED


@dataclass(frozen=True)
class DecodedStream:
    """What a decoder made of a stream.

    digests has shape (pictures, macroblocks); errors names the access unit.
    """

    decoder: str
    digests: npt.NDArray[np.uint64]
    sizes: frozenset[tuple[int, int]]
    errors: tuple[str, ...]


_MAX_DETAILS = 20


@dataclass(frozen=True)
class Planes:
    """A decoded I420 picture, cropped: luma of shape (height, width), chroma of half of
    each. Views, valid until the next picture is asked for."""

    y: npt.NDArray[np.uint8]
    u: npt.NDArray[np.uint8]
    v: npt.NDArray[np.uint8]


def digest(picture: Planes) -> bytes:
    """64 bits a macroblock in raster order, as the recorder takes them of what it encoded."""
    library = native()
    height, width = picture.y.shape
    out = library.ffi.new("uint64_t[]", -(-width // 16) * -(-height // 16))
    y, u, v = (
        library.ffi.cast("uint8_t *", plane.ctypes.data)
        for plane in (picture.y, picture.u, picture.v)
    )
    y_stride, c_stride = picture.y.strides[0], picture.u.strides[0]
    library.lib.uis_digest_i420(y, y_stride, u, c_stride, v, width, height, out)
    return bytes(library.ffi.buffer(out))


def _stack(rows: list[bytes]) -> npt.NDArray[np.uint64]:
    if not rows:
        return np.empty((0, 0), np.uint64)
    width = min(len(row) for row in rows)
    return np.frombuffer(b"".join(row[:width] for row in rows), np.uint64).reshape(len(rows), -1)


def _digested(decoder: str, pictures: Iterator[Planes], errors: list[str]) -> DecodedStream:
    rows: list[bytes] = []
    sizes: set[tuple[int, int]] = set()
    for picture in pictures:
        height, width = picture.y.shape
        sizes.add((width, height))
        rows.append(digest(picture))
    return DecodedStream(decoder, _stack(rows), frozenset(sizes), tuple(errors))


def _plane(memory: Any, stride: int, width: int, height: int) -> npt.NDArray[np.uint8]:
    rows = np.frombuffer(memory, np.uint8, stride * (height - 1) + width)
    return np.lib.stride_tricks.as_strided(rows, (height, width), (stride, 1), writeable=False)


def ffmpeg_pictures(path: Path, errors: list[str]) -> Iterator[Planes]:
    """Decodes a file strictly: `err_detect=explode`, and a picture that FFmpeg
    marks corrupt or an error it only logs counts as an error. Errors are appended,
    each with its access unit."""
    previous = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as logs, av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.options = {"err_detect": "explode"}
            stream.codec_context.thread_type = "SLICE"  # errors name the right access unit
            for number, packet in enumerate(container.demux(stream)):
                try:
                    frames = packet.decode()
                except av.error.FFmpegError as error:
                    errors.append(f"access unit {number}: {error}")
                    continue
                for frame in frames:
                    if frame.is_corrupt:
                        errors.append(f"access unit {number}: picture marked corrupt")
                    if frame.format.name != "yuv420p":
                        errors.append(f"access unit {number}: decodes to {frame.format.name}")
                        continue
                    y, u, v = (
                        _plane(plane, plane.line_size, plane.width, plane.height)
                        for plane in frame.planes
                    )
                    yield Planes(y, u, v)
        errors += [f"logged: {message.strip()}" for _, _, message in logs]
    except av.error.FFmpegError as error:
        errors.append(f"the file does not open: {error}")
    finally:
        av.logging.set_level(previous)


def access_units(path: Path) -> Iterator[bytes]:
    """The file's access units as Annex B."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        annex_b = BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            for converted in annex_b.filter(packet):
                yield bytes(converted)


def openh264_pictures(path: Path, errors: list[str]) -> Iterator[Planes]:
    """Decodes a file with OpenH264, error concealment off. Errors are appended.

    Raises:
        EnvironmentProblem: the library is missing.
    """
    library: Library = openh264()
    ffi, lib = library.ffi, library.lib
    error = ffi.new("char[]", 256)
    decoder = lib.uis_openh264_open(error, 256)
    if decoder == ffi.NULL:
        raise HarnessError(library.text(error))
    picture = ffi.new("uis_openh264_picture *")
    try:
        for number, data in enumerate(access_units(path)):
            rc = lib.uis_openh264_decode(decoder, data, len(data), picture)
            if rc < 0:
                errors.append(f"access unit {number}: decoding state {-rc:#x}")
            elif rc == 0:
                errors.append(f"access unit {number}: no picture")
            else:
                width, height = picture.width, picture.height
                planes = [
                    _plane(ffi.buffer(start, stride * (h - 1) + w), stride, w, h)
                    for start, stride, w, h in (
                        (picture.planes[0], picture.strides[0], width, height),
                        (picture.planes[1], picture.strides[1], width // 2, height // 2),
                        (picture.planes[2], picture.strides[2], width // 2, height // 2),
                    )
                ]
                yield Planes(*planes)
    except av.error.FFmpegError as failure:
        errors.append(f"the file does not open: {failure}")
    finally:
        lib.uis_openh264_close(decoder)


def decode_with_ffmpeg(path: Path) -> DecodedStream:
    """Digests of what FFmpeg decodes, and its errors."""
    version = ".".join(str(n) for n in av.library_versions["libavcodec"])
    errors: list[str] = []
    return _digested(f"FFmpeg (libavcodec {version})", ffmpeg_pictures(path, errors), errors)


def decode_with_openh264(path: Path) -> DecodedStream:
    """The same of OpenH264.

    Raises:
        EnvironmentProblem: the library is missing.
    """
    library = openh264()
    errors: list[str] = []
    name = f"OpenH264 {library.text(library.lib.uis_openh264_version())}"
    return _digested(name, openh264_pictures(path, errors), errors)


def check_decodes(decoded: DecodedStream, recording: Recording, short_name: str) -> CheckResult:
    """No error, one picture an access unit, and the size of the view."""
    name = f"decodes in {short_name}"
    pictures = sum(tick.picture is not Picture.NONE for tick in recording.ticks)
    problems = list(decoded.errors)
    size = (recording.settings.width, recording.settings.height)
    if len(decoded.digests) != pictures:
        problems.append(f"{len(decoded.digests)} pictures decoded, {pictures} written")
    if decoded.sizes - {size}:
        problems.append(f"sizes {sorted(decoded.sizes)} instead of {size}")
    if problems:
        return CheckResult(
            name,
            Status.FAILED,
            f"{len(problems)} problems; first: {problems[0]}",
            tuple(problems[:_MAX_DETAILS]),
        )
    if pictures == 0:
        return CheckResult(name, Status.NOT_RUN, "the recording has no picture")
    return CheckResult(name, Status.PASSED, f"{pictures} pictures, 0 errors ({decoded.decoder})")


def check_exact(decoded: DecodedStream, recording: Recording, short_name: str) -> CheckResult:
    """Every decoded macroblock equals the encoders' own reconstruction."""
    name = f"exact in {short_name}"
    expected = recording.digests.load()
    if len(expected) == 0:
        return CheckResult(name, Status.NOT_RUN, "the recording has no picture")
    if decoded.digests.shape != expected.shape:
        return CheckResult(
            name,
            Status.FAILED,
            f"decoded shape {decoded.digests.shape} (pictures, macroblocks) "
            f"instead of {expected.shape}",
        )
    written = [tick for tick in recording.ticks if tick.picture is not Picture.NONE]
    columns = -(-recording.settings.width // 16)
    wrong = np.flatnonzero((decoded.digests != expected).any(axis=1))
    if len(wrong) == 0:
        return CheckResult(
            name,
            Status.PASSED,
            f"{len(expected)} pictures of {expected.shape[1]} macroblocks, 0 differ",
        )
    details = []
    for picture in wrong[:_MAX_DETAILS]:
        places = np.flatnonzero(decoded.digests[picture] != expected[picture])
        tick = written[picture]
        first = int(places[0])
        details.append(
            f"picture {picture} (tick {tick.index}, {tick.tick_class.name}, "
            f"{tick.picture.name.lower()}): {len(places)} macroblocks differ, first at "
            f"x={first % columns * 16} y={first // columns * 16}"
        )
    return CheckResult(
        name,
        Status.FAILED,
        f"{len(wrong)} of {len(expected)} pictures differ; first: {details[0]}",
        tuple(details),
        written[wrong[0]].index,
    )


def check_container(recording: Recording) -> CheckResult:
    """The MKV's own facts: no B-frames, times that rise, and an end that meets the
    recording's."""
    name = "container"
    problems: list[str] = []
    times: list[int] = []
    try:
        with av.open(str(recording.stream)) as container:
            stream = container.streams.video[0]
            context = stream.codec_context
            if context.has_b_frames:
                problems.append("the stream says it has B-frames")
            end = 0
            for packet in container.demux(stream):
                if packet.size == 0 or packet.pts is None:
                    continue
                times.append(packet.pts)
                end = packet.pts + (packet.duration or 0)
            file_end = (container.duration or 0) / av.time_base
    except (OSError, av.error.FFmpegError) as error:
        return CheckResult(name, Status.FAILED, f"the file does not open: {error}")
    pictures = sum(tick.picture is not Picture.NONE for tick in recording.ticks)
    if len(times) != pictures:
        problems.append(f"{len(times)} packets in the file, {pictures} pictures written")
    if any(b <= a for a, b in itertools.pairwise(times)):
        problems.append("timestamps do not rise")
    if abs(file_end - recording.duration) > 0.002:
        problems.append(f"ends at {file_end:.3f} s, the recording at {recording.duration:.3f} s")
    if problems:
        return CheckResult(name, Status.FAILED, "; ".join(problems), tuple(problems))
    return CheckResult(
        name,
        Status.PASSED,
        f"{len(times)} packets, rising times, ends at {file_end:.3f} s "
        f"(last packet {end / 1000:.3f} s)",
    )


PROFILE = "Constrained Baseline"


def check_profile(recording: Recording) -> CheckResult:
    """The stream says that it is Constrained Baseline (H.264 A.2.1.1)."""
    name = "profile"
    if all(tick.picture is Picture.NONE for tick in recording.ticks):
        return CheckResult(name, Status.NOT_RUN, "the recording has no picture")
    try:
        with av.open(str(recording.stream)) as container:
            profile = str(container.streams.video[0].codec_context.profile)
    except (OSError, IndexError, av.error.FFmpegError) as error:
        return CheckResult(name, Status.FAILED, f"the file does not open: {error}")
    return CheckResult(name, Status.PASSED if profile == PROFILE else Status.FAILED, profile)


def check_structure(recording: Recording) -> CheckResult:
    """Every NAL unit says what H.264 and this project allow it to say; see structure.py."""
    name = "stream structure"
    settings = recording.settings
    written = [tick for tick in recording.ticks if tick.picture is not Picture.NONE]
    if not written:
        return CheckResult(name, Status.NOT_RUN, "the recording has no picture")
    try:
        stream = describe(access_units(recording.stream))
    except (OSError, av.error.FFmpegError) as error:
        return CheckResult(name, Status.FAILED, f"the file does not open: {error}")
    demands = Demands(settings.width, settings.height, settings.qp)
    details = []
    first = None
    for violation in violations(stream, demands):
        place = f"picture {violation.picture}"
        if violation.picture < len(written):
            tick = written[violation.picture]
            first = tick.index if first is None else first
            kind = f"{tick.tick_class.name}, {tick.picture.name.lower()}"
            place += f" (tick {tick.index}, {kind})"
        if violation.slice is not None:
            place += f", slice {violation.slice}"
        details.append(f"{place}: {violation.text}")
    if details:
        return CheckResult(
            name,
            Status.FAILED,
            f"{len(details)} violations; first: {details[0]}",
            tuple(details[:_MAX_DETAILS]),
            first,
        )
    return CheckResult(
        name,
        Status.PASSED,
        f"{len(stream.units)} NAL units of {len(written)} pictures, 0 violations",
    )


def check_recording(recording: Recording) -> tuple[CheckResult, ...]:
    """All checks that every recording gets, in the order to read them."""
    results = [check_container(recording), check_profile(recording)]
    if recording.settings.mode == "spliced":  # a plain encoder's stream has its own structure
        results.append(check_structure(recording))
    for short, decode in (("FFmpeg", decode_with_ffmpeg), ("OpenH264", decode_with_openh264)):
        try:
            decoded = decode(recording.stream)
        except HarnessError as error:
            results.append(CheckResult(f"decodes in {short}", Status.NOT_RUN, str(error)))
            results.append(CheckResult(f"exact in {short}", Status.NOT_RUN, "not decoded"))
            continue
        results.append(check_decodes(decoded, recording, short))
        results.append(check_exact(decoded, recording, short))
    return tuple(results)
