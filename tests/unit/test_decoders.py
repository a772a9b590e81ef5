"""Three decoders of three origins show the same pictures of the committed streams."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.decoders import h264bsd_pictures, md5

from harness.checks import ffmpeg_pictures, openh264_pictures

STREAMS = Path(__file__).parents[1] / "streams"
DECODERS = {
    "FFmpeg": ffmpeg_pictures,
    "OpenH264": openh264_pictures,
    "h264bsd": h264bsd_pictures,
}
SAMPLES = sorted(path.stem for path in STREAMS.glob("*.h264"))


def test_the_samples_are_there():
    made = {
        "syntax",
        "rows",
        "edge",
        "corner",
        "two-videos",
        "cropped",
        "full-width",
        "full-width-rows",
        "moving",
        "no-guard",
        "merged",
        "separate",
        "released",
        "patched",
        "keyframes",
        "slices",
    }
    assert set(SAMPLES) == made
    sizes = [path.stat().st_size for path in STREAMS.glob("*.h264")]
    assert max(sizes) < 150_000 and sum(sizes) < 1_000_000


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_a_decoder_shows_the_committed_pictures(sample: str, decoder: str):
    expected = (STREAMS / f"{sample}.md5").read_text().split()
    assert len(expected) >= 14
    errors: list[str] = []
    shown = [md5(p) for p in DECODERS[decoder](STREAMS / f"{sample}.h264", errors)]
    assert errors == []
    assert shown == expected


@pytest.mark.parametrize("decoder", DECODERS)
def test_one_changed_byte_changes_the_pictures(tmp_path: Path, decoder: str):
    expected = (STREAMS / "syntax.md5").read_text().split()
    data = bytearray((STREAMS / "syntax.h264").read_bytes())
    data[len(data) * 2 // 3] ^= 0x18
    damaged = tmp_path / "damaged.h264"
    damaged.write_bytes(data)
    errors: list[str] = []
    shown = [md5(p) for p in DECODERS[decoder](damaged, errors)]
    assert errors or shown != expected
