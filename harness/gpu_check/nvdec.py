"""Streams through the card's decoder: every picture's MD5 against FFmpeg's own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from ..checks import Planes, ffmpeg_pictures
from .driver import require_driver
from .model import CheckFailed, Context, NotRun, Seen

DECODER = "h264_cuvid"  # NVIDIA's parser and decoder; FFmpeg only hands over packets
_SHOWN = 10  # differences that are named


def md5(picture: Planes) -> str:
    """Of the I420 bytes: luma, Cb, Cr, rows without padding."""
    digest = hashlib.md5(usedforsecurity=False)
    for plane in (picture.y, picture.u, picture.v):
        digest.update(plane.tobytes())
    return digest.hexdigest()


def nvdec_pictures(path: Path, errors: list[str]) -> Iterator[Planes]:
    """Decodes a file with NVDEC, in display order. Errors are appended."""
    previous = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as logs, av.open(str(path)) as container:
            stream = container.streams.video[0]
            decoder = av.CodecContext.create(DECODER, "r")
            decoder.extradata = stream.codec_context.extradata
            for number, packet in enumerate(container.demux(stream)):
                for frame in decoder.decode(packet):  # type: ignore[attr-defined]
                    if frame.format.name != "nv12":
                        errors.append(f"access unit {number}: decodes to {frame.format.name}")
                        continue
                    yield _planes(frame)
        errors += [f"logged: {message.strip()}" for _, _, message in logs]
    except (av.error.FFmpegError, ValueError) as error:
        said = [message.strip() for _, _, message in logs if message.strip()]
        errors.append("; ".join(said) or str(error))
    finally:
        av.logging.set_level(previous)


def _planes(frame: av.VideoFrame) -> Planes:
    height, width = frame.height, frame.width
    luma, chroma = (
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        for plane in frame.planes
    )
    rows, columns = -(-height // 2), -(-width // 2)
    pairs = chroma[:rows, : 2 * columns]
    return Planes(luma[:height, :width], pairs[:, 0::2], pairs[:, 1::2])


def compare(path: Path, committed: list[str] | None = None) -> tuple[int, list[str]]:
    """Decodes a file twice, picture by picture side by side; returns how many pictures
    FFmpeg shows and what differs. `committed` are MD5s that both must have, too."""
    problems: list[str] = []
    soft: list[str] = []
    hard: list[str] = []
    expected = [md5(picture) for picture in ffmpeg_pictures(path, soft)]
    shown = [md5(picture) for picture in nvdec_pictures(path, hard)]
    problems += [f"FFmpeg: {error}" for error in soft]
    problems += [f"NVDEC: {error}" for error in hard]
    if not expected:
        problems.append("FFmpeg shows no picture")
    if len(shown) != len(expected):
        problems.append(f"NVDEC shows {len(shown)} pictures, FFmpeg {len(expected)}")
    wrong = [n for n, (a, b) in enumerate(zip(expected, shown, strict=False)) if a != b]
    if wrong:
        problems.append(f"{len(wrong)} of {len(expected)} pictures differ, first {wrong[0]}")
    if committed is not None and committed != expected:
        problems.append("FFmpeg's pictures are not those whose MD5s were committed")
    return len(expected), problems


def samples(context: Context) -> Seen:
    """Every committed stream: spliced, merged, long-term references, regions, row slices."""
    require_driver()
    paths = sorted(context.samples.glob("*.h264"))
    if not paths:
        raise NotRun(f"{context.samples} holds no stream; name their folder with --samples")
    streams = {path.stem: path for path in paths}
    return _decoded(
        context,
        streams,
        {name: path.with_suffix(".md5").read_text().split() for name, path in streams.items()},
    )


def recordings(context: Context) -> Seen:
    """What this run recorded with Chrome, whole."""
    require_driver()
    if not context.recordings:
        raise NotRun("nothing was recorded in this run (the phases checks make the streams)")
    return _decoded(context, context.recordings, {})


def _decoded(context: Context, streams: dict[str, Path], committed: dict[str, list[str]]) -> Seen:
    figures: dict[str, str | int | float] = {"streams": len(streams)}
    problems, pictures = [], 0
    for name, path in streams.items():
        context.stage(name)
        count, wrong = compare(path, committed.get(name))
        pictures += count
        problems += [f"{name}: {problem}" for problem in wrong]
    figures["pictures"] = pictures
    if problems:
        raise CheckFailed(
            f"{len(problems)} problems; first: {problems[0]}", figures, *problems[:_SHOWN]
        )
    return Seen(f"{len(streams)} streams, {pictures} pictures, every MD5 equal", figures)
