"""h264bsd as a third decoder, and one form to compare pictures in."""

from __future__ import annotations

import hashlib
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.checks import Planes, access_units
from harness.structure import describe

_H264BSD = Path(__file__).parents[1] / "h264bsd"
_PICTURE_READY = 1


def md5(picture: Planes) -> str:
    """Of the I420 bytes: luma, Cb, Cr, rows without padding."""
    return hashlib.md5(picture.y.tobytes() + picture.u.tobytes() + picture.v.tobytes()).hexdigest()


def h264bsd_pictures(path: Path, errors: list[str]) -> Iterator[Planes]:
    """Decodes a file with h264bsd, cropped as its SPS says. Errors are appended."""
    node = shutil.which("node")
    assert node, "node is missing: `make setup` installs it"
    assert (_H264BSD / "node_modules/tinyh264").is_dir(), (
        "h264bsd is missing: `make setup` installs it"
    )
    units = list(access_units(path))
    sequence = describe(units).sequence
    done = subprocess.run(
        [node, str(_H264BSD / "decode.mjs")],
        input=b"".join(struct.pack("<I", len(unit)) + unit for unit in units),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    at = 0
    for number in range(len(units)):
        status, width, height = struct.unpack_from("<3I", done.stdout, at)
        at += 12
        if status != _PICTURE_READY:
            errors.append(f"access unit {number}: status {status}, no picture")
            continue
        luma, chroma = width * height, width * height // 4
        planes = np.frombuffer(done.stdout, np.uint8, luma + 2 * chroma, at)
        at += luma + 2 * chroma
        rows = slice(sequence.crop_top, height - sequence.crop_bottom)
        columns = slice(sequence.crop_left, width - sequence.crop_right)
        half_rows = slice(rows.start // 2, rows.stop // 2)
        half_columns = slice(columns.start // 2, columns.stop // 2)
        u, v = planes[luma:].reshape(2, height // 2, width // 2)[:, half_rows, half_columns]
        yield Planes(planes[:luma].reshape(height, width)[rows, columns], u, v)
