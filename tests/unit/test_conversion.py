"""Colour conversion inside damage: what lies in it as the whole view's, the rest untouched."""

from __future__ import annotations

import numpy as np
import pytest
from support import content

from harness.native import native
from harness.pipeline import bgra_image

WIDTH, HEIGHT = 98, 50  # neither is a multiple of 16
PADDED = (112, 64)


def convert(frame: np.ndarray, area: tuple[int, int, int, int], fill: int = 0) -> list[np.ndarray]:
    """Planes Y, U and V of whole macroblocks, which held `fill` before."""
    lib, ffi = native().lib, native().ffi
    width, height = PADDED
    planes = [np.full((height // n, width // n), fill, np.uint8) for n in (1, 2, 2)]
    pointers = [ffi.from_buffer("uint8_t[]", plane) for plane in planes]
    lib.uis_bgra_to_i420(bgra_image(frame), ffi.new("uis_rect *", area), *pointers)
    return planes


@pytest.mark.parametrize(
    "area", [(0, 0, 98, 50), (16, 16, 32, 16), (13, 7, 21, 11), (91, 45, 7, 5)]
)
def test_inside_damage(area: tuple[int, int, int, int]):
    frame = content.ui(WIDTH, HEIGHT)
    whole = convert(frame, (0, 0, WIDTH, HEIGHT))
    part = convert(frame, area, fill=255)
    x0, y0 = area[0] // 2 * 2, area[1] // 2 * 2
    x1, y1 = -(-(area[0] + area[2]) // 2) * 2, -(-(area[1] + area[3]) // 2) * 2
    for n, now, all_ in zip((1, 2, 2), part, whole, strict=True):
        inside = np.zeros_like(now, bool)
        inside[y0 // n : y1 // n, x0 // n : x1 // n] = True
        assert np.array_equal(now[inside], all_[inside])
        view = np.zeros_like(inside)
        view[: HEIGHT // n, : WIDTH // n] = True
        assert set(now[view & ~inside]) <= {255}


def test_the_padding_repeats_the_last_row_and_column():
    for n, plane in zip(
        (1, 2, 2), convert(content.ui(WIDTH, HEIGHT), (0, 0, WIDTH, HEIGHT)), strict=True
    ):
        width, height = WIDTH // n, HEIGHT // n
        assert np.array_equal(
            plane[:, width:], np.repeat(plane[:, width - 1 : width], (PADDED[0] - WIDTH) // n, 1)
        )
        assert np.array_equal(
            plane[height:], np.repeat(plane[height - 1 : height], (PADDED[1] - HEIGHT) // n, 0)
        )


def test_black_white_and_grey():
    """BT.601, limited range."""
    frame = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    for value, luma in ((0, 16), (255, 235), (128, 126)):
        frame[..., :3] = value
        y, u, v = convert(frame, (0, 0, WIDTH, HEIGHT))
        assert set(y.flat) == {luma} and set(u.flat) == set(v.flat) == {128}
