"""Streams of two encoders for tests of the bitstream reader."""

from __future__ import annotations

import fractions
import functools
import io
import shutil
import subprocess
import tempfile
from pathlib import Path

import av
import numpy as np

from . import content

WIDTH, HEIGHT, COUNT = 352, 208, 24


def pictures(
    kind: str, frames: int = COUNT, width: int = WIDTH, height: int = HEIGHT
) -> tuple[content.Frame, ...]:
    """Frames of shape (height, width, 4), B G R A: "natural", "noise" or "screen", which
    is a UI that scrolls by whole lines and changes in places."""
    if kind == "natural":
        return content.natural(width, height, frames)
    if kind == "noise":
        rng = np.random.default_rng(0)
        shape = (height, width, 4)
        return tuple(rng.integers(0, 255, shape, dtype=np.uint8) for _ in range(frames))
    page = content.ui(width, height + 16 * frames, seed=5)
    return tuple(
        content.paste(page[4 * i : 4 * i + height], content.ui(40, 24, seed=i), 8 * i % width, 32)
        for i in range(frames)
    )


def with_x264(
    frames: tuple[content.Frame, ...],
    preset: str,
    qp: int,
    parameters: str,
    adaptive: bool = False,
) -> bytes:
    """The frames through libx264, Baseline, as Annex B. `adaptive`: QPs may differ from `qp`,
    as x264 allows them at a constant quality only."""
    out = io.BytesIO()
    with av.open(out, "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {
            "preset": preset,
            "profile": "baseline",
            "crf" if adaptive else "qp": str(qp),
            "x264-params": parameters,
        }
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "bgra")
            frame.pts, frame.time_base = number, fractions.Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


@functools.cache
def _openh264_encoder() -> Path:
    """The test program around OpenH264's encoder, built once a process."""
    compiler = shutil.which("cc")
    assert compiler, "make setup installs a compiler"
    folder = tempfile.TemporaryDirectory(prefix="uisplice-openh264-")
    _folders.append(folder)
    program = Path(folder.name) / "openh264_encode"
    source = Path(__file__).with_name("openh264_encode.c")
    subprocess.run(
        [compiler, "-std=c11", "-O1", str(source), "-lopenh264", "-o", str(program)], check=True
    )
    return program


_folders: list[tempfile.TemporaryDirectory[str]] = []


def with_openh264(
    frames: tuple[content.Frame, ...],
    qp: int,
    *,
    slices: int = 1,
    rows: bool = False,
    slice_bytes: int = 0,
    screen: bool = False,
    layers: int = 1,
    ltr: bool = False,
) -> bytes:
    """The frames through OpenH264's encoder at a constant QP, as Annex B."""
    height, width = frames[0].shape[:2]
    i420 = b"".join(
        av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "bgra")
        .reformat(format="yuv420p")
        .to_ndarray()
        .tobytes()
        for frame in frames
    )
    arguments = (width, height, qp, slices, rows, slice_bytes, screen, layers, ltr)
    done = subprocess.run(
        [str(_openh264_encoder()), *(str(int(a)) for a in arguments)],
        input=i420,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
