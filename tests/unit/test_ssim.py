"""The recorder's SSIM is Wang et al.'s, on windows of 8x8 four apart; computed here anew
from the frames that went in and the stream that came out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from support import content

from harness.checks import ffmpeg_pictures
from harness.native import native
from harness.pipeline import Pipeline, bgra_image
from harness.recorder import RecorderSettings

Plane = npt.NDArray[np.uint8]


def source_planes(frame: content.Frame) -> list[Plane]:
    lib, ffi = native().lib, native().ffi
    height, width = frame.shape[:2]
    rows, columns = -(-height // 16) * 16, -(-width // 16) * 16
    planes = [np.zeros((rows // n, columns // n), np.uint8) for n in (1, 2, 2)]
    pointers = [ffi.from_buffer("uint8_t[]", plane) for plane in planes]
    lib.uis_bgra_to_i420(bgra_image(frame), ffi.new("uis_rect *", (0, 0, width, height)), *pointers)
    return [plane[: height // n, : width // n] for plane, n in zip(planes, (1, 2, 2), strict=True)]


def ssim(a: Plane, b: Plane) -> float:
    values = []
    for y in range(0, a.shape[0] - 8, 4):
        for x in range(0, a.shape[1] - 8, 4):
            p, q = (plane[y : y + 8, x : x + 8].astype(np.float64) for plane in (a, b))
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            covariance = ((p - p.mean()) * (q - q.mean())).mean()
            values.append(
                (2 * p.mean() * q.mean() + c1)
                * (2 * covariance + c2)
                / ((p.mean() ** 2 + q.mean() ** 2 + c1) * (p.var() + q.var() + c2))
            )
    return float(np.mean(values))


@pytest.mark.parametrize(("width", "height"), [(320, 192), (198, 150), (64, 66)])
@pytest.mark.parametrize("qp", [10, 40])
def test_ssim_of_every_picture(tmp_path: Path, width: int, height: int, qp: int) -> None:
    settings = RecorderSettings(width, height, qp=qp, measure=True)
    frames = [*content.natural(width, height, 2), content.ui(width, height)]
    with Pipeline(settings, tmp_path / "s.mkv") as pipeline:
        ticks = [pipeline.tick(frame) for frame in frames]
        recording = pipeline.finish()
    errors: list[str] = []
    for tick, frame, shown in zip(
        ticks, frames, ffmpeg_pictures(recording.stream, errors), strict=True
    ):
        y, u, v = (
            ssim(source, plane)
            for source, plane in zip(source_planes(frame), (shown.y, shown.u, shown.v), strict=True)
        )
        assert tick.ssim == pytest.approx(0.8 * y + 0.1 * (u + v), abs=1e-5)
        assert 0.1 < tick.ssim < 0.99999
    assert not errors


def test_what_is_not_asked_for_is_not_measured(tmp_path: Path) -> None:
    with Pipeline(RecorderSettings(320, 192), tmp_path / "s.mkv") as pipeline:
        assert pipeline.tick(content.ui(320, 192)).ssim == 0
