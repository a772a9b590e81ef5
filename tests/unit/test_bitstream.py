"""The macroblock layer: read and written back bit for bit; vectors as FFmpeg sees them;
any bytes without a crash."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import streams
from support.streams import COUNT, HEIGHT, WIDTH

from harness.native import native


def encode(preset: str, qp: int, parameters: str = "", frames: int = COUNT, kind: str = "natural"):
    return streams.with_x264(streams.pictures(kind, frames), preset, qp, parameters)


def rewrite(data: bytes):
    library = native()
    result = library.ffi.new("uis_rewrite_result *")
    rc = library.lib.uis_rewrite_stream(data, len(data), result)
    return rc, result


SAMPLES = Path(__file__).parents[1] / "streams"

STREAMS = [
    *(
        (preset, qp, "")
        for preset in ("ultrafast", "superfast", "veryfast", "fast", "medium", "slower")
        for qp in (10, 23, 36, 45)
    ),
    ("veryfast", 23, "slices=5"),
    ("medium", 23, "slice-max-mbs=22"),
    ("medium", 10, "slice-max-size=600"),
    ("slower", 23, "ref=5:keyint=7"),
    ("slower", 20, "constrained-intra=1"),
]


@pytest.mark.parametrize(("preset", "qp", "parameters"), STREAMS)
def test_every_slice_comes_back_bit_for_bit(preset: str, qp: int, parameters: str):
    rc, result = rewrite(encode(preset, qp, parameters))
    assert rc == 0
    assert (result.unreadable, result.different) == (0, 0)
    assert result.pictures == COUNT
    assert result.macroblocks == COUNT * (WIDTH // 16) * (HEIGHT // 16)
    assert result.slices >= COUNT


# Content, QP, the encoder's options, fewest slices in the stream. OpenH264's own limit on a
# macroblock's size makes it refuse noise below QP 20 or so.
OPENH264_STREAMS = [
    *(("natural", qp, {}, COUNT) for qp in (10, 23, 36, 45)),
    *(("screen", qp, {"screen": True}, COUNT) for qp in (10, 23, 36, 45)),
    *(("noise", qp, {}, COUNT) for qp in (23, 45)),
    ("natural", 10, {"slices": 4}, 4 * COUNT),
    ("natural", 36, {"rows": True}, 13 * COUNT),
    ("screen", 23, {"rows": True, "screen": True}, 13 * COUNT),
    ("natural", 10, {"slice_bytes": 600}, 20 * COUNT),
    ("noise", 36, {"slices": 3}, 3 * COUNT),
    ("natural", 23, {"layers": 4}, COUNT),  # pictures that are no reference
    ("natural", 23, {"ltr": True}, COUNT),
    ("screen", 36, {"ltr": True, "screen": True, "layers": 2}, COUNT),
]


@pytest.mark.parametrize(("kind", "qp", "options", "slices"), OPENH264_STREAMS)
def test_every_slice_of_openh264_comes_back_bit_for_bit(kind, qp, options, slices):
    rc, result = rewrite(streams.with_openh264(streams.pictures(kind), qp, **options))
    assert rc == 0
    assert (result.unreadable, result.different) == (0, 0)
    assert result.pictures == COUNT
    assert result.macroblocks == COUNT * (WIDTH // 16) * (HEIGHT // 16)
    assert result.slices >= slices
    assert sum(result.kinds[7:9]) > 0, "intra macroblocks are covered"


def test_raw_macroblocks_come_back_too():
    """I_PCM: aligned samples, whose padding depends on everything before them."""
    rc, result = rewrite(encode("slower", 1, "no-psy=1", frames=4, kind="noise"))
    assert (rc, result.unreadable, result.different) == (0, 0, 0)
    assert result.kinds[9] > 100


def ffmpeg_motion(data: bytes) -> Counter:
    """Vectors that FFmpeg exports: (picture, block centre, size, vector)."""
    found: Counter = Counter()
    with av.open(io.BytesIO(data), format="h264") as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"flags2": "+export_mvs"}
        for number, frame in enumerate(container.decode(stream)):
            for side in frame.side_data:
                if side.type.name != "MOTION_VECTORS":
                    continue
                for v in side.to_ndarray():
                    found[
                        number,
                        int(v["dst_x"]),
                        int(v["dst_y"]),
                        int(v["w"]),
                        int(v["h"]),
                        int(v["motion_x"]),
                        int(v["motion_y"]),
                    ] += 1
    return found


def our_motion(data: bytes) -> tuple[Counter, int]:
    """The same of our reader, and how many partitions are smaller than 8x8."""
    library = native()
    count = library.lib.uis_read_motion(data, len(data), library.ffi.NULL, 0)
    assert count > 100
    out = library.ffi.new("uis_motion_record[]", count)
    assert library.lib.uis_read_motion(data, len(data), out, count) == count
    # FFmpeg exports an 8x8 that is split further as one block with its first vector.
    ours = Counter(
        (r.picture, r.x // 8 * 8 + 4, r.y // 8 * 8 + 4, 8, 8, r.mv_x, r.mv_y)
        if r.w * r.h < 64
        else (r.picture, r.x + r.w // 2, r.y + r.h // 2, r.w, r.h, r.mv_x, r.mv_y)
        for r in out
        if r.w * r.h >= 64 or (r.x % 8 == 0 and r.y % 8 == 0)
    )
    return ours, sum(r.w * r.h < 64 for r in out)


@pytest.mark.parametrize(
    ("preset", "qp", "parameters"),
    [*STREAMS, ("veryslow", 23, "slices=3"), ("slower", 23, "ref=4")],
)
def test_vectors_are_those_of_ffmpeg(preset: str, qp: int, parameters: str):
    data = encode(preset, qp, parameters)
    ours, split = our_motion(data)
    assert split == 0 or preset in ("slower", "veryslow")
    if preset == "veryslow":
        assert split > 0, "split blocks are covered"
    assert ours == ffmpeg_motion(data)


@pytest.mark.parametrize(
    ("kind", "qp", "options"),
    [(kind, *rest) for kind, *rest, _ in OPENH264_STREAMS if kind != "noise"],  # that is intra
)
def test_vectors_of_openh264_are_those_of_ffmpeg(kind, qp, options):
    data = streams.with_openh264(streams.pictures(kind), qp, **options)
    ours, _ = our_motion(data)
    assert ours == ffmpeg_motion(data)


@pytest.mark.parametrize("sample", sorted(p.stem for p in SAMPLES.glob("*.h264")))
def test_vectors_of_spliced_streams_are_those_of_ffmpeg(sample: str):
    """Vectors coded anew among other neighbours, two references, P_Skip around."""
    data = (SAMPLES / f"{sample}.h264").read_bytes()
    ours, _ = our_motion(data)
    assert ours == ffmpeg_motion(data)


@given(st.binary(max_size=400), st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_refused_or_read_without_a_crash(noise: bytes, seed: int):
    data = bytearray(_sample())
    rng = np.random.default_rng(seed)
    for _ in range(4):
        data[int(rng.integers(0, len(data)))] = int(rng.integers(0, 256))
    cut = int(rng.integers(0, len(data)))
    rewrite(bytes(data))
    rewrite(bytes(data[:cut]) + noise)
    rewrite(noise)


def _sample(cache: list[bytes] = []) -> bytes:  # noqa: B006 -- made once
    if not cache:
        cache.append(encode("medium", 30, "slices=2", frames=4))
    return cache[0]
