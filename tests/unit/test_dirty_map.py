"""The dirty-macroblock map: the fast routine against its plain twin and against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.native import native


def image(array: np.ndarray):
    ffi = native().ffi
    out = ffi.new("uis_bgra *")
    out.pixels = ffi.cast("uint8_t *", ffi.from_buffer(array))
    out.stride = array.strides[0]
    out.height, out.width = array.shape[:2]
    return out


def run(function, now, before, damage):
    ffi = native().ffi
    height, width = now.shape[:2]
    columns, rows = -(-width // 16), -(-height // 16)
    out = ffi.new("uint8_t[]", columns * rows)
    box = ffi.new("uis_rect *")
    rect = ffi.new("uis_rect *", dict(zip("xywh", damage, strict=True)))
    count = function(image(now), image(before), rect, out, box)
    grid = np.frombuffer(ffi.buffer(out), np.uint8).reshape(rows, columns).copy()
    return count, grid, (box.x, box.y, box.w, box.h)


@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    points=st.lists(
        st.tuples(st.integers(0, 69), st.integers(0, 69), st.integers(0, 3)), max_size=6
    ),
    damage=st.tuples(
        st.integers(-20, 80), st.integers(-20, 80), st.integers(0, 120), st.integers(0, 120)
    ),
)
@settings(max_examples=300, deadline=None)
def test_fast_equals_plain_equals_numpy(width, height, points, damage):
    before = np.zeros((height, width, 4), np.uint8)
    now = before.copy()
    for x, y, channel in points:
        if x < width and y < height:
            now[y, x, channel] = 1
    lib = native().lib
    fast = run(lib.uis_dirty_map, now, before, damage)
    plain = run(lib.uis_dirty_map_plain, now, before, damage)
    assert fast[0] == plain[0] and (fast[1] == plain[1]).all() and fast[2] == plain[2]

    x, y, w, h = damage
    inside = np.zeros((height, width), bool)
    inside[max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)] = True
    changed = (now != before).any(axis=2) & inside
    expected = np.zeros_like(fast[1])
    for py, px in zip(*np.nonzero(changed), strict=True):
        expected[py // 16, px // 16] = 1
    assert (fast[1] == expected).all()
    assert fast[0] == expected.sum()


@pytest.mark.parametrize(
    ("pixel", "rects", "outside"),
    [
        ((20, 20), [(16, 16, 16, 16)], 0),  # wholly inside
        ((20, 20), [(21, 16, 40, 40)], 1),  # one pixel left of the video
        ((20, 20), [(20, 20, 1, 1)], 0),  # exactly the video
        ((20, 20), [(0, 0, 20, 64), (20, 0, 44, 64)], 0),  # two videos side by side
        ((20, 20), [], 1),
    ],
)
def test_outside_is_judged_by_the_pixel(pixel, rects, outside):
    before = np.zeros((64, 64, 4), np.uint8)
    now = before.copy()
    now[pixel[1], pixel[0], 0] = 9
    ffi, lib = native().ffi, native().lib
    map_ = ffi.new("uint8_t[16]")
    box = ffi.new("uis_rect *")
    whole = ffi.new("uis_rect *", {"x": 0, "y": 0, "w": 64, "h": 64})
    lib.uis_dirty_map(image(now), image(before), whole, map_, box)
    array = ffi.new("uis_rect[]", [dict(zip("xywh", r, strict=True)) for r in rects] or 1)
    assert lib.uis_dirty_outside(image(now), image(before), map_, array, len(rects)) == outside
